// SPDX-License-Identifier: Apache-2.0
// Names for what must not overwrite anything.

import Foundation

/// The first of the numbered paths (from 1 on) at which there is nothing yet.
///
/// - Parameters:
///   - companion: of a path, another one that must be free too; nil where there is none.
///   - path: of a number.
package func firstFreePath(
  companion: (String) -> String? = { _ in nil }, _ path: (Int) -> String
) -> String {
  var number = 1
  while ([path(number)] + [companion(path(number))].compactMap(\.self))
    .contains(where: isAnything)
  {
    number += 1
  }
  return path(number)
}

/// Whether there is anything at a path, be it a link to nothing.
private func isAnything(_ path: String) -> Bool {
  var status = stat()
  return lstat(path, &status) == 0
}
