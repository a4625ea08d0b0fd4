// SPDX-License-Identifier: Apache-2.0
// A file that the user names. A regular file is replaced whole, so that there is no half of one at any time; a link is
// followed to the file it names and stays; a device or a pipe is written to and stays.

import Bagel
import Foundation

package struct WrittenFile {
  /// As the user named it.
  let path: String
  /// Whether it is a device, a pipe or an open file of this process, beside which no other file belongs.
  let isStream: Bool

  /// - Parameters:
  ///   - path: as the user named it.
  ///   - option: which named it, for messages.
  /// - Throws: `OutputError` for a folder.
  package init(_ path: String, option: String) throws {
    if path.isEmpty { throw OutputError("\(option) '' names no file") }
    var status = stat()
    let kind = stat(path, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    guard kind != S_IFDIR else {
      throw OutputError("cannot write \(path): it is a folder")
    }
    self.path = path
    isStream = kind != S_IFREG || Self.descriptor(path) != nil
  }

  /// Writes the whole file.
  ///
  /// - Returns: where a former file with other bytes is kept; nil where there was none.
  /// - Throws: `OutputError`.
  @discardableResult package func write(_ data: Data) throws -> String? {
    guard isStream else {
      return try replacing(try target().path) { path in
        try writing(path) { try data.write(to: URL(fileURLWithPath: path), options: .atomic) }
      }
    }
    let file = Self.descriptor(path).map(dup) ?? open(path, O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { throw OutputError(path: path, errorNumber: errno) }
    let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
    try writing(path) { try handle.write(contentsOf: data) }
    return nil
  }

  /// Refuses to replace one of the files that the command itself reads. Throws: `OutputError`.
  func check(isNoneOf inputs: [String]) throws {
    var own = stat()
    guard !isStream, stat(path, &own) == 0 else { return }
    for input in inputs {
      var other = stat()
      guard stat(input, &other) == 0, other.st_ino == own.st_ino, other.st_dev == own.st_dev else {
        continue
      }
      throw OutputError("cannot write \(path): this command or its task reads it")
    }
  }

  /// The file that is replaced, behind links. Throws: `OutputError`, also for a device or pipe.
  package func target() throws -> URL {
    guard !isStream else {
      throw OutputError("cannot write \(path): it is a device or a pipe")
    }
    return try behindLinks(URL(fileURLWithPath: path))
  }

  /// The number of a file that this process has open. It is written where it stands: by its name it would be opened anew, and
  /// written from its beginning.
  private static func descriptor(_ path: String) -> Int32? {
    if path == "/dev/stdout" { return 1 }
    if path == "/dev/stderr" { return 2 }
    let folder = ["/dev/fd/", "/proc/self/fd/"].first(where: path.hasPrefix)
    return folder.flatMap { Int32(path.dropFirst($0.count)) }
  }

  /// Where links lead to, be it to nothing yet (Foundation follows none of those).
  private func behindLinks(_ url: URL, links: Int = 40) throws -> URL {
    let files = FileManager.default
    guard let link = try? files.destinationOfSymbolicLink(atPath: url.path) else { return url }
    guard links > 0 else { throw OutputError(path: path, errorNumber: ELOOP) }
    return try behindLinks(
      URL(fileURLWithPath: link, relativeTo: url.deletingLastPathComponent()), links: links - 1)
  }
}
