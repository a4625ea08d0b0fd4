// SPDX-License-Identifier: Apache-2.0
// Reads a .safetensors file and trusts nothing: it may be damaged or malicious. The header is checked
// against the file's size before any data are read, so that no file takes more memory than three times its bytes.
// The rules are the format's own: the header is one JSON object, no name stands twice, the tensors follow one
// another from the first byte of the data to the last. The header's limit is lower than the reference
// implementation's (100 MB), since Foundation's parser takes many times the text's size.

import Foundation
import SafeText

extension TensorFile {
  /// Bytes of a header and of a file, and dimensions of a tensor, that are refused beyond.
  static let largestHeader = 10_000_000
  static let largestFile = 1 << 28
  static let mostDimensions = 8

  /// Throws: `TensorFileError` for a missing, damaged or foreign file.
  package init(path: String) throws(TensorFileError) {
    let file = try RegularFile(path: path)
    guard file.size >= 8 else { throw TensorFileError(path: path, "is not a safetensors file") }
    guard file.size <= Self.largestFile else {
      throw TensorFileError(
        path: path, "has \(file.size) bytes; files of at most \(Self.largestFile) are read")
    }
    let prefix = try file.numbers(UInt64.self, at: 0, count: 1)
    let length = UInt64(littleEndian: prefix[0])
    guard length <= UInt64(file.size - 8) else {
      throw TensorFileError(path: path, "is not a safetensors file, or it is cut off")
    }
    guard length <= UInt64(Self.largestHeader) else {
      throw TensorFileError(
        path: path, "has a header of \(length) bytes; at most \(Self.largestHeader) are read")
    }
    let start = 8 + Int(length)
    let text = try file.numbers(UInt8.self, at: 8, count: Int(length))
    let header = try Self.header(text, dataCount: file.size - start, path: path)
    metadata = header.metadata
    if let stated = metadata.removeValue(forKey: Checksum.key) {
      try Self.check(stated, Data(text), file, from: start, path: path)
    }
    tensors = [:]
    for (name, entry) in header.entries {
      let (offset, count) = (start + entry.offsets[0], entry.count)
      let values =
        try entry.type == .double
        ? file.numbers(Double.self, at: offset, count: count)
        : file.numbers(Float.self, at: offset, count: count).map(Double.init)
      tensors[name] = Tensor(shape: entry.shape, values: values)
    }
  }

  /// Refuses a file that is not as it was written.
  private static func check(
    _ stated: String, _ text: Data, _ file: borrowing RegularFile, from start: Int, path: String
  ) throws(TensorFileError) {
    guard let blank = Checksum.replacing(stated, with: Checksum.blank, in: text) else {
      throw TensorFileError(path: path, "is damaged: its checksum is no word of its header")
    }
    var (sum, offset) = (Checksum.sum(blank), start)
    while offset < file.size {
      let count = min(1 << 20, file.size - offset)
      sum = Checksum.sum(Data(try file.numbers(UInt8.self, at: offset, count: count)), from: sum)
      offset += count
    }
    guard Checksum.digits(of: sum) == stated else {
      throw TensorFileError(
        path: path, "was changed after it was written, or is damaged: its checksum does not match")
    }
  }

  /// The header, its tensors checked against the size of the data.
  private static func header(
    _ bytes: [UInt8], dataCount: Int, path: String
  ) throws(TensorFileError) -> Header {
    if let problem = jsonProblem(bytes) {
      throw TensorFileError(path: path, "is not a safetensors file: its header \(problem)")
    }
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(bytes))
    } catch {
      throw TensorFileError(
        path: path, "is not a safetensors file: its header \(jsonReason(error))")
    }
    let problem = header.entries.lazy.compactMap { name, entry in
      entry.problem.map { "tensor '\(shortened(name))' \($0)" }
    }.first
    if let problem = problem ?? header.layoutProblem(dataCount: dataCount) {
      throw TensorFileError(path: path, "is damaged: \(problem)")
    }
    return header
  }
}

