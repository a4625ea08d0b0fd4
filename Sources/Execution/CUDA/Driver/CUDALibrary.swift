// SPDX-License-Identifier: Apache-2.0
// Where NVIDIA's two libraries are found at run time, and how their functions are called. Nothing of CUDA is
// needed to build: both are opened with dlopen, and a machine without them just has no such device.

import Foundation

/// A shared library opened at run time.
final class DynamicLibrary: @unchecked Sendable {
  let path: String
  private let handle: UnsafeMutableRawPointer

  /// The first of the candidates that can be opened.
  ///
  /// - Throws: what `missing` makes of the candidates, with the reason beside those that exist and cannot be opened.
  init(firstOf candidates: [String], missing: ([String]) -> ExecutionError) throws {
    var reasons: [String] = []
    for path in candidates {
      if let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) {
        self.path = path
        self.handle = handle
        return
      }
      let reason = dlerror().map { String(cString: $0) } ?? "cannot be opened"
      let isThere = FileManager.default.fileExists(atPath: path)
      reasons.append(isThere ? "\(path) (\(reason))" : path)
    }
    throw missing(reasons)
  }

  /// Throws: `ExecutionError.loading` where the library has no such function.
  func function<F>(_ name: String, as type: F.Type = F.self) throws -> F {
    guard let address = dlsym(handle, name) else {
      throw ExecutionError.loading(path: path, reason: "it has no function \(name)")
    }
    return unsafeBitCast(address, to: type)
  }
}

/// Candidates for the paths of NVIDIA's libraries.
public enum CUDALibraryPaths {
  /// The driver: BAGEL_CUDA_DRIVER, else the system's.
  public static var driver: [String] {
    if let named = named("BAGEL_CUDA_DRIVER") { return [named] }
    return [
      "libcuda.so.1", "libcuda.so", "/usr/lib/wsl/lib/libcuda.so.1",
      "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/local/nvidia/lib/libcuda.so.1",
    ]
  }

  /// The run-time compiler: BAGEL_NVRTC, else the system's, a CUDA toolkit's, or that of a Python environment
  /// (package nvidia-cuda-nvrtc).
  public static var runtimeCompiler: [String] {
    let environment = ProcessInfo.processInfo.environment
    if let named = named("BAGEL_NVRTC") { return [named] }
    let names = ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"]
    let toolkits = [environment["CUDA_HOME"], environment["CUDA_PATH"], "/usr/local/cuda"]
      .compactMap { $0 }.map { $0 + "/lib64" }
    let folders = toolkits + pythonFolders(environment)
    return names
      + folders.flatMap { folder in names.map { "\(folder)/\($0)" } }
      .filter { FileManager.default.fileExists(atPath: $0) }
  }

  /// An environment variable that is set to something.
  private static func named(_ variable: String) -> String? {
    let value = ProcessInfo.processInfo.environment[variable]
    return value == "" ? nil : value
  }

  /// lib/python3.X/site-packages/nvidia/*/lib of active environments, of the user and of the python3 on PATH.
  private static func pythonFolders(_ environment: [String: String]) -> [String] {
    let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let besidePython = path.filter { FileManager.default.isExecutableFile(atPath: $0 + "/python3") }
      .map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
    let user = environment["HOME"].map { $0 + "/.local" }
    let prefixes = [environment["VIRTUAL_ENV"], environment["CONDA_PREFIX"], user].compactMap { $0 }
    func children(_ folder: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        .map { "\(folder)/\($0)" }
    }
    return (prefixes + besidePython).flatMap { prefix in
      children(prefix + "/lib").filter { $0.contains("/python3") }.flatMap { python in
        ["site-packages", "dist-packages"].flatMap { children("\(python)/\($0)/nvidia") }
          .map { $0 + "/lib" }
      }
    }
  }
}
