// SPDX-License-Identifier: Apache-2.0
// One test body over executors: each against the interpreter in double precision, and the properties that
// make results reproducible.

import Draws
import Execution
import ExecutorChecks
import Foundation
import Programs
import TestSupport
import Testing

/// Every executor but the interpreter, by name; a GPU is emulated, with all steps kept and with few, and the real one
/// is among them where there is one.
private func executors(
  _ program: RolloutProgram, data: [String: [Double]]
) throws -> [(name: String, executor: any RolloutExecutor)] {
  var found: [(name: String, executor: any RolloutExecutor)] = [
    ("host", try HostExecutor(program, data: data)),
    (
      "a thread per particle",
      try EmulatedGPU.executor(program, data: data, schedule: CUDASchedule(lanes: 1))
    ),
    (
      "8 lanes per particle, few steps kept",
      try EmulatedGPU.executor(
        program, data: data, schedule: CUDASchedule(lanes: 8), tapeBudget: 1)
    ),
  ]
  if let gpu = try? CUDASystem.first() {
    let executor = try CUDAExecutor(
      program, data: data, device: gpu.device, compiler: gpu.compiler)
    found.append((gpu.device.name, executor))
  }
  return found
}

private func largest(_ x: [Double]) -> Double { ExecutorCheck.largest(x) }

private func distance(_ a: [Double], _ b: [Double]) -> Double { ExecutorCheck.distance(a, b) }

/// A rollout of one state and one parameter, without a reward at the start; states beyond 100 have diverged.
private func scalarRollout(_ step: ProgramBuilder) -> RolloutProgram {
  let initial = ProgramBuilder()
  initial.output(.reward, initial.input(.carry, length: 1) * 0)
  return RolloutProgram(
    initial: initial.finish(), step: step.finish(), parameterCount: 1, stateLimit: 100)
}

@Suite("executors")
struct ExecutorTests {
  @Test(
    "the host agrees with the interpreter", arguments: RolloutFixture.all,
    [TapePolicy.inputsOnly, .expensiveValues])
  func agreement(fixture: RolloutFixture, tape: TapePolicy) throws {
    for threads in [1, 3] {
      let executor = try HostExecutor(
        fixture.program, data: fixture.data, threads: threads, tape: tape)
      let checks = try ExecutorCheck.all(fixture, executor)
      for check in checks { #expect(check.passes, "\(threads) threads: \(check)") }
    }
  }

  @Test("the gradient is the derivative of the weighted mean", arguments: RolloutFixture.all)
  func differences(fixture: RolloutFixture) {
    let executor = InterpreterExecutor(fixture.program, data: fixture.data)
    let batch = fixture.batch(particles: 2, horizon: 6)
    let gradient = executor.gradient(batch).gradient
    let check = DirectionalCheck(gradient, at: batch.parameters) { parameters in
      var moved = batch
      moved.parameters = parameters
      return executor.returns(moved).objective
    }
    #expect(check.error() < 1e-6)
  }

  @Test("any number of threads gives the same bits", arguments: RolloutFixture.all)
  func threads(fixture: RolloutFixture) throws {
    let batch = fixture.batch(particles: 150, horizon: 20)
    let one = try HostExecutor(fixture.program, data: fixture.data, threads: 1).gradient(batch)
    for threads in [2, 5] {
      let many = try HostExecutor(fixture.program, data: fixture.data, threads: threads)
        .gradient(batch)
      #expect(many.gradient == one.gradient)
      #expect(many.returns.totals == one.returns.totals)
    }
  }

  @Test("a diverged particle earns nothing at the end; weights choose what a gradient is of")
  func totals() throws {
    func program(_ write: (ProgramBuilder, Value) -> Void) -> Program {
      let builder = ProgramBuilder()
      write(builder, builder.input(.carry, length: 1))
      return builder.finish()
    }
    let step = program { builder, state in
      let gain = builder.shared(RolloutProgram.parameters, length: 1)
      builder.output(.next, state * gain)
      builder.output(.reward, builder.concatenate([state, gain]))
      builder.output(.action, gain)
    }
    let rollout = RolloutProgram(
      initial: program { $0.output(.reward, $0.concatenate([0 * $1, 1 + 0 * $1])) }, step: step,
      terminal: program { $0.output(.reward, $0.concatenate([10 * $1, 100 + 0 * $1])) },
      totals: ["return", "cost"], parameterCount: 1, stateLimit: 100)
    // 1 -> 2 -> 4 -> 8; 30 -> 60 -> (120: diverged).
    for (name, executor) in try executors(rollout, data: [:]) {
      var batch = RolloutBatch(
        parameters: [2], initialStates: [1, 30], goals: [], particles: 2, horizon: 3,
        draws: DrawKey(seed: 1))
      #expect(try executor.returns(batch).totals == [87, 107, 30, 3], "\(name)")
      // d/dg of (1 + g + g^2 + 10 g^3) and of 30 alone (its second step diverged), over two particles.
      #expect(try executor.gradient(batch).gradient == [(1 + 4 + 120) / 2.0], "\(name)")
      batch.totalWeights = [0, 1]
      #expect(try executor.gradient(batch).gradient == [(3 + 1) / 2.0], "\(name)")
      #expect(try executor.gradient(batch).returns.objective == 55, "\(name)")
      batch.totalWeights = [2, -1]
      #expect(try executor.gradient(batch).gradient == [(250 - 4) / 2.0], "\(name)")
    }
  }

  @Test("a particle does not see the others: a batch of B is B batches of 1")
  func batchSplit() throws {
    let fixture = RolloutFixture.tabulated
    for (name, executor) in try executors(fixture.program, data: fixture.data) {
      let batch = fixture.batch(particles: 37, horizon: 15)
      let whole = try executor.returns(batch).returns
      // Draws belong to particle numbers, so prefixes are comparable.
      for count in [1, 2, 16, 17, 33] {
        var part = batch
        part.particles = count
        part.initialStates = Array(batch.initialStates.prefix(2 * count))
        part.goals = Array(batch.goals.prefix(2 * count))
        #expect(try executor.returns(part).returns == Array(whole.prefix(count)), "\(name)")
      }
    }
  }

  @Test("diverged particles are frozen and counted, their gradient is finite")
  func divergence() throws {
    let step = ProgramBuilder()
    let state = step.input(.carry, length: 1)
    let gain = step.shared(RolloutProgram.parameters, length: 1)
    step.output(.next, state * gain)
    step.output(.reward, state * 0.01)
    step.output(.action, gain)
    let program = scalarRollout(step)
    let batch = RolloutBatch(
      parameters: [2], initialStates: [1, 1e-6, 50], goals: [], particles: 3, horizon: 10,
      draws: DrawKey(seed: 1))
    let reference = InterpreterExecutor(program, data: [:]).gradient(batch)
    #expect(reference.returns.diverged == 2)
    for (name, executor) in try executors(program, data: [:]) {
      let found = try executor.gradient(batch)
      #expect(found.returns.diverged == 2, "\(name)")
      #expect(distance(found.returns.returns, reference.returns.returns) < 1e-5, "\(name)")
      #expect(
        distance(found.gradient, reference.gradient) < 1e-5 * largest(reference.gradient), "\(name)"
      )
    }
  }

