// SPDX-License-Identifier: Apache-2.0
// TensorFiles: named arrays with metadata <-> .safetensors files, which Python's safetensors reads.
// Format: 8 bytes little-endian header length N, N bytes of JSON {name: {dtype, shape, data_offsets},
// "__metadata__": {string: string}}, then the data. Only F64 is written; F64 and F32 are read
// (SafetensorsReader). What numbers a file of BAGEL's own may hold is said by its table (TensorTable). Own code
// (no Swift library exists); the format is that one paragraph.

import Faults
import Foundation
import SafeText

/// A dense array in a file.
package struct Tensor: Hashable, Sendable {
  package var shape: [Int]
  /// Row-major.
  package var values: [Double]

  package init(shape: [Int], values: [Double]) {
    precondition(
      shape.reduce(1, *) == values.count, "\(values.count) values for shape \(shape)")
    self.shape = shape
    self.values = values
  }

  package init(_ values: [Double]) { self.init(shape: [values.count], values: values) }
}

/// Why a file is not what was expected.
package struct TensorFileError: Fault {
  package let path: String
  package let problem: String
  /// Whether the file could not be written (rather than read).
  package let isWriting: Bool
  package let remedy: Remedy?
  package var origin: FaultOrigin { isWriting ? .surroundings : .input }

  package init(path: String, _ problem: String, isWriting: Bool = false, remedy: Remedy? = nil) {
    self.path = path
    self.problem = problem
    self.isWriting = isWriting
    self.remedy = remedy
  }
  /// One line of at most `longestMessage` characters, whatever stands in the file.
  package var statement: String {
    shortenedInside("\(shortenedPath(path)): \(problem)", to: longestMessage)
  }
}

/// The contents of a .safetensors file.
package struct TensorFile: Sendable {
  package var tensors: [String: Tensor]
  package var metadata: [String: String]

  package init(tensors: [String: Tensor], metadata: [String: String]) {
    self.tensors = tensors
    self.metadata = metadata
  }

  /// Writes by rename, so that a reader never sees half a file. Throws: `TensorFileError`.
  package func write(to path: String) throws(TensorFileError) {
    do {
      try serialized().write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw TensorFileError(
        path: path, "cannot be written: \(systemReason(error))", isWriting: true)
    }
  }

  /// The file's bytes.
  ///
  /// - Parameter hasChecksum: false for bytes that are no file: a fingerprint is of what a file says, not of how.
  /// - Throws: Foundation's error where the header cannot become JSON.
  package func serialized(hasChecksum: Bool = true) throws -> Data {
    let words = hasChecksum ? metadata.merging([Checksum.key: Checksum.blank]) { $1 } : metadata
    var header: [String: Any] = ["__metadata__": words]
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
    if hasChecksum {
      let digits = Checksum.digits(of: Checksum.sum(data, from: Checksum.sum(json)))
      json = Checksum.replacing(Checksum.blank, with: digits, in: json) ?? json
    }
    var file = Data()
    withUnsafeBytes(of: UInt64(json.count).littleEndian) { file.append(contentsOf: $0) }
    file.append(json)
    file.append(data)
    return file
  }

  /// Refuses a file of another kind or of another version's format, with both names.
  ///
  /// - Parameters:
  ///   - wanted: the format's name and version, "bagel-model-5".
  ///   - path: of the file, for the message.
  ///   - remedy: what makes a new file.
  /// - Throws: `TensorFileError`.
  package func checkFormat(
    _ wanted: String, path: String, remedy: Remedy
  ) throws(TensorFileError) {
    guard let found = metadata["format"] else {
      throw TensorFileError(
        path: path, "is not a file of bagel: its header has no format; \(wanted) is expected")
    }
    if found == wanted { return }
    // "bagel-model-5" is a model.
    func kind(_ format: String) -> String? {
      format.wholeMatch(of: #/bagel-([a-z]+)-[0-9]+/#).map { String($0.output.1) }
    }
    if let other = kind(found), let own = kind(wanted), other != own {
      throw TensorFileError(path: path, "is a \(other) (\(found)); a \(own) is expected")
    }
    throw TensorFileError(
      path: path,
      "has the format \(found.prefix(60)), but this version of bagel reads \(wanted)",
      remedy: kind(found) == nil ? nil : remedy)
  }
}

/// The system's reason for an error number of its own.
///
/// - Parameter errorNumber: errno.
package func systemReason(_ errorNumber: Int32) -> String { String(cString: strerror(errorNumber)) }

/// The system's reason for a file error of Foundation's, whose own words are longer and say less.
package func systemReason(_ error: any Error) -> String {
  let cocoa = error as NSError
  if cocoa.domain == NSPOSIXErrorDomain { return systemReason(Int32(cocoa.code)) }
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
