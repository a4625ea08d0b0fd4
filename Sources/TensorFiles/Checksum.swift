// SPDX-License-Identifier: Apache-2.0
// A checksum of a whole file in its own header, so that a number that changed on the disk or in transfer is detected:
// CRC-32 (zlib) of header and data, while the eight digits of the checksum are zeros.

import CZlib
import Foundation
import SafeText

package enum Checksum {
  /// Its key in the metadata. Files of others have none, and are read all the same.
  static let key = "crc32"
  static let blank = "00000000"

  /// What stands in the header. Quotes within a text are escaped, so nothing else there looks like it.
  private static func entry(_ digits: String) -> Data { Data("\"\(key)\":\"\(digits)\"".utf8) }

  /// Eight hexadecimal digits.
  static func digits(of sum: UInt) -> String { hexadecimal(sum, digits: 8) }

  /// The CRC-32 of more bytes.
  package static func sum(_ bytes: Data, from before: UInt = 0) -> UInt {
    bytes.withUnsafeBytes { buffer in
      UInt(
        crc32_z(
          uLong(before), buffer.bindMemory(to: UInt8.self).baseAddress, buffer.count))
    }
  }

  /// A header with other digits; nil where these do not stand in it.
  static func replacing(_ old: String, with new: String, in header: Data) -> Data? {
    guard let range = header.range(of: entry(old)) else { return nil }
    var header = header
    header.replaceSubrange(range, with: entry(new))
    return header
  }
}
