// SPDX-License-Identifier: Apache-2.0
// The bytes of a text from any source: a file, a pipe, standard input, the output of a program. Compressed ones (gzip) are
// unpacked, UTF-16 becomes UTF-8, a byte order mark is left out. In one pass and in bounded memory.
//
// zlib unpacks: it is on every system. The other encodings of a table of numbers differ from UTF-8 in its names only, which
// `CSVReader.text` decodes.

import CZlib
import Foundation

/// Bytes in UTF-8, or in a one-byte encoding that agrees with it in digits and marks.
final class TextStream {
  /// As messages name it.
  let name: String
  private let file: Int32
  /// What was read of the file and not yet unpacked: from `start` to `end`.
  private let packed: UnsafeMutablePointer<UInt8>
  private var start = 0
  private var end = 0
  /// Whether all of the file was read.
  private(set) var isAtEnd = false
  private var unpacking: Unpacking?
  private var wide: WideText?
  /// Bytes of the file that were read.
  private(set) var bytesRead = 0
  /// What the text is beside plain UTF-8, in words.
  private(set) var habits: [String] = []

  private static let capacity = 1 << 18

  /// Throws: `LogError` where the file cannot be opened, or is no text.
  convenience init(path: String) throws {
    if path != "-", try Self.checkFile(path).st_mode & S_IFMT == S_IFDIR {
      throw LogError(file: path, "is a folder, not a CSV file")
    }
    let file = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      throw LogError(file: path, "cannot be read: \(String(cString: strerror(errno)))")
    }
    try self.init(descriptor: file, name: path == "-" ? "standard input" : path)
  }

  /// What is known of a file. Throws: `LogError` where there is none.
  @discardableResult static func checkFile(_ path: String) throws(LogError) -> stat {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw LogError(
        file: path,
        errno == ENOENT ? "no such file" : "cannot be read: \(String(cString: strerror(errno)))")
    }
    return status
  }

  /// - Parameters:
  ///   - descriptor: open for reading; closed by this object.
  ///   - name: for messages.
  init(descriptor: Int32, name: String) throws {
    (file, self.name) = (descriptor, name)
    packed = .allocate(capacity: Self.capacity)
    try fill()
    try findOutHowItIsWritten()
  }

  deinit {
    packed.deallocate()
    close(file)
  }

  /// Bytes of the file, or nil of a pipe.
  var size: Int? {
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(status.st_size)
  }

  /// Room that `read` wants at least: for the longest character of the text.
  static let leastRoom = 4

  /// The next bytes, at most so many (`leastRoom` at least); 0 at the end of the text. Throws: `LogError`.
  func read(into bytes: UnsafeMutablePointer<UInt8>, atMost count: Int) throws -> Int {
    precondition(count >= Self.leastRoom, "no room for a character")
    guard wide != nil else { return try unpacked(into: bytes, atMost: count) }
    return try decoded(into: bytes, atMost: count)
  }

  // MARK: how it is written

  /// Looks at the first bytes. Throws: `LogError` for what people give in place of text.
  private func findOutHowItIsWritten() throws {
    if head.starts(with: [0x1F, 0x8B]) {
      unpacking = Unpacking()
      habits.append("gzip")
    }
    // The marks of an encoding stand at the beginning of what is packed.
    let probe = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.probeLength)
    defer { probe.deallocate() }
    let count = try unpacking == nil ? 0 : unpacked(into: probe, atMost: Self.probeLength)
    let text =
      unpacking == nil
      ? UnsafeBufferPointer(rebasing: head.prefix(Self.probeLength))
      : UnsafeBufferPointer(start: probe, count: count)
    if text.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
      throw LogError(file: name, "is a ZIP archive or a workbook (.xlsx); export the table as CSV")
    }
    wide = WideText(text)
    let marks = text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : wide?.markLength ?? 0
    if wide != nil {
      habits.append("UTF-16")
    } else if text.prefix(4_096).contains(0) {
      throw LogError(
        file: name,
        "is binary, not text; give a CSV file (a converter program reads other formats: see Documentation/Logs.md)"
      )
    }
    if unpacking == nil {
      start += marks
    } else {
      unpacking?.putBack(UnsafeBufferPointer(rebasing: text.dropFirst(marks)))
    }
  }

  /// Enough to recognise UTF-16 without a mark.
  private static let probeLength = 4_096

  private var head: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: packed + start, count: end - start)
  }

  // MARK: bytes of the file

  private func fill() throws {
    guard start == end, !isAtEnd else { return }
    (start, end) = (0, 0)
    // A pipe gives little at a time; its first bytes say what it is.
    repeat {
      let count = Foundation.read(file, packed + end, Self.capacity - end)
      if count > 0 {
        end += count
      } else if count == 0 {
        isAtEnd = true
      } else if errno != EINTR {
        throw LogError(file: name, "cannot be read: \(String(cString: strerror(errno)))")
      }
    } while !isAtEnd && bytesRead == 0 && end < Self.probeLength
    bytesRead += end
  }

  private func unpacked(
    into bytes: UnsafeMutablePointer<UInt8>, atMost count: Int
  ) throws -> Int {
    guard let unpacking else {
      try fill()
      let taken = min(count, end - start)
      bytes.update(from: packed + start, count: taken)
      start += taken
      return taken
    }
    let kept = unpacking.takeBack(into: bytes, atMost: count)
    if kept > 0 { return kept }
    while true {
      try fill()
      if start == end {
        guard unpacking.isBetweenMembers else {
          throw LogError(file: name, "ends in the middle of the gzip data; was the file cut off?")
        }
        return 0
      }
      guard
        let (taken, given) = unpacking.next(
          from: packed + start, count: end - start, into: bytes, atMost: count)
      else {
        throw LogError(file: name, "is damaged: its gzip data cannot be unpacked")
      }
      start += taken
      if given > 0 { return given }
    }
  }

  private func decoded(
    into bytes: UnsafeMutablePointer<UInt8>, atMost count: Int
  ) throws -> Int {
    // A unit of two bytes becomes three at most.
    let units = UnsafeMutablePointer<UInt8>.allocate(capacity: count / 3)
    defer { units.deallocate() }
    while true {
      let taken = try unpacked(into: units, atMost: count / 3)
      if taken == 0 { return 0 }
      let given = wide?.decode(UnsafeBufferPointer(start: units, count: taken), into: bytes) ?? 0
      if given > 0 { return given }
    }
  }
}

