// SPDX-License-Identifier: Apache-2.0
// ExecutorChecks: whether an executor computes what the interpreter defines. In: an executor and the fixture it runs.
// Out: errors beside their bounds. Run by the tests for every executor, and by `bagel doctor --check` for the
// devices of a user's machine (DeviceChecks.swift).

import Draws
import Execution

/// One comparison.
package struct ExecutorCheck: Sendable, CustomStringConvertible {
  /// What was compared, on which fixture.
  package var name: String
  package let error: Double
  /// Largest error that rounding explains.
  package let bound: Double
  /// NaN never passes.
  package var passes: Bool { error <= bound }

  package var description: String {
    "\(passes ? "ok  " : "FAIL") \(name): error \(error), bound \(bound)"
  }

  /// Growth of a rounding error through a fixture's closed loop: their parameters are small enough for it.
  private static let growth = 10.0

  /// All comparisons of one fixture: returns, gradient, trajectories, counts, and an ascent of three iterations.
  ///
  /// Bounds: rounding of eps = 6e-8 enters at each of H steps and grows at most tenfold on the way, so a state is within
  /// 10 H eps of 1, the size of the fixtures' states; a return is a sum of H rewards of Lipschitz constant 1 or less;
  /// a gradient's error is relative to its largest component. Counts are the interpreter's.
  package static func all(
    _ fixture: RolloutFixture, _ executor: any RolloutExecutor, particles: Int = 21,
    horizon: Int = 12
  ) throws -> [ExecutorCheck] {
    let batch = fixture.batch(particles: particles, horizon: horizon)
    let reference = InterpreterExecutor(fixture.program, data: fixture.data)
    let expected = reference.gradient(batch)
    let paths = reference.trajectories(batch)
    let found = try executor.gradient(batch)
    let recorded = try executor.trajectories(batch)
    let eps = Double(horizon) * 6e-8 * growth
    func check(_ name: String, _ error: Double, _ bound: Double) -> ExecutorCheck {
      ExecutorCheck(name: "\(fixture): \(name)", error: error, bound: bound)
    }
    // A particle-step whose input lies within rounding of the box's face may fall on either side.
    let oneStep = 1 / Double(particles * horizon)
    let checks = [
      check(
        "returns", distance(found.returns.totals, expected.returns.totals),
        eps * Double(horizon)),
      check(
        "gradient", distance(found.gradient, expected.gradient),
        eps * max(1, largest(expected.gradient))),
      // States reach 3.
      check("states", distance(recorded.states, paths.states), 3 * eps),
      check("actions", distance(recorded.actions, paths.actions), 3 * eps),
      check(
        "returns with and without a record",
        distance(recorded.returns.totals, try executor.returns(batch).totals), 0),
      check(
        "steps outside", abs(found.returns.outsideFraction - expected.returns.outsideFraction),
        oneStep),
      check("diverged", Double(abs(found.returns.diverged - expected.returns.diverged)), 0),
      check("truncated", Double(abs(found.truncated - expected.truncated)), 0),
      check(
        "the same bits twice", distance(try executor.gradient(batch).gradient, found.gradient), 0),
    ]
    return checks + (try ascent(fixture, executor, batch))
  }

  /// Three iterations, each with its own draws, against Adam in Swift on the executor's own gradients: the same bits but
  /// for the rounding of a few operations in double precision.
  private static func ascent(
    _ fixture: RolloutFixture, _ executor: any RolloutExecutor, _ batch: RolloutBatch
  ) throws -> [ExecutorCheck] {
    let batches = (0..<3).map { iteration in
      var next = batch
      next.draws = DrawKey(seed: 5, iteration: UInt32(iteration))
      next.totalWeights = batch.totalWeights.map { $0 / Double(1 << iteration) }
      return next
    }
    // Half the first gradient's length, so that it is shortened.
    let limit = 0.5 * norm(try executor.gradient(batches[0]).gradient)
    var ours = Ascent(
      parameters: batch.parameters, adam: Adam(count: batch.parameters.count), rate: 1e-3,
      gradientNormLimit: limit)
    var theirs = ours
    let records = try executor.ascend(batches, from: &ours)
    var expected: [(mean: Double, norm: Double)] = []
    for var next in batches {
      next.parameters = theirs.parameters
      let result = try executor.gradient(next)
      let length = norm(result.gradient)
      expected.append((result.returns.objective, length))
      let shorten = length > limit ? limit / length : 1
      theirs.adam.ascend(
        &theirs.parameters, gradient: result.gradient.map { $0 * shorten }, rate: theirs.rate)
    }
    func check(_ name: String, _ a: [Double], _ b: [Double]) -> ExecutorCheck {
      ExecutorCheck(
        name: "\(fixture): ascent, \(name)", error: distance(a, b),
        bound: 1e-12 * max(1, largest(b)))
    }
    return [
      check("mean returns", records.map(\.meanReturn), expected.map(\.mean)),
      check("gradient norms", records.map(\.gradientNorm), expected.map(\.norm)),
      check("parameters", ours.parameters, theirs.parameters),
      check("first moment", ours.adam.firstMoment, theirs.adam.firstMoment),
      check("second moment", ours.adam.secondMoment, theirs.adam.secondMoment),
      check(
        "iterations that moved", [Double(ours.adam.steps)] + records.map { $0.hasMoved ? 1 : 0 },
        [3, 1, 1, 1]),
    ]
  }

  private static func norm(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  /// Largest magnitude; NaN where one is NaN.
  package static func largest(_ x: [Double]) -> Double { distance(x, x.map { _ in 0 }) }

  /// Largest difference; infinite for other lengths, NaN where one is NaN.
  package static func distance(_ a: [Double], _ b: [Double]) -> Double {
    if a.count != b.count { return .infinity }
    return zip(a, b).map { abs($0 - $1) }.reduce(0) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
  }
}
