// SPDX-License-Identifier: Apache-2.0
// Why a search has no policy.

import Faults

/// A gradient that cannot be followed.
package struct SearchError: Fault {
  package let statement: String

  package init(_ statement: String) { self.statement = statement }
}