  @Test("a root at zero has a gradient of zero, on every executor")
  func rootAtZero() throws {
    let step = ProgramBuilder()
    let state = step.input(.carry, length: 1)
    let next = state + step.shared(RolloutProgram.parameters, length: 1)
    step.output(.next, next)
    step.output(.reward, -sqrt(next * next))
    step.output(.action, next)
    let program = scalarRollout(step)
    let batch = RolloutBatch(
      parameters: [0], initialStates: [0, 2, 5], goals: [], particles: 3, horizon: 4,
      draws: DrawKey(seed: 1))
    let reference = ("interpreter", InterpreterExecutor(program, data: [:]) as any RolloutExecutor)
    for (name, executor) in try executors(program, data: [:]) + [reference] {
      // The first particle stays at the root's corner; of the others' rewards -(s + k theta) each slope is -k, k = 1 ... 4.
      let found = try executor.gradient(batch).gradient
      #expect(abs(found[0] + 20.0 / 3) < 1e-5, "\(name): \(found)")
    }
  }

  @Test("layers whose values do not fit a thread's usual stack run")
  func largeStack() throws {
    let step = ProgramBuilder()
    let width = 4_000
    let theta = step.shared(RolloutProgram.parameters, length: width)
    let state = step.input(.carry, length: 1)
    var hidden = state.broadcast(to: width) + theta
    for _ in 0..<20 { hidden = sin(hidden) }
    step.output(.next, state)
    step.output(.reward, hidden.sum * (1 / Double(width)))
    step.output(.action, state)
    let initial = ProgramBuilder()
    initial.output(.reward, initial.input(.carry, length: 1) * 0)
    let program = RolloutProgram(
      initial: initial.finish(), step: step.finish(), parameterCount: width, stateLimit: 100)
    let host = try HostExecutor(program, data: [:], threads: 2)
    let batch = RolloutBatch(
      parameters: [Double](repeating: 0.5, count: width),
      initialStates: [Double](repeating: 0.25, count: 150), goals: [], particles: 150, horizon: 1,
      draws: DrawKey(seed: 1))
    var expected = 0.75
    for _ in 0..<20 { expected = sin(expected) }
    // Twenty sines in single precision, whose errors do not grow, and a sum of 4,000 in turn.
    #expect(abs(try host.gradient(batch).returns.mean - expected) < 4_020 * 6e-8)
  }

