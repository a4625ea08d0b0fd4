// SPDX-License-Identifier: Apache-2.0
// A file that the user names. A regular file is replaced whole, so that there is no half of one at any time; a link is
// followed to the file it names and stays; a device or a pipe is written to and stays.

import Bagel
import Foundation

struct WrittenFile {
  /// As the user named it.
  let path: String
  /// Whether it is a device, a pipe or an open file of this process, beside which no other file belongs.
  let isStream: Bool

  /// - Throws: `OutputError` for a folder.
  init(_ path: String) throws {
    if path.isEmpty { throw OutputError(description: "--file '' names no file") }
    var status = stat()
    let kind = stat(path, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    guard kind != S_IFDIR else {
      throw OutputError(description: "cannot write \(path): it is a folder")
    }
    self.path = path
    // /dev/stdout may be a regular file, which others write to as well.
    isStream = kind != S_IFREG || ["/dev/", "/proc/"].contains(where: path.hasPrefix)
  }

  /// Throws: `OutputError`.
  func write(_ data: Data) throws {
    guard isStream else {
      return try writing(path) {
        try data.write(to: try behindLinks(URL(fileURLWithPath: path)), options: .atomic)
      }
    }
    let file = Self.descriptor(path).map(dup) ?? open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard file >= 0 else {
      throw OutputError(description: "cannot write \(path): \(String(cString: strerror(errno)))")
    }
    let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
    try writing(path) { try handle.write(contentsOf: data) }
  }

  /// The number of an open file of this process. Opened anew, it would be written from its beginning.
  private static func descriptor(_ path: String) -> Int32? {
    switch path {
    case "/dev/stdout": 1
    case "/dev/stderr": 2
    default: path.hasPrefix("/dev/fd/") ? Int32(path.dropFirst(8)) : nil
    }
  }

  /// Where links lead to, be it to nothing yet (Foundation follows none of those).
  private func behindLinks(_ url: URL, links: Int = 40) throws -> URL {
    let files = FileManager.default
    guard let link = try? files.destinationOfSymbolicLink(atPath: url.path) else { return url }
    guard links > 0 else {
      throw OutputError(description: "cannot write \(path): \(String(cString: strerror(ELOOP)))")
    }
    return try behindLinks(
      URL(fileURLWithPath: link, relativeTo: url.deletingLastPathComponent()), links: links - 1)
  }
}
