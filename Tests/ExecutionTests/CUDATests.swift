// SPDX-License-Identifier: Apache-2.0
// CUDA kernels without a GPU: run by the emulated one under every layout, compiled by NVRTC where it is
// installed, and what failures of the driver become.

import Execution
import ExecutorChecks
import Foundation
import Programs
import TestSupport
import Testing

/// A fixture under a layout that suits it.
struct LaidOutFixture: CustomTestStringConvertible, Sendable {
  let fixture: RolloutFixture
  let schedule: CUDASchedule
  var testDescription: String { "\(fixture), \(schedule)" }

  /// Every fixture under every layout; where tests are not thorough every layout of the first and one of each other, so that
  /// each layout and each fixture is among them.
  static let all = RolloutFixture.all.enumerated().flatMap { index, fixture in
    let suiting = CUDASchedule.all.filter { $0.suits(fixture.program) }
    let taken =
      isThorough || index == 0 ? suiting : [suiting[index % suiting.count]]
    return taken.map { LaidOutFixture(fixture: fixture, schedule: $0) }
  }
}

@Suite("CUDA")
struct CUDATests {
  @Test("agrees with the interpreter", arguments: LaidOutFixture.all)
  func agreement(_ laidOut: LaidOutFixture) throws {
    let fixture = laidOut.fixture
    let executor = try EmulatedGPU.executor(
      fixture.program, data: fixture.data, schedule: laidOut.schedule)
    let checks = try ExecutorCheck.all(fixture, executor, particles: 13, horizon: 5)
    for check in checks { #expect(check.passes, "\(check)") }
  }

  @Test("a weighted sum and a wide policy at once, laid out by size")
  func weightedWide() throws {
    let fixture = RolloutFixture.weightedWide
    let schedule = CUDASchedule(for: fixture.program, particles: 1_000, multiprocessors: 132)
    #expect(schedule == CUDASchedule(lanes: 32, particlesPerLane: 4, warps: 8))
    let executor = try EmulatedGPU.executor(
      fixture.program, data: fixture.data, schedule: schedule)
    let checks = try ExecutorCheck.all(fixture, executor, particles: 5, horizon: 3)
    for check in checks { #expect(check.passes, "\(check)") }
  }

  @Test(
    "the GPU of this machine agrees with the interpreter",
    .enabled(if: (try? CUDASystem.first()) != nil, "no GPU here"), arguments: LaidOutFixture.all)
  func realGPU(_ laidOut: LaidOutFixture) throws {
    let (fixture, gpu) = (laidOut.fixture, try CUDASystem.first())
    let executor = try CUDAExecutor(
      fixture.program, data: fixture.data, device: gpu.device, compiler: gpu.compiler,
      schedule: laidOut.schedule)
    let checks = try ExecutorCheck.all(fixture, executor)
    for check in checks { #expect(check.passes, "\(check)") }
  }

  @Test(
    "steps that are run again give the same bits as steps that are kept",
    arguments: [(RolloutFixture.tabulated, 1), (.everyOperation, 4), (.weighted, 32)]
      + (isThorough
        ? [
          (.tabulated, 4), (.tabulated, 32), (.everyOperation, 1), (.everyOperation, 32),
          (.weighted, 1), (.weighted, 4),
        ] : []))
  func checkpoints(fixture: RolloutFixture, lanes: Int) throws {
    let batch = fixture.batch(particles: 11, horizon: 13)
    func executor(_ tape: TapePolicy, _ budget: Int) throws -> CUDAExecutor {
      try EmulatedGPU.executor(
        fixture.program, data: fixture.data, schedule: CUDASchedule(lanes: lanes), tape: tape,
        tapeBudget: budget)
    }
    let (kept, again) = (try executor(.expensiveValues, 1 << 30), try executor(.expensiveValues, 1))
    let expected = try kept.gradient(batch)
    let found = try again.gradient(batch)
    #expect(kept.plan?.segment == 13)
    let segment = try #require(again.plan?.segment)
    #expect(segment >= 1 && segment < 13)
    #expect(found.gradient == expected.gradient)
    #expect(found.returns.returns == expected.returns.returns)
    // Where the tape is the state alone, everything is computed again.
    let plain = try executor(.inputsOnly, 1).gradient(batch)
    let bound = 13 * 6e-8 * 10 * max(1, expected.gradient.map(abs).max() ?? 0)
    for (a, b) in zip(plain.gradient, expected.gradient) { #expect(abs(a - b) <= bound) }
  }

  @Test("the steps of both devices are those of Tests/References/steps_tabulated.txt")
  func golden() throws {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    let path = tests.appendingPathComponent("References/steps_tabulated.txt")
    let found = KernelSource(RolloutFixture.tabulated.program).sharedText
    let written = try Scratch.kept("steps_tabulated.txt")
    try found.write(toFile: written, atomically: true, encoding: .utf8)
    let expected = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
    #expect(found == expected, "if the change is meant: cp \(written) \(path.path)")
    let program = RolloutFixture.tabulated.program
    for target in [KernelTarget.host()] + CUDASchedule.all.map(KernelTarget.cuda) {
      #expect(KernelSource(program, target: target).text.contains(expected))
    }
  }

  @Test("memory stays within its budget by running steps again, and the plan says so")
  func memory() throws {
    let source = KernelSource(
      RolloutFixture.tabulated.program, target: .cuda(CUDASchedule(lanes: 2)))
    let plan = CUDAMemoryPlan(
      source, CUDASchedule(lanes: 2), rollout: RolloutFixture.tabulated.program,
      particles: 10_000, horizon: 1_000, multiprocessors: 132, budget: 128 << 20)
    // B (H / K S + K KEPT) of the plan's head, twice it for all that is small, and far from the 1.5 GB of all steps.
    let kept = 4 * 10_000 * (1_000 / plan.segment * 2 + plan.segment * 52)
    #expect(plan.bytes > kept / 2 && plan.bytes < 2 * kept, "\(plan.bytes) bytes, about \(kept)")
    #expect(plan.description.contains("1 state in \(plan.segment) kept"))
    let small = CUDAMemoryPlan(
      source, CUDASchedule(lanes: 32), rollout: RolloutFixture.tabulated.program, particles: 100,
      horizon: 300, multiprocessors: 132, budget: 128 << 20)
    #expect(small.segment == 300 && small.blocks == 100 && small.threads == 32)
  }

  @Test("layouts by the number of particles")
  func layouts() {
    func layout(_ fixture: RolloutFixture, _ particles: Int) -> CUDASchedule {
      CUDASchedule(for: fixture.program, particles: particles, multiprocessors: 132)
    }
    #expect(layout(.tabulated, 1) == CUDASchedule(lanes: 32))
    #expect(layout(.tabulated, 100) == CUDASchedule(lanes: 32))
    #expect(layout(.tabulated, 100_000) == CUDASchedule(lanes: 1))
    #expect(layout(.wide, 100) == CUDASchedule(lanes: 32))
    #expect(layout(.wide, 10_000) == CUDASchedule(lanes: 32, particlesPerLane: 4))
    #expect(
      layout(.weighted, 1_000) == CUDASchedule(lanes: 32, particlesPerLane: 8, warps: 8))
  }
}

/// Failures of the driver, by the emulated GPU's `emulated_cuda_fail`.
@Suite("CUDA failures")
struct CUDAFailureTests {
  /// Makes every `call` of a library fail from now on.
  private func fail(_ library: String, _ call: String, _ code: Int32) throws {
    let handle = try #require(dlopen(library, RTLD_NOW))
    let symbol = try #require(dlsym(handle, "emulated_cuda_fail"))
    typealias Fail = @convention(c) (UnsafePointer<CChar>, Int32) -> Void
    unsafeBitCast(symbol, to: Fail.self)(call, code)
  }

  private func executor(
    _ fixture: RolloutFixture = .tabulated
  ) throws -> (executor: CUDAExecutor, library: String) {
    let gpu = try EmulatedGPU.open()
    let executor = try CUDAExecutor(
      fixture.program, data: fixture.data, device: gpu.device, compiler: gpu.compiler,
      schedule: CUDASchedule(lanes: 4), cache: EmulatedGPU.cache)
    return (executor, gpu.library)
  }

  /// Runs and returns the message of the failure it must end in.
  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no failure"
    } catch {
      return "\(error)"
    }
  }

  @Test("no driver library: where it was looked for, and what to do")
  func noDriver() {
    let text = message { _ = try CUDADevice(libraries: ["/nonexistent/libcuda.so.1"]) }
    #expect(text.contains("/nonexistent/libcuda.so.1") && text.contains("use the device host"))
    let compiler = message { _ = try RuntimeCompiler(libraries: ["/nonexistent/libnvrtc.so"]) }
    #expect(compiler.contains("nvidia-cuda-nvrtc") && compiler.contains("BAGEL_NVRTC"))
  }

  @Test("a driver without a GPU, and a driver that does not fit")
  func noDevice() throws {
    for (code, words) in [(Int32(100), "reports no such GPU"), (803, "restart the machine")] {
      let library = try EmulatedGPU.ownLibrary()
      try fail(library, "cuInit", code)
      let text = message { _ = try CUDADevice(libraries: [library]) }
      #expect(text.contains(words) && text.contains("cuInit"), "\(text)")
    }
    let library = try EmulatedGPU.ownLibrary()
    let text = message { _ = try CUDADevice(3, libraries: [library]) }
    #expect(text.contains("GPU 3 of 1"), "\(text)")
  }

  @Test("memory that runs out: how much was wanted and how much is free; the executor lives on")
  func outOfMemory() throws {
    let (executor, library) = try executor()
    let batch = RolloutFixture.tabulated.batch(particles: 5, horizon: 3)
    try fail(library, "cuMemAlloc_v2", 2)
    let text = message { _ = try executor.gradient(batch) }
    #expect(text.contains("CUDA_ERROR_OUT_OF_MEMORY") && text.contains("that are free"), "\(text)")
    try fail(library, "", 0)
    #expect(try executor.gradient(batch).returns.returns.count == 5)
  }

  @Test("a launch that fails, at once or later")
  func launch() throws {
    for call in ["cuLaunchKernel", "cuStreamSynchronize"] {
      let (executor, library) = try executor()
      let batch = RolloutFixture.tabulated.batch(particles: 5, horizon: 3)
      _ = try executor.returns(batch)
      try fail(library, call, 719)
      let text = message { _ = try executor.gradient(batch) }
      #expect(text.contains("CUDA_ERROR_LAUNCH_FAILED") && text.contains("emulated GPU"), "\(text)")
    }
  }

  @Test("a driver too old for the compiler's code")
  func oldDriver() throws {
    let (executor, library) = try executor()
    try fail(library, "cuModuleLoadData", 222)
    let text = message {
      _ = try executor.returns(RolloutFixture.tabulated.batch(particles: 5, horizon: 3))
    }
    #expect(text.contains("too old") && text.contains("BAGEL_NVRTC"), "\(text)")
  }

  @Test("text that does not compile: the compiler's words and the lines around the error")
  func compilation() throws {
    let gpu = try EmulatedGPU.open()
    let source = "// one\n// two\nint broken = ;\n// four\n"
    let text = message { _ = try gpu.compiler.compile(source, target: "sm_90") }
    #expect(text.contains("bug in BAGEL") && text.contains("NVRTC 13.0"), "\(text)")
  }

  @Test("the lines around an error are numbered, warnings before it passed over")
  func excerpt() {
    let source = "// one\n// two\nint broken = ;\n// four\n"
    let log = "kernel.cu(1): warning #1: a word\nkernel.cu(3): error: expected an expression\n"
    let lines = RuntimeCompiler.excerpt(source, log)
    #expect(lines.contains("> 3 | int broken = ;") && lines.contains("  2 | // two"), "\(lines)")
  }

  @Test("a layer too wide for shared memory is refused by name")
  func tooWide() throws {
    let gpu = try EmulatedGPU.open()
    let program = RolloutFixture.network(hidden: [4_000, 8])
    let executor = try CUDAExecutor(
      program.program, data: program.data, device: gpu.device, compiler: gpu.compiler,
      cache: EmulatedGPU.cache)
    let text = message { _ = try executor.returns(program.batch(particles: 2, horizon: 1)) }
    #expect(text.contains("a layer of 4000 neurons"), "\(text)")
  }
}

/// Machine code by the real NVRTC; skipped, and said so, where it is not installed.
@Suite("NVRTC", .enabled(if: (try? RuntimeCompiler()) != nil, "NVRTC is not installed"))
struct RuntimeCompilerTests {
  @Test("every kernel compiles for sm_80 and sm_90", arguments: LaidOutFixture.all.indices)
  func compiles(_ index: Int) throws {
    let laidOut = LaidOutFixture.all[index]
    let compiler = try RuntimeCompiler()
    let text = KernelSource(laidOut.fixture.program, target: .cuda(laidOut.schedule)).text
    let targets = ["sm_80", "sm_90"]
    for target in isThorough ? targets : [targets[index % 2]] {
      let (code, log) = try compiler.compile(text, target: target)
      #expect(code.count > 1_000 && !log.contains("error"), "\(log)")
    }
  }

