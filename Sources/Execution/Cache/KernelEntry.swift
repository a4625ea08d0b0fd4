// SPDX-License-Identifier: Apache-2.0
// One compiled kernel as a file: a line that says what it is, a line with a checksum of key and code, the code. One file, so
// that a rename brings all or nothing; the key in the checksum, so that a kernel under another's name is not taken for it.
// The checksum finds damage. It is no proof of who wrote the file: that is the folder's to see to.

/// Name and form of a kernel in the cache.
struct KernelEntry {
  /// Another number where form or meaning of entries changes.
  private static let head = Array("BAGEL kernel 2\n".utf8)
  private static let digestLength = 64

  /// SHA-256 of all that the code depends on, 64 hexadecimal digits.
  let key: String
  var fileName: String { key + ".kernel" }

  /// - Parameter parts: text, compiler, options, processor.
  init(_ parts: [String]) {
    // With their lengths: no two lists give the same bytes.
    let bytes = Self.head + parts.flatMap { "\($0.utf8.count) \($0)".utf8 }
    key = sha256(bytes)
  }

  /// The file of this code.
  func file(_ code: [UInt8]) -> [UInt8] {
    Self.head + Array((digest(code[...]) + "\n").utf8) + code
  }

  /// The code of a file, nil if it is another kernel's, cut short or damaged.
  func code(_ file: [UInt8]) -> [UInt8]? {
    let start = Self.head.count + Self.digestLength + 1
    guard file.count > start, file.starts(with: Self.head) else { return nil }
    let recorded = String(decoding: file[Self.head.count..<start - 1], as: UTF8.self)
    let code = file[start...]
    return digest(code) == recorded ? Array(code) : nil
  }

  private func digest(_ code: ArraySlice<UInt8>) -> String { sha256((key + sha256(code)).utf8) }
}
