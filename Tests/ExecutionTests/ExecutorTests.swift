// SPDX-License-Identifier: Apache-2.0
// One test body over executors: each against the interpreter in double precision, and the properties that
// make results reproducible.

import Execution
import Foundation
import Programs
import Testing

/// What runs besides the interpreter, by name.
private let makers:
  [(
    name: String,
    make: @Sendable (RolloutFixture, TapePolicy) throws -> any RolloutExecutor
  )] = [
    ("host, 1 thread", { try HostExecutor($0.program, data: $0.data, threads: 1, tape: $1) }),
    ("host, 3 threads", { try HostExecutor($0.program, data: $0.data, threads: 3, tape: $1) }),
  ]

private func largest(_ x: [Double]) -> Double { x.map(abs).max() ?? 0 }

private func distance(_ a: [Double], _ b: [Double]) -> Double {
  a.count == b.count ? largest(zip(a, b).map { $0 - $1 }) : .infinity
}

@Suite("executors")
struct ExecutorTests {
  @Test(
    "agree with the interpreter", arguments: RolloutFixture.all,
    [TapePolicy.inputsOnly, .expensiveValues])
  func agreement(fixture: RolloutFixture, tape: TapePolicy) throws {
    let batch = fixture.batch(particles: 21, horizon: 12)
    let reference = InterpreterExecutor(fixture.program, data: fixture.data)
    let expected = reference.gradient(batch)
    let paths = reference.trajectories(batch)
    for maker in makers {
      let executor = try maker.make(fixture, tape)
      let found = try executor.gradient(batch)
      // Rounding enters at each of 12 steps with eps = 6e-8 and grows at most tenfold on the way.
      let eps = 12 * 6e-8 * 10
      #expect(distance(found.returns.returns, expected.returns.returns) < eps * 12, "\(maker.name)")
      #expect(
        distance(found.gradient, expected.gradient) < eps * max(1, largest(expected.gradient)),
        "\(maker.name)")
      let recorded = try executor.trajectories(batch)
      #expect(distance(recorded.states, paths.states) < eps * 3)
      #expect(distance(recorded.actions, paths.actions) < eps * 3)
      #expect(recorded.returns.returns == (try executor.returns(batch).returns))
      #expect(found.returns.outsideFraction == expected.returns.outsideFraction)
      #expect(found.returns.diverged == 0 && found.truncated == 0)
    }
  }

  @Test("the gradient is the derivative of the mean return", arguments: RolloutFixture.all)
  func differences(fixture: RolloutFixture) {
    let executor = InterpreterExecutor(fixture.program, data: fixture.data)
    let batch = fixture.batch(particles: 2, horizon: 6)
    let gradient = executor.gradient(batch).gradient
    let direction = DrawKey(seed: 4).normals(particle: 0, step: 0, count: gradient.count)
    func mean(_ step: Double) -> Double {
      var moved = batch
      moved.parameters = zip(batch.parameters, direction).map { $0 + step * $1 }
      return executor.returns(moved).mean
    }
    let h = 1e-5
    let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    let difference = (mean(h) - mean(-h)) / (2 * h)
    #expect(abs(slope - difference) < 1e-6 * max(1, abs(slope)))
  }

  @Test("any number of threads gives the same bits", arguments: RolloutFixture.all)
  func threads(fixture: RolloutFixture) throws {
    let batch = fixture.batch(particles: 150, horizon: 20)
    let one = try HostExecutor(fixture.program, data: fixture.data, threads: 1).gradient(batch)
    for threads in [2, 5] {
      let many = try HostExecutor(fixture.program, data: fixture.data, threads: threads)
        .gradient(batch)
      #expect(many.gradient == one.gradient)
      #expect(many.returns.returns == one.returns.returns)
    }
  }

  @Test("a particle does not see the others: a batch of B is B batches of 1")
  func batchSplit() throws {
    let fixture = RolloutFixture.tabulated
    let executor = try HostExecutor(fixture.program, data: fixture.data)
    let batch = fixture.batch(particles: 37, horizon: 15)
    let whole = try executor.returns(batch).returns
    // Draws belong to particle numbers, so prefixes are comparable.
    for count in [1, 2, 16, 17, 33] {
      var part = batch
      part.particles = count
      part.initialStates = Array(batch.initialStates.prefix(2 * count))
      part.goals = Array(batch.goals.prefix(2 * count))
      #expect(try executor.returns(part).returns == Array(whole.prefix(count)))
    }
  }

  @Test("diverged particles are frozen and counted, their gradient is finite")
  func divergence() throws {
    let step = ProgramBuilder()
    let state = step.input("state", length: 1)
    let gain = step.shared(RolloutProgram.parameters, length: 1)
    step.output("next", state * gain)
    step.output("reward", state * 0.01)
    step.output("action", gain)
    let initial = ProgramBuilder()
    initial.output("reward", initial.input("state", length: 1) * 0)
    let program = RolloutProgram(
      initial: initial.finish(), step: step.finish(), parameterCount: 1, stateLimit: 100)
    let batch = RolloutBatch(
      parameters: [2], initialStates: [1, 1e-6, 50], goals: [], particles: 3, horizon: 10,
      draws: DrawKey(seed: 1))
    let reference = InterpreterExecutor(program, data: [:]).gradient(batch)
    let host = try HostExecutor(program, data: [:]).gradient(batch)
    #expect(reference.returns.diverged == 2)
    #expect(host.returns.diverged == 2)
    #expect(distance(host.returns.returns, reference.returns.returns) < 1e-5)
    #expect(distance(host.gradient, reference.gradient) < 1e-5 * largest(reference.gradient))
  }

  @Test("an exploding adjoint is cut and counted")
  func explodingAdjoint() throws {
    let step = ProgramBuilder()
    let state = step.input("state", length: 1)
    let gain = step.shared(RolloutProgram.parameters, length: 1)
    step.output("next", sin(50 * state + gain))
    step.output("reward", state)
    step.output("action", gain)
    let initial = ProgramBuilder()
    initial.output("reward", initial.input("state", length: 1) * 0)
    let program = RolloutProgram(
      initial: initial.finish(), step: step.finish(), parameterCount: 1, stateLimit: 100)
    let batch = RolloutBatch(
      parameters: [0.3], initialStates: [0.1, 0.2], goals: [], particles: 2, horizon: 100,
      draws: DrawKey(seed: 1))
    for executor: any RolloutExecutor in [
      InterpreterExecutor(program, data: [:]), try HostExecutor(program, data: [:]),
    ] {
      let result = try executor.gradient(batch)
      #expect(result.truncated == 2)
      #expect(result.gradient.allSatisfy { $0.isFinite })
    }
  }
}