  @Test(
    "the layouts chosen by size compile",
    arguments: [
      (RolloutFixture.tabulated, 100), (.weighted, 10_000), (.wide, 100), (.wide, 10_000),
      (.weightedWide, 10_000), (.pathwise, 100),
    ]
      + (isThorough
        ? [(.tabulated, 10_000), (.weighted, 100), (.weightedWide, 100), (.pathwise, 10_000)] : [])
  )
  func chosen(fixture: RolloutFixture, particles: Int) throws {
    let schedule = CUDASchedule(for: fixture.program, particles: particles, multiprocessors: 132)
    let text = KernelSource(fixture.program, target: .cuda(schedule)).text
    #expect(try RuntimeCompiler().compile(text, target: "sm_90").code.count > 1_000)
  }

  @Test(
    "the kernel of Experiment 1 keeps everything in registers",
    arguments: isThorough ? [1, 8, 32] : [8])
  func registers(lanes: Int) throws {
    let compiler = try RuntimeCompiler()
    let source = KernelSource(
      RolloutFixture.tabulated.program, target: .cuda(CUDASchedule(lanes: lanes)))
    let log = try compiler.compile(source.text, target: "sm_90").log
    let spills = log.split(separator: "\n").filter { $0.contains("spill stores") }
    #expect(spills.count == 4, "returns, gradient, sum, ascend: \(log)")
    #expect(spills.allSatisfy { $0.contains(" 0 bytes spill stores") }, "\(spills)")
  }

  @Test("text that does not compile is shown at its line")
  func mistake() throws {
    do {
      _ = try RuntimeCompiler().compile("// one\nint broken = ;\n", target: "sm_90")
      Issue.record("compiled")
    } catch {
      #expect("\(error)".contains("> 2 | int broken = ;"), "\(error)")
    }
  }

  @Test("the kernels that measure a card's ceilings compile")
  func ceilings() throws {
    #expect(try RuntimeCompiler().compile(CUDAPeak.text, target: "sm_90").code.count > 1_000)
  }

  @Test("an unknown GPU gets code for the nearest older one")
  func targets() throws {
    let compiler = try RuntimeCompiler()
    #expect(compiler.target(for: 90) == "sm_90")
    let newest = try #require(compiler.architectures.last)
    #expect(compiler.target(for: newest + 7) == "compute_\(newest)")
  }
}
