// SPDX-License-Identifier: Apache-2.0
// The comparison itself: an executor against the interpreter in double precision, on every fixture.

import Execution
import Programs

/// One comparison.
public struct ExecutorCheck: Sendable, CustomStringConvertible {
  /// What was compared, on which fixture.
  public let name: String
  public let error: Double
  /// Largest error that rounding explains.
  public let bound: Double
  /// NaN never passes.
  public var passes: Bool { error <= bound }

  public var description: String {
    "\(passes ? "ok  " : "FAIL") \(name): error \(error), bound \(bound)"
  }

  /// All comparisons of one fixture: returns, gradient, trajectories, counts, and an ascent of three iterations.
  ///
  /// Bounds: rounding enters at each of H steps with eps = 6e-8 and grows at most tenfold on the way; a return is
  /// a sum of H such.
  public static func all(
    _ fixture: RolloutFixture, particles: Int = 21, horizon: Int = 12,
    make: () throws -> any RolloutExecutor
  ) throws -> [ExecutorCheck] {
    let executor = try make()
    let batch = fixture.batch(particles: particles, horizon: horizon)
    let reference = InterpreterExecutor(fixture.program, data: fixture.data)
    let expected = reference.gradient(batch)
    let paths = reference.trajectories(batch)
    let found = try executor.gradient(batch)
    let recorded = try executor.trajectories(batch)
    let steps = Double(horizon)
    let eps = steps * 6e-8 * 10
    let gradientBound = eps * max(1, largest(expected.gradient))
    func check(_ name: String, _ error: Double, _ bound: Double) -> ExecutorCheck {
      ExecutorCheck(name: "\(fixture): \(name)", error: error, bound: bound)
    }
    var checks = [
      check("returns", distance(found.returns.returns, expected.returns.returns), eps * steps),
      check("gradient", distance(found.gradient, expected.gradient), gradientBound),
      check("states", distance(recorded.states, paths.states), eps * 3),
      check("actions", distance(recorded.actions, paths.actions), eps * 3),
      check(
        "returns with and without a record",
        distance(recorded.returns.returns, try executor.returns(batch).returns), 0),
      check(
        "steps outside", abs(found.returns.outsideFraction - expected.returns.outsideFraction), 0),
      check("diverged", Double(found.returns.diverged), 0),
      check("truncated", Double(found.truncated), 0),
      check(
        "the same bits twice", distance(try executor.gradient(batch).gradient, found.gradient), 0),
    ]
    checks += try ascent(fixture, executor, reference, batch).map {
      check($0.name, $0.error, $0.bound)
    }
    return checks
  }

  /// Three iterations of Adam, each with its own draws.
  private static func ascent(
    _ fixture: RolloutFixture, _ executor: any RolloutExecutor, _ reference: any RolloutExecutor,
    _ batch: RolloutBatch
  ) throws -> [ExecutorCheck] {
    let batches = (0..<3).map { iteration in
      var next = batch
      next.draws = DrawKey(seed: 5, iteration: UInt32(iteration))
      return next
    }
    // With epsilon = 1e-8 in Adam's denominator a component near zero moves by its sign: a rate that keeps that
    // from mattering to the returns.
    let rate = 1e-3
    var (ours, theirs) = (start(batch, rate), start(batch, rate))
    let records = try executor.ascend(batches, from: &ours)
    let expected = try reference.ascend(batches, from: &theirs)
    let eps = Double(batch.horizon) * 6e-8 * 10
    let norms = (records.map(\.gradientNorm), expected.map(\.gradientNorm))
    let parameters = Double(batch.parameters.count)
    return [
      ExecutorCheck(
        name: "ascent, mean returns",
        error: distance(records.map(\.meanReturn), expected.map(\.meanReturn)),
        bound: eps * Double(batch.horizon) * 10),
      ExecutorCheck(
        name: "ascent, gradient norms", error: distance(norms.0, norms.1),
        bound: 10 * eps * max(1, largest(norms.1)) * parameters.squareRoot()),
      // A component below its rounding error may go the other way at each of three steps.
      ExecutorCheck(
        name: "ascent, parameters", error: distance(ours.parameters, theirs.parameters),
        bound: 6 * rate),
    ]
  }

  private static func start(_ batch: RolloutBatch, _ rate: Double) -> Ascent {
    Ascent(
      parameters: batch.parameters, adam: Adam(count: batch.parameters.count), rate: rate,
      gradientNorm: 10)
  }

  private static func largest(_ x: [Double]) -> Double { x.map(abs).max() ?? 0 }

  /// Largest difference; infinite for other lengths, NaN where one is NaN.
  private static func distance(_ a: [Double], _ b: [Double]) -> Double {
    if a.count != b.count { return .infinity }
    return zip(a, b).map { abs($0 - $1) }.reduce(0) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
  }
}
