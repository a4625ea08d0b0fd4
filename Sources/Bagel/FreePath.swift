// SPDX-License-Identifier: Apache-2.0
// Names for what must not overwrite anything.

import Foundation

/// The first of the numbered paths (from 1 on) at which there is nothing yet.
public func firstFreePath(_ path: (Int) -> String) -> String {
  var number = 1
  while FileManager.default.fileExists(atPath: path(number)) { number += 1 }
  return path(number)
}