  @Test("an exploding adjoint is cut and counted")
  func explodingAdjoint() throws {
    let step = ProgramBuilder()
    let state = step.input(.carry, length: 1)
    let gain = step.shared(RolloutProgram.parameters, length: 1)
    step.output(.next, sin(50 * state + gain))
    step.output(.reward, state)
    step.output(.action, gain)
    let program = scalarRollout(step)
    let batch = RolloutBatch(
      parameters: [0.3], initialStates: [0.1, 0.2], goals: [], particles: 2, horizon: 100,
      draws: DrawKey(seed: 1))
    let reference = ("interpreter", InterpreterExecutor(program, data: [:]) as any RolloutExecutor)
    for (name, executor) in try executors(program, data: [:]) + [reference] {
      let result = try executor.gradient(batch)
      #expect(result.truncated == 2, "\(name)")
      #expect(result.gradient.allSatisfy { $0.isFinite }, "\(name)")
    }
  }

  @Test(
    "NaN and domain errors stay visible, and do not leak from a frozen particle into the others' gradient"
  )
  func notANumber() throws {
    let step = ProgramBuilder()
    let state = step.input(.carry, length: 1)
    let gain = step.shared(RolloutProgram.parameters, length: 1)
    // log of a negative number for the second particle.
    step.output(.next, log(state) * gain)
    step.output(.reward, state * gain)
    step.output(.action, gain)
    let initial = ProgramBuilder()
    initial.output(.reward, tanh(log(initial.input(.carry, length: 1))))
    let program = RolloutProgram(
      initial: initial.finish(), step: step.finish(), parameterCount: 1, stateLimit: 100)
    let batch = RolloutBatch(
      parameters: [1.5], initialStates: [2, -1, 3], goals: [], particles: 3, horizon: 1,
      draws: DrawKey(seed: 1))
    let expected = InterpreterExecutor(program, data: [:]).gradient(batch)
    for (name, executor) in try executors(program, data: [:]) {
      let found = try executor.gradient(batch)
      #expect(expected.returns.returns[1].isNaN && found.returns.returns[1].isNaN, "\(name)")
      #expect(expected.returns.diverged == 1 && found.returns.diverged == 1, "\(name)")
      #expect(found.gradient[0].isFinite, "\(name)")
      #expect(
        abs(found.gradient[0] - expected.gradient[0]) < 1e-5 * abs(expected.gradient[0]), "\(name)")
      // An ascent sees that the mean return is not a number, says so and stays.
      var ascent = Ascent(
        parameters: [1.5], adam: Adam(count: 1), rate: 0.1, gradientNormLimit: 10)
      let records = try executor.ascend([batch, batch], from: &ascent)
      #expect(records.count == 1 && !records[0].hasMoved && records[0].meanReturn.isNaN, "\(name)")
      #expect(ascent.parameters == [1.5] && ascent.adam.steps == 0, "\(name)")
    }
  }

  @Test(
    "grid functions in 1, 2, 3 and 4 inputs: 6 outputs by both bases, and a variance",
    arguments: [1, 2, 3, 4])
  func gridShapes(inputs: Int) throws {
    let counts = [6, 5, 7, 5].prefix(inputs)
    let step = ProgramBuilder()
    let state = step.input(.carry, length: inputs)
    let theta = step.shared(RolloutProgram.parameters, length: inputs)
    let x = 0.4 * tanh(state + theta)
    let tables = [GridBasis.cubicConvolution, .cubicSpline].map {
      step.apply(
        .interpolation(
          Interpolation(
            table: "table", geometry: "geometry", dimensions: inputs, outputs: 6, basis: $0)), x)
    }
    let variance = step.apply(
      .gridVariance(
        GridVariance(
          root: "root", toeplitz: "toeplitz", geometry: "geometry", dimensions: inputs, rank: 32)),
      x)
    step.output(.next, state)
    step.output(
      .reward,
      dot(step.constant([1, -2, 3, 0.5, -1, 2]), tables[0] - 0.3 * tables[1]) + 0.1 * variance)
    step.output(.action, theta)
    let initial = ProgramBuilder()
    initial.output(.reward, initial.input(.carry, length: inputs).sum * 0)
    let program = RolloutProgram(
      initial: initial.finish(), step: step.finish(), parameterCount: inputs, stateLimit: 100)
    let size = counts.reduce(1, *)
    let geometry: [[Double]] = counts.map { [-0.9, Double($0 - 1) / 1.8, Double($0)] }
    let data: [String: [Double]] = [
      "table": (0..<8 * size).map { sin(0.7 * Double($0)) }, "geometry": geometry.flatMap { $0 },
      "root": (0..<32 * size).map { 0.2 * sin(0.9 * Double($0)) },
      "toeplitz": (0..<4 * inputs).map { cos(0.3 * Double($0 % 4)) },
    ]
    let key = DrawKey(seed: 6)
    let batch = RolloutBatch(
      parameters: key.normals(particle: 0, step: 0, count: inputs),
      initialStates: (0..<20).flatMap { key.normals(particle: $0, step: 1, count: inputs) },
      goals: [], particles: 20, horizon: 2, draws: key)
    let expected = InterpreterExecutor(program, data: data).gradient(batch)
    for (name, executor) in try executors(program, data: data) {
      let found = try executor.gradient(batch)
      #expect(distance(found.returns.returns, expected.returns.returns) < 1e-4, "\(name)")
      #expect(
        distance(found.gradient, expected.gradient) < 1e-4 * max(1, largest(expected.gradient)),
        "\(name)")
      #expect(found.returns.outsideFraction == expected.returns.outsideFraction, "\(name)")
    }
  }

  @Test("function draws belong to their particle at every step, on every executor")
  func functionDraws() throws {
    let step = ProgramBuilder()
    let state = step.input(.carry, length: 1)
    let sum = WeightedSum(
      dimensions: 1, rows: SharedMatrix(array: "rows", rows: 3, columns: 1),
      weights: SharedMatrix(array: RolloutProgram.functionDraw, offset: 1, rows: 3, columns: 1)
    ) { x, row in cos(x * row) }
    let theta = step.shared(RolloutProgram.parameters, length: 1)
    step.output(.next, 0.5 * step.apply(.weightedSum(sum), theta * state))
    step.output(.reward, state * step.shared(RolloutProgram.functionDraw, length: 1))
    step.output(.action, state)
    let program = scalarRollout(step)
    #expect(program.functionLength == 4)
    let key = DrawKey(seed: 6)
    let count = 70
    let batch = RolloutBatch(
      parameters: [0.8], initialStates: key.normals(particle: 0, step: 0, count: count), goals: [],
      particles: count, horizon: 5, draws: key,
      functionDraws: key.normals(particle: 1, step: 0, count: 4 * count))
    let data = ["rows": [0.5, 1.5, -2]]
    let expected = InterpreterExecutor(program, data: data).gradient(batch)
    for (name, executor) in try executors(program, data: data) {
      let found = try executor.gradient(batch)
      #expect(distance(found.returns.returns, expected.returns.returns) < 1e-4, "\(name)")
      #expect(
        distance(found.gradient, expected.gradient) < 1e-4 * max(1, largest(expected.gradient)),
        "\(name)")
    }
  }

  @Test("the chosen device is the host for small work, and where there is no GPU for large")
  func automatic() {
    let program = RolloutFixture.tabulated.program
    let small = ExecutionDevice.chosen(nil, for: program, particles: 100, horizon: 300)
    #expect(small.device == .host && small.reason == nil)
    let large = ExecutionDevice.chosen(
      nil, for: program, particles: 1_000_000, horizon: 300)
    let hasGPU = (try? CUDASystem.first()) != nil
    #expect(large.device == (hasGPU ? .cuda : .host))
    #expect(
      ExecutionDevice.chosen(.interpreter, for: program, particles: 1, horizon: 1).device
        == .interpreter)
  }

  @Test("a function at many points, and again with other data")
  func pointwise() throws {
    let evaluator = try PointwiseEvaluator(inputs: 2, data: ["scale": [2, 3, 4]]) { x in
      x.builder.shared("scale", length: 3) * x.sum
    }
    #expect(try evaluator.values(at: [1, 2, 0.5, 0.25]) == [6, 9, 12, 1.5, 2.25, 3])
    try evaluator.rebind("scale", [1, 0, -1])
    #expect(try evaluator.values(at: [1, 2]) == [3, 0, -3])
    let broken = try PointwiseEvaluator(inputs: 1, data: [:]) { log($0) }
    #expect(try broken.values(at: [1, -1]).allSatisfy(\.isNaN))
  }
}
