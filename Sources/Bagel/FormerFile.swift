// SPDX-License-Identifier: Apache-2.0
// A model or policy that replaces another one: the former stays beside it, model.previous.safetensors, for it may have been
// better. If the process is ended in between, there still is a whole file at the path.

import Foundation

/// Writes a file; where another one with other bytes stood there, that is kept.
///
/// - Parameters:
///   - path: of the file.
///   - write: writes it to the path that it is given.
/// - Returns: where the former file is now; nil where there was none, or one of the same bytes.
/// - Throws: `OutputError`, and what `write` throws.
package func replacing(_ path: String, _ write: (String) throws -> Void) throws -> String? {
  guard let former = FileManager.default.contents(atPath: path) else {
    try write(path)
    return nil
  }
  let new = path + ".new"
  defer { unlink(new) }
  try write(new)
  if FileManager.default.contents(atPath: new) == former { return nil }
  let url = URL(fileURLWithPath: path)
  let kept =
    url.pathExtension.isEmpty
    ? path + ".previous" : "\(path.dropLast(url.pathExtension.count))previous.\(url.pathExtension)"
  try writing(kept) { try former.write(to: URL(fileURLWithPath: kept), options: .atomic) }
  guard rename(new, path) == 0 else {
    throw OutputError("cannot write \(path): \(String(cString: strerror(errno)))")
  }
  return kept
}
