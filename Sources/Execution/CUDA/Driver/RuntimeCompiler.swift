// SPDX-License-Identifier: Apache-2.0
// NVRTC, NVIDIA's run-time compiler: emitted text -> machine code for one architecture. It needs no GPU and no
// driver, so emitted kernels are compiled in tests on any Linux machine that has the library.

import Foundation

/// An opened NVRTC, which may be called from several threads.
package final class RuntimeCompiler: Sendable {
  package let path: String
  /// Such as "13.2".
  package let version: String
  /// Compute capabilities it compiles for, ascending: 75, 80, ...
  package let architectures: [Int]

  private let library: DynamicLibrary
  private let calls: Calls

  /// Beside the architecture. Part of every cache key.
  static let options = ["--std=c++17", "--ptxas-options=-v", "--disable-warnings"]

  /// - Throws: `ExecutionError.noRuntimeCompiler`.
  package init(libraries: [String] = CUDALibraryPaths.runtimeCompiler) throws {
    library = try DynamicLibrary(firstOf: libraries) { .noRuntimeCompiler(searched: $0) }
    path = library.path
    calls = try Calls(library)
    var (major, minor, count): (Int32, Int32, Int32) = (0, 0, 0)
    _ = calls.version(&major, &minor)
    version = "\(major).\(minor)"
    _ = calls.architectureCount(&count)
    var list = [Int32](repeating: 0, count: Int(max(count, 1)))
    _ = calls.architectures(&list)
    architectures = list.map(Int.init).sorted()
  }

  /// The option for a GPU: its own architecture, or the nearest older one as PTX that the driver translates.
  package func target(for architecture: Int) -> String {
    if architectures.contains(architecture) { return "sm_\(architecture)" }
    return "compute_\(architectures.last { $0 < architecture } ?? architecture)"
  }

  /// Machine code of `source` for a target such as "sm_90", or PTX for one such as "compute_90".
  ///
  /// - Throws: `ExecutionError.deviceCompilation` with the log and the lines around its first error.
  package func compile(_ source: String, target: String) throws -> (code: Data, log: String) {
    var program: OpaquePointer?
    try check("nvrtcCreateProgram", calls.create(&program, source, "kernel.cu", 0, nil, nil))
    defer { _ = calls.destroy(&program) }
    let options = Self.options + ["--gpu-architecture=\(target)"]
    let strings = options.map { strdup($0) }
    defer { strings.forEach { free($0) } }
    var pointers = strings.map { UnsafePointer<CChar>($0) }
    let code = calls.compile(program, Int32(pointers.count), &pointers)
    let log = text(program, size: calls.logSize, read: calls.log)
    guard code == 0 else {
      throw ExecutionError.deviceCompilation(
        log: log, lines: Self.excerpt(source, log),
        compiler: "NVRTC \(version) (\(path)), \(target)")
    }
    let isMachineCode = target.hasPrefix("sm_")
    let call = isMachineCode ? "nvrtcGetCUBIN" : "nvrtcGetPTX"
    var size = 0
    try check(call + "Size", (isMachineCode ? calls.codeSize : calls.ptxSize)(program, &size))
    var bytes = [CChar](repeating: 0, count: size)
    try check(call, (isMachineCode ? calls.code : calls.ptx)(program, &bytes))
    return (bytes.withUnsafeBytes { Data($0) }, log)
  }

  private typealias Size = @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int>) -> Int32
  private typealias Read = @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>) -> Int32

  private func text(_ program: OpaquePointer?, size: Size, read: Read) -> String {
    var count = 0
    guard size(program, &count) == 0, count > 1 else { return "" }
    var bytes = [CChar](repeating: 0, count: count)
    _ = read(program, &bytes)
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func check(_ call: String, _ code: Int32) throws {
    guard code == 0 else {
      throw ExecutionError.deviceCompilation(
        log: "\(call) failed: \(String(cString: calls.errorText(code)))", lines: "",
        compiler: "NVRTC \(version) (\(path))")
    }
  }

  /// The numbered lines of the text around the log's first error "kernel.cu(LINE): error".
  package static func excerpt(_ source: String, _ log: String) -> String {
    guard let entry = log.split(separator: "\n").first(where: { $0.contains("): error") }),
      let mark = entry.range(of: "kernel.cu("),
      let line = Int(entry[mark.upperBound...].prefix { $0.isNumber })
    else { return "" }
    let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    return (max(line - 4, 1)...min(line + 3, max(lines.count, line - 4, 1))).filter {
      $0 <= lines.count
    }
    .map { "\($0 == line ? ">" : " ") \($0) | \(lines[$0 - 1])" }.joined(separator: "\n")
  }

  private struct Calls {
    typealias Number = UnsafeMutablePointer<Int32>
    let version: @convention(c) (Number, Number) -> Int32
    let architectureCount: @convention(c) (Number) -> Int32
    let architectures: @convention(c) (Number) -> Int32
    let create:
      @convention(c) (
        UnsafeMutablePointer<OpaquePointer?>, UnsafePointer<CChar>, UnsafePointer<CChar>, Int32,
        UnsafeRawPointer?, UnsafeRawPointer?
      ) -> Int32
    let destroy: @convention(c) (UnsafeMutablePointer<OpaquePointer?>) -> Int32
    let compile:
      @convention(c) (OpaquePointer?, Int32, UnsafeMutablePointer<UnsafePointer<CChar>?>) -> Int32
    let logSize: Size
    let log: Read
    let codeSize: Size
    let code: Read
    let ptxSize: Size
    let ptx: Read
    let errorText: @convention(c) (Int32) -> UnsafePointer<CChar>

    init(_ library: DynamicLibrary) throws {
      version = try library.function("nvrtcVersion")
      architectureCount = try library.function("nvrtcGetNumSupportedArchs")
      architectures = try library.function("nvrtcGetSupportedArchs")
      create = try library.function("nvrtcCreateProgram")
      destroy = try library.function("nvrtcDestroyProgram")
      compile = try library.function("nvrtcCompileProgram")
      logSize = try library.function("nvrtcGetProgramLogSize")
      log = try library.function("nvrtcGetProgramLog")
      codeSize = try library.function("nvrtcGetCUBINSize")
      code = try library.function("nvrtcGetCUBIN")
      ptxSize = try library.function("nvrtcGetPTXSize")
      ptx = try library.function("nvrtcGetPTX")
      errorText = try library.function("nvrtcGetErrorString")
    }
  }
}
