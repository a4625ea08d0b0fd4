// SPDX-License-Identifier: Apache-2.0
// TensorFiles: named arrays with metadata <-> .safetensors files, which Python's safetensors reads.
// Format: 8 bytes little-endian header length N, N bytes of JSON {name: {dtype, shape, data_offsets},
// "__metadata__": {string: string}}, then the data. Only F64 is written; F64 and F32 are read. Own code
// (no Swift library exists); the format is that one paragraph.

import Foundation

/// A dense array in a file.
public struct Tensor: Hashable, Sendable {
  public var shape: [Int]
  /// Row-major.
  public var values: [Double]

  public init(shape: [Int], values: [Double]) {
    precondition(
      shape.reduce(1, *) == values.count, "\(values.count) values for shape \(shape)")
    self.shape = shape
    self.values = values
  }

  public init(_ values: [Double]) { self.init(shape: [values.count], values: values) }
}

/// Why a file is not what was expected.
public struct TensorFileError: Error, CustomStringConvertible {
  public let path: String
  public let problem: String
  /// Whether the file could not be written (rather than read).
  public let isWriting: Bool
  public init(path: String, _ problem: String, isWriting: Bool = false) {
    self.path = path
    self.problem = problem
    self.isWriting = isWriting
  }
  public var description: String { "\(path): \(problem)" }
}

/// The contents of a .safetensors file.
public struct TensorFile: Sendable {
  public var tensors: [String: Tensor]
  public var metadata: [String: String]

  public init(tensors: [String: Tensor], metadata: [String: String]) {
    self.tensors = tensors
    self.metadata = metadata
  }

  /// Writes by rename, so that a reader never sees half a file. Throws: `TensorFileError`.
  public func write(to path: String) throws {
    do {
      try serialized().write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw TensorFileError(
        path: path, "cannot be written: \(systemReason(error))", isWriting: true)
    }
  }

  /// The file's bytes. Throws: Foundation's error where the header cannot become JSON.
  public func serialized() throws -> Data {
    var header: [String: Any] = ["__metadata__": metadata]
    var data = Data()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let start = data.count
      tensor.values.withUnsafeBytes { data.append(contentsOf: $0) }
      header[name] = [
        "dtype": "F64", "shape": tensor.shape, "data_offsets": [start, data.count],
      ]
    }
    var json = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys])
    while json.count % 8 != 0 { json.append(UInt8(ascii: " ")) }
    var file = Data()
    withUnsafeBytes(of: UInt64(json.count).littleEndian) { file.append(contentsOf: $0) }
    file.append(json)
    file.append(data)
    return file
  }

  /// Throws: `TensorFileError` for a missing, damaged or foreign file.
  public init(path: String) throws {
    guard let file = FileManager.default.contents(atPath: path) else {
      throw TensorFileError(path: path, "no such file, or it cannot be read")
    }
    guard file.count >= 8 else { throw TensorFileError(path: path, "is not a safetensors file") }
    let length = file.prefix(8).enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << UInt64(8 * $1.offset)
    }
    guard length <= UInt64(file.count - 8),
      let object = try? JSONSerialization.jsonObject(with: file[8..<8 + Int(length)]),
      let header = object as? [String: Any]
    else { throw TensorFileError(path: path, "is not a safetensors file, or it is cut off") }
    metadata = header["__metadata__"] as? [String: String] ?? [:]
    tensors = [:]
    for (name, entry) in header where name != "__metadata__" {
      guard let entry = entry as? [String: Any], let shape = entry["shape"] as? [Int],
        let offsets = entry["data_offsets"] as? [Int], offsets.count == 2,
        let type = entry["dtype"] as? String, offsets[0] >= 0, offsets[0] <= offsets[1],
        offsets[1] <= file.count - 8 - Int(length), let count = Self.elementCount(shape)
      else { throw TensorFileError(path: path, "tensor '\(name)' is damaged or cut off") }
      let bytes = file[(8 + Int(length) + offsets[0])..<(8 + Int(length) + offsets[1])]
      guard let values = Self.decode(bytes, type), values.count == count else {
        throw TensorFileError(path: path, "tensor '\(name)' has type \(type) and shape \(shape)")
      }
      tensors[name] = Tensor(shape: shape, values: values)
    }
  }

  /// Refuses a file of another kind or of another version's format, with both names.
  ///
  /// - Parameters:
  ///   - wanted: the format's name and version, "bagel-model-4".
  ///   - path: of the file, for the message.
  ///   - advice: what makes a new file.
  /// - Throws: `TensorFileError`.
  public func checkFormat(_ wanted: String, path: String, advice: String) throws {
    guard let found = metadata["format"] else {
      throw TensorFileError(
        path: path, "is not a file of bagel: it names no format, \(wanted) is wanted")
    }
    if found == wanted { return }
    func kind(_ format: String) -> Substring { format.prefix { !$0.isNumber } }
    throw TensorFileError(
      path: path,
      "has the format \(found.prefix(60)), this version of bagel reads \(wanted)"
        + (kind(found) == kind(wanted) ? "; \(advice)" : ""))
  }

  /// The tensor called `name`. Throws: `TensorFileError`.
  public func tensor(_ name: String, path: String) throws -> Tensor {
    guard let tensor = tensors[name] else {
      throw TensorFileError(path: path, "has no tensor '\(name)'; it is not the file expected here")
    }
    return tensor
  }

  /// Product of the dimensions, nil where one is negative or the product overflows.
  private static func elementCount(_ shape: [Int]) -> Int? {
    var product = 1
    for dimension in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
      if dimension < 0 || overflow { return nil }
      product = next
    }
    return product
  }

  private static func decode(_ bytes: Data, _ type: String) -> [Double]? {
    func read<T>(_ type: T.Type) -> [T] {
      let count = bytes.count / MemoryLayout<T>.size
      return [T](unsafeUninitializedCapacity: count) { buffer, initialized in
        _ = bytes.copyBytes(to: UnsafeMutableRawBufferPointer(buffer))
        initialized = count
      }
    }
    switch type {
    case "F64": return read(Double.self)
    case "F32": return read(Float.self).map(Double.init)
    default: return nil
    }
  }
}

/// The system's reason for a file error of Foundation's, whose own words are longer and say less.
public func systemReason(_ error: any Error) -> String {
  let cocoa = error as NSError
  if let posix = cocoa.userInfo[NSUnderlyingErrorKey] as? NSError,
    posix.domain == NSPOSIXErrorDomain
  {
    return String(cString: strerror(Int32(posix.code)))
  }
  switch (error as? CocoaError)?.code {
  case .fileWriteOutOfSpace: return String(cString: strerror(ENOSPC))
  case .fileNoSuchFile, .fileReadNoSuchFile: return String(cString: strerror(ENOENT))
  case .fileWriteNoPermission, .fileReadNoPermission: return String(cString: strerror(EACCES))
  case .fileWriteVolumeReadOnly: return String(cString: strerror(EROFS))
  case .fileWriteFileExists: return String(cString: strerror(EEXIST))
  default: return cocoa.localizedDescription
  }
}