/// zlib's state for one gzip file, which may hold several packed texts, one after another.
private final class Unpacking {
  private var stream = z_stream()
  private var isOpen = false
  /// Bytes that were looked at.
  private var kept: [UInt8] = []

  var isBetweenMembers: Bool { !isOpen }

  deinit { if isOpen { inflateEnd(&stream) } }

  func putBack(_ bytes: UnsafeBufferPointer<UInt8>) { kept = Array(bytes) }

  func takeBack(into bytes: UnsafeMutablePointer<UInt8>, atMost count: Int) -> Int {
    let taken = min(count, kept.count)
    for index in 0..<taken { bytes[index] = kept[index] }
    kept.removeFirst(taken)
    return taken
  }

  /// How many bytes were taken and given; nil of data that gzip has not written.
  func next(
    from packed: UnsafeMutablePointer<UInt8>, count: Int, into bytes: UnsafeMutablePointer<UInt8>,
    atMost most: Int
  ) -> (taken: Int, given: Int)? {
    if !isOpen {
      stream = z_stream()
      guard bagel_inflate_gzip_init(&stream) == Z_OK else { return nil }
      isOpen = true
    }
    (stream.next_in, stream.avail_in) = (packed, UInt32(count))
    (stream.next_out, stream.avail_out) = (bytes, UInt32(most))
    let result = inflate(&stream, Z_NO_FLUSH)
    guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { return nil }
    if result == Z_STREAM_END {
      inflateEnd(&stream)
      isOpen = false
    }
    return (count - Int(stream.avail_in), most - Int(stream.avail_out))
  }
}

/// UTF-16 -> UTF-8, whatever lies between two reads.
private struct WideText {
  private let isBigEndian: Bool
  let markLength: Int
  /// The first byte of a unit, and the first half of a pair, whose rest has not come yet.
  private var halfUnit: UInt8?
  private var halfPair: UInt16?

  /// nil of a text that is not in UTF-16: without a mark, every second byte of a table of numbers is zero.
  init?(_ head: UnsafeBufferPointer<UInt8>) {
    if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
      (isBigEndian, markLength) = (head[0] == 0xFE, 2)
      return
    }
    let pairs = head.count / 2
    guard pairs >= 4 else { return nil }
    func zeros(_ first: Int) -> Int {
      (0..<pairs).reduce(0) { $0 + (head[2 * $1 + first] == 0 ? 1 : 0) }
    }
    let (even, odd) = (zeros(0), zeros(1))
    guard even == 0 && odd * 10 >= pairs * 9 || odd == 0 && even * 10 >= pairs * 9 else {
      return nil
    }
    (isBigEndian, markLength) = (odd == 0, 0)
  }

  /// Bytes written; three for a unit at most.
  mutating func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, into text: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var count = 0
    for byte in bytes {
      guard let first = halfUnit else {
        halfUnit = byte
        continue
      }
      halfUnit = nil
      let unit =
        isBigEndian ? UInt16(first) << 8 | UInt16(byte) : UInt16(byte) << 8 | UInt16(first)
      let scalar: Unicode.Scalar
      if UTF16.isLeadSurrogate(unit) {
        halfPair = unit
        continue
      } else if UTF16.isTrailSurrogate(unit), let high = halfPair {
        scalar = UTF16.decode(UTF16.EncodedScalar([high, unit]))
      } else {
        scalar = Unicode.Scalar(unit) ?? "\u{FFFD}"
      }
      halfPair = nil
      for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
        text[count] = byte
        count += 1
      }
    }
    return count
  }
}
