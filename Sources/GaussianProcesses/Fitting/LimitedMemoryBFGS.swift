// SPDX-License-Identifier: Apache-2.0
// Minimisation by libLBFGS (limited-memory BFGS, More-Thuente line search). In: a function with its
// gradient and a start. Out: the best point seen and how the search ended.

import CLBFGS

/// How a search ended.
package struct MinimizationResult: Sendable {
  package var point: [Double]
  package var value: Double
  package var evaluations: Int
  /// Whether libLBFGS met its convergence or stopping test (rather than a limit or a failed line search).
  package var hasConverged: Bool
}

/// Minimises `function`, at most `iterations` steps; stops when an iteration lowers the value by less than
/// `tolerance` max(1, |value|).
///
/// That test is ours: the one of libLBFGS 1.10 divides by the value without its sign, so it stops at once
/// where the value is negative.
///
/// The first step has the length `firstStep`, which libLBFGS takes to be 1: the variables it sees are divided by it.
///
/// A point where `function` throws counts as very bad; the error of the start is rethrown.
func minimize(
  from start: [Double], iterations: Int, tolerance: Double, firstStep: Double = 1,
  _ function: @escaping ([Double]) throws -> (value: Double, gradient: [Double])
) throws -> MinimizationResult {
  let search = Search(function, tolerance: tolerance, scale: firstStep)
  var parameter = lbfgs_parameter_t()
  lbfgs_parameter_init(&parameter)
  parameter.max_iterations = Int32(iterations)
  parameter.epsilon = 1e-5
  parameter.max_linesearch = 10
  var point = start.map { $0 / firstStep }
  let instance = Unmanaged.passUnretained(search).toOpaque()
  let status = lbfgs(
    Int32(start.count), &point, nil,
    { instance, x, gradient, n, _ in
      guard let instance, let x, let gradient else { return .infinity }
      let search = Unmanaged<Search>.fromOpaque(instance).takeUnretainedValue()
      return search.evaluate(x, gradient, Int(n))
    },
    { instance, _, _, value, _, _, _, _, _, _ in
      guard let instance else { return 1 }
      let search = Unmanaged<Search>.fromOpaque(instance).takeUnretainedValue()
      return search.shouldStop(at: value) ? Search.stopped : 0
    }, instance, &parameter)
  withExtendedLifetime(search) {}
  let endings = [LBFGS_SUCCESS, LBFGS_ALREADY_MINIMIZED].map { Int32($0) } + [Search.stopped]
  guard let best = search.best else {
    _ = try function(start)
    return MinimizationResult(
      point: start, value: .infinity, evaluations: search.evaluations, hasConverged: false)
  }
  return MinimizationResult(
    point: best, value: search.bestValue, evaluations: search.evaluations,
    hasConverged: endings.contains(status))
}

private final class Search {
  let function: ([Double]) throws -> (value: Double, gradient: [Double])
  var best: [Double]?
  var bestValue = Double.infinity
  var evaluations = 0
  private let tolerance: Double
  private let scale: Double
  private var previous = Double.infinity

  /// What libLBFGS returns when `shouldStop` ended the search (its own codes are others).
  static let stopped: Int32 = 77

  init(
    _ function: @escaping ([Double]) throws -> (value: Double, gradient: [Double]),
    tolerance: Double, scale: Double
  ) {
    self.function = function
    self.scale = scale
    self.tolerance = tolerance
  }

  /// Called once an iteration.
  func shouldStop(at value: Double) -> Bool {
    defer { previous = value }
    return previous - value < tolerance * max(1, abs(value))
  }

  func evaluate(
    _ x: UnsafePointer<Double>, _ gradient: UnsafeMutablePointer<Double>, _ n: Int
  ) -> Double {
    let point = (0..<n).map { scale * x[$0] }
    evaluations += 1
    guard let result = try? function(point), result.value.isFinite,
      result.gradient.allSatisfy(\.isFinite)
    else {
      for i in 0..<n { gradient[i] = 0 }
      return 1e12
    }
    for i in 0..<n { gradient[i] = scale * result.gradient[i] }
    if result.value < bestValue { (best, bestValue) = (point, result.value) }
    return result.value
  }
}
