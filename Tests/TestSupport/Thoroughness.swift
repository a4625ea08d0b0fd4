// SPDX-License-Identifier: Apache-2.0
// How much tests sweep. `make test` has every kind of check; `make test-all` has all shapes and seeds of each.

import Foundation

/// Whether all shapes and seeds are tried (BAGEL_TEST_ALL).
package let isThorough = ProcessInfo.processInfo.environment["BAGEL_TEST_ALL"] != nil

extension Array {
  /// Every n-th element; all where tests are thorough.
  package func thinned(to every: Int) -> [Element] {
    isThorough ? self : indices.filter { $0 % every == 0 }.map { self[$0] }
  }
}
