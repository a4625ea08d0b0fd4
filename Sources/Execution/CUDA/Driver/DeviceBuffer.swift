// SPDX-License-Identifier: Apache-2.0
// Memory on a GPU, owned by an object.

/// Memory on a GPU, freed with the object.
final class DeviceBuffer {
  let device: CUDADevice
  let address: UInt64
  let bytes: Int

  /// Uninitialised.
  init(_ device: CUDADevice, bytes: Int) throws {
    self.device = device
    self.bytes = bytes
    address = try device.allocate(max(bytes, 16))
  }

  convenience init<Element>(_ device: CUDADevice, _ values: [Element]) throws {
    try self.init(device, bytes: values.count * MemoryLayout<Element>.stride)
    try write(values)
  }

  deinit { device.release(address) }

  func write<Element>(_ values: [Element]) throws {
    try values.withUnsafeBytes { try device.copy($0, to: address) }
  }

  /// The first `count` elements.
  func read<Element>(_ count: Int, of zero: Element) throws -> [Element] {
    var values = [Element](repeating: zero, count: count)
    try values.withUnsafeMutableBytes { try device.copy(from: address, to: $0) }
    return values
  }
}
