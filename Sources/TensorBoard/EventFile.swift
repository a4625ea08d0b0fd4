// SPDX-License-Identifier: Apache-2.0
// TensorBoard: scalars over iterations -> an event file that TensorBoard shows while it grows. In: (tag, step, value).
// A file is a sequence of records (TFRecord):
//
//   length (8 bytes, little endian) | masked CRC-32C of those | Event (protobuf) | masked CRC-32C of it
//   masked(c) = rotate right(c, 15) + 0xa282ead8
//
// Messages are swift-protobuf's, made from Protobuf/tensorboard.proto.

import Foundation

/// Writes an event file.
package final class EventFile {
  package let path: String
  private let handle: FileHandle

  /// Begins a file in a folder, which is made. Throws: Foundation's file errors.
  package init(folder: String) throws {
    let now = Date().timeIntervalSince1970
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    path = "\(folder)/events.out.tfevents.\(Int(now)).\(ProcessInfo.processInfo.processIdentifier)"
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
    var event = Tensorboard_Event()
    (event.wallTime, event.fileVersion) = (now, "brain.Event:2")
    try write(event)
  }

  deinit { try? handle.close() }

  /// Adds the scalars of a step.
  ///
  /// - Parameters:
  ///   - scalars: names and values.
  ///   - step: along the horizontal axis.
  ///   - time: seconds since 1970; nil for now.
  /// - Throws: Foundation's file errors.
  package func add(_ scalars: [(tag: String, value: Double)], step: Int, time: Double? = nil) throws
  {
    var event = Tensorboard_Event()
    event.wallTime = time ?? Date().timeIntervalSince1970
    event.step = Int64(step)
    event.summary.value = scalars.map { tag, number in
      var value = Tensorboard_Summary.Value()
      (value.tag, value.simpleValue) = (tag, Float(number))
      return value
    }
    try write(event)
  }

  private func write(_ event: Tensorboard_Event) throws {
    let data = [UInt8](try event.serializedData())
    let length = bytes(UInt64(data.count))
    try handle.write(
      contentsOf: Data(length + bytes(masked(crc32c(length))) + data + bytes(masked(crc32c(data)))))
  }

  private func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  private func masked(_ crc: UInt32) -> UInt32 { (crc >> 15 | crc << 17) &+ 0xa282_ead8 }
}

/// Castagnoli's cyclic redundancy check (polynomial 0x1EDC6F41, reflected), as TFRecord wants it.
func crc32c(_ bytes: [UInt8]) -> UInt32 {
  var crc = ~UInt32(0)
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82f6_3b78 }
  }
  return ~crc
}
