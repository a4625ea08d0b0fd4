// SPDX-License-Identifier: Apache-2.0
// A ZIP archive (PKWARE's APPNOTE 6.3.3, sections 4.3 to 4.5): per file a head and its bytes, packed by zlib;
// then the directory and its end. In: names and bytes. Out: bytes, the same each time: all files have the
// same time stamp.

import CZlib
import Foundation
import TensorFiles

/// An archive on its way.
struct ZIPArchive {
  private var files = Data()
  private var directory = Data()
  private var count = 0

  /// What is larger needs other heads.
  private static let largest = Int(UInt32.max)

  /// Adds a file.
  ///
  /// - Parameters:
  ///   - name: with "/" between folders; ASCII.
  ///   - isExecutable: where the archive is unpacked.
  /// - Throws: `CannotExport` where the archive is too large.
  mutating func add(_ name: String, _ contents: Data, isExecutable: Bool = false) throws {
    let packed = Self.deflated(contents)
    let body = packed ?? contents
    let offset = files.count
    guard contents.count < Self.largest, offset + body.count + name.utf8.count < Self.largest else {
      throw CannotExport("an FMU can hold at most 4 GB, but '\(name)' has \(contents.count) bytes")
    }
    // Version 2.0 to unpack; no flags; deflate or as it stands; 1 January 1980, 0:00.
    var head = Data()
    for value in [20, 0, packed == nil ? 0 : 8, 0, 0x21] { head.append(little: value, bytes: 2) }
    head.append(little: Int(Checksum.sum(contents)), bytes: 4)
    head.append(little: body.count, bytes: 4)
    head.append(little: contents.count, bytes: 4)
    head.append(little: name.utf8.count, bytes: 2)
    head.append(little: 0, bytes: 2)

    files.append(little: 0x0403_4B50, bytes: 4)
    files.append(head)
    files.append(contentsOf: name.utf8)
    files.append(body)

    directory.append(little: 0x0201_4B50, bytes: 4)
    // Written on Unix, so that the mode counts.
    directory.append(little: 3 << 8 | 20, bytes: 2)
    directory.append(head)
    for _ in 0..<3 { directory.append(little: 0, bytes: 2) }
    directory.append(little: (isExecutable ? 0o100755 : 0o100644) << 16, bytes: 4)
    directory.append(little: offset, bytes: 4)
    directory.append(contentsOf: name.utf8)
    count += 1
  }

  /// The whole.
  var data: Data {
    var end = Data()
    end.append(little: 0x0605_4B50, bytes: 4)
    for value in [0, 0, count, count] { end.append(little: value, bytes: 2) }
    end.append(little: directory.count, bytes: 4)
    end.append(little: files.count, bytes: 4)
    end.append(little: 0, bytes: 2)
    return files + directory + end
  }

  /// Packed; nil where that gains nothing.
  private static func deflated(_ data: Data) -> Data? {
    var length = compressBound(UInt(data.count))
    var packed = Data(count: Int(length))
    let result = packed.withUnsafeMutableBytes { packed in
      data.withUnsafeBytes { bytes in
        compress2(
          packed.bindMemory(to: UInt8.self).baseAddress, &length,
          bytes.bindMemory(to: UInt8.self).baseAddress, UInt(data.count), Z_BEST_COMPRESSION)
      }
    }
    // zlib's own frame is two bytes before and a checksum of four behind.
    guard result == Z_OK, length > 6, Int(length) - 6 < data.count else { return nil }
    return Data(packed[2..<Int(length) - 4])
  }
}

extension Data {
  /// A number, its lowest byte first.
  fileprivate mutating func append(little value: Int, bytes: Int) {
    for index in 0..<bytes { append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
  }
}
