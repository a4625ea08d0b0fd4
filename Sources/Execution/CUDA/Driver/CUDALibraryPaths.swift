// SPDX-License-Identifier: Apache-2.0
// Where NVIDIA's two libraries are found at run time. Nothing of CUDA is needed to build: both are opened with
// dlopen, and a machine without them just has no such device.

import Foundation

/// Candidates for the paths of NVIDIA's libraries.
package enum CUDALibraryPaths {
  /// The driver: BAGEL_CUDA_DRIVER, else the system's.
  package static var driver: [String] {
    if let named = named("BAGEL_CUDA_DRIVER") { return [named] }
    return [
      "libcuda.so.1", "libcuda.so", "/usr/lib/wsl/lib/libcuda.so.1",
      "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/local/nvidia/lib/libcuda.so.1",
    ]
  }

  /// The run-time compiler: BAGEL_NVRTC, else the system's, a CUDA toolkit's, or that of a Python environment
  /// (package nvidia-cuda-nvrtc).
  package static var runtimeCompiler: [String] {
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
    let besidePython = ProgramSearch.folders
      .filter { FileManager.default.isExecutableFile(atPath: $0 + "/python3") }
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