/// What the header says.
private struct Header: Decodable {
  var metadata: [String: String] = [:]
  var entries: [String: Entry] = [:]

  struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }

    enum NumberType: String {
      case double = "F64"
      case single = "F32"
      var size: Int { self == .double ? 8 : 4 }
    }

    var type: NumberType? { NumberType(rawValue: dtype) }

    /// Product of the dimensions; only of a sound entry.
    var count: Int { shape.reduce(1, *) }

    var problem: String? {
      guard let type else { return "has the type \(shortened(dtype)); F64 and F32 are read" }
      guard shape.count <= TensorFile.mostDimensions else {
        return "has \(shape.count) dimensions; at most \(TensorFile.mostDimensions) are read"
      }
      var bytes = type.size
      for dimension in shape {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: dimension)
        guard dimension >= 0, !overflow else { return "has the impossible shape \(shape)" }
        bytes = product
      }
      guard offsets.count == 2, offsets[0] >= 0, offsets[1] >= offsets[0],
        offsets[1] - offsets[0] == bytes
      else { return "of \(bytes) bytes (\(dtype), shape \(shape)) has the offsets \(offsets)" }
      return nil
    }
  }

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let names = try decoder.container(keyedBy: Name.self)
    for name in names.allKeys {
      if name.stringValue == "__metadata__" {
        metadata = try names.decode([String: String].self, forKey: name)
      } else {
        entries[name.stringValue] = try names.decode(Entry.self, forKey: name)
      }
    }
  }

  /// What is wrong with where the tensors stand, or nil: each begins where the one before ends.
  func layoutProblem(dataCount: Int) -> String? {
    let inOrder = entries.sorted {
      ($0.value.offsets[0], $0.value.offsets[1], $0.key)
        < ($1.value.offsets[0], $1.value.offsets[1], $1.key)
    }
    var end = 0
    for (name, entry) in inOrder {
      guard entry.offsets[0] == end else {
        return "tensor '\(shortened(name))' begins at byte \(entry.offsets[0]) of the data, "
          + "but the one before ends at \(end)"
      }
      end = entry.offsets[1]
    }
    if end == dataCount { return nil }
    return end > dataCount
      ? "it is cut off: \(dataCount) bytes of data, but \(end) in its header"
      : "\(dataCount - end) bytes follow its last tensor"
  }
}

/// A file on the disk, open for reading. A pipe, a device or a folder is refused before anything is read of it.
private struct RegularFile: ~Copyable {
  private let path: String
  private let descriptor: Int32
  let size: Int

  init(path: String) throws(TensorFileError) {
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw TensorFileError(path: path, "cannot be read: \(String(cString: strerror(errno)))")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw TensorFileError(path: path, "is not a regular file, but a folder, a pipe or a device")
    }
    (self.path, self.descriptor, size) = (path, descriptor, Int(status.st_size))
  }

  deinit { close(descriptor) }

  /// `count` numbers from a byte of the file on, as they stand there.
  func numbers<T: BitwiseCopyable>(
    _ type: T.Type, at offset: Int, count: Int
  ) throws(TensorFileError) -> [T] {
    let wanted = count * MemoryLayout<T>.stride
    var failure: String?
    let numbers = [T](unsafeUninitializedCapacity: count) { buffer, initialized in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      var done = 0
      while done < wanted {
        let read = pread(
          descriptor, bytes.baseAddress.map { $0 + done }, wanted - done, off_t(offset + done))
        if read < 0 && errno == EINTR { continue }
        guard read > 0 else {
          failure = read < 0 ? String(cString: strerror(errno)) : "it became shorter meanwhile"
          return
        }
        done += read
      }
      initialized = count
    }
    if let failure { throw TensorFileError(path: path, "cannot be read: \(failure)") }
    return numbers
  }
}
