// SPDX-License-Identifier: Apache-2.0
// A shared library opened at run time: NVIDIA's, by path, or a kernel, from bytes that were checked. A kernel's bytes go into a
// file in memory and are loaded from there, so what is loaded is what was checked, whatever happens on the disk.

import CKernelFiles
import Foundation

/// A shared library, open as long as this object lives.
final class DynamicLibrary: @unchecked Sendable {
  let path: String
  private let handle: UnsafeMutableRawPointer
  /// A kernel is closed in the end; NVIDIA's libraries stay open, they have threads of their own.
  private let isKernel: Bool
  /// Open as long as the library is: dlopen knows libraries by name, and a later file with this number would get this code.
  private let memory: Descriptor?

  /// The first of the candidates that can be opened.
  ///
  /// - Throws: what `missing` makes of the candidates, with the reason beside those that exist and cannot be opened.
  init(firstOf candidates: [String], missing: ([String]) -> ExecutionError) throws {
    var reasons: [String] = []
    for path in candidates {
      if let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) {
        self.path = path
        self.handle = handle
        (isKernel, memory) = (false, nil)
        return
      }
      let isThere = FileManager.default.fileExists(atPath: path)
      reasons.append(isThere ? "\(path) (\(Self.reason))" : path)
    }
    throw missing(reasons)
  }

  /// A kernel of these bytes.
  ///
  /// - Parameter folder: takes the bytes for a moment where they do not load from memory (macOS, Linux before 3.17 or
  ///   without /proc); then they are loaded by path.
  /// - Throws: `ExecutionError.loading`, `ExecutionError.cache`.
  init(kernel code: [UInt8], by folder: TrustedFolder) throws(ExecutionError) {
    isKernel = true
    let memory = code.withUnsafeBytes { Descriptor(kernel_memory_file($0.baseAddress, $0.count)) }
    if let memory {
      let path = "/proc/self/fd/\(memory.number)"
      if let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) {
        (self.path, self.handle, self.memory) = (path, handle, memory)
        return
      }
    }
    self.memory = nil
    let work = try WorkFolder(in: folder)
    defer { work.remove() }
    try work.folder.write(code, to: "kernel.so")
    path = work.folder.path + "/kernel.so"
    guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      throw .loading(path: path, reason: Self.reason)
    }
    self.handle = handle
  }

  deinit {
    guard isKernel else { return }
    dlclose(handle)
    // If the system keeps it nevertheless, its name stays taken.
    if let memory, dlopen(path, RTLD_NOW | RTLD_NOLOAD) != nil {
      _ = Unmanaged.passRetained(memory)
    }
  }

  /// Throws: `ExecutionError.loading` where the library has no such function.
  func function<F>(_ name: String, as type: F.Type = F.self) throws(ExecutionError) -> F {
    guard let address = dlsym(handle, name) else {
      throw .loading(path: path, reason: "it has no function \(name)")
    }
    return unsafeBitCast(address, to: type)
  }

  /// Why the last dlopen failed.
  private static var reason: String { dlerror().map { String(cString: $0) } ?? "cannot be opened" }
}
