// SPDX-License-Identifier: Apache-2.0
// Covariance matrix adaptation evolution strategy with active update (Hansen, The CMA Evolution Strategy: A Tutorial,
// 2016; names as there): a search that needs no gradient, the baseline of Black-DROPS. No maintained library of it can be
// linked without a C++ framework around it; ours is held against the reference implementation in the tests.

import Draws
import Foundation
import LinearAlgebra

/// Minimises a function of N numbers, generation by generation: `ask`, evaluate, `tell`.
package struct CMAES: Sendable {
  /// m [N]
  package private(set) var mean: [Double]
  /// sigma
  package private(set) var stepSize: Double
  package private(set) var generation = 0
  /// lambda
  package let population: Int
  /// C [N, N]
  private var covariance: Matrix
  /// C = B D^2 B^T as of the last decomposition.
  private var axes: Matrix
  private var deviations: [Double]
  private var decomposed = 0
  /// p_sigma, p_c [N]
  private var stepPath: [Double]
  private var covariancePath: [Double]
  private let rates: Rates
  private let key: DrawKey
  private var candidates: [[Double]] = []

  /// - Parameters:
  ///   - mean: where it starts [N].
  ///   - stepSize: standard deviation at the start, the same along every axis.
  ///   - population: candidates a generation; 4 + 3 ln N if nil.
  ///   - key: of the draws.
  package init(mean: [Double], stepSize: Double, population: Int? = nil, key: DrawKey) {
    let n = mean.count
    precondition(n > 0 && stepSize > 0, "\(n) numbers, step size \(stepSize)")
    (self.mean, self.stepSize, self.key) = (mean, stepSize, key)
    self.population = max(4, population ?? 4 + Int(3 * log(Double(n))))
    covariance = .identity(n)
    axes = .identity(n)
    deviations = Array(repeating: 1, count: n)
    stepPath = Array(repeating: 0, count: n)
    covariancePath = stepPath
    rates = Rates(dimensions: n, population: self.population)
  }

  /// Best costs of the last generations, the newest last.
  private var bestCosts: [Double] = []
  /// Range of the last generation's costs.
  private var costRange = Double.infinity

  /// Largest standard deviation of the next candidates along any axis.
  package var spread: Double { stepSize * (deviations.max() ?? 0) }

  /// Smallest over largest eigenvalue of C as of the last decomposition.
  package private(set) var conditioning = 1.0

  /// Whether going on is of no use: costs, or candidates, differ by less than 1e-11, or C is singular to 1e-14 (the reference
  /// implementation's tolerances). Ranks are rounding then, and lead anywhere.
  package var hasConverged: Bool {
    if spread < 1e-11 || conditioning < 1e-14 { return true }
    guard bestCosts.count == rememberedGenerations else { return false }
    return costRange < 1e-11 && (bestCosts.max() ?? 0) - (bestCosts.min() ?? 0) < 1e-11
  }

  private var rememberedGenerations: Int { 10 + 30 * mean.count / population }

  /// Candidates of this generation [lambda][N].
  package mutating func ask() -> [[Double]] {
    candidates = (0..<population).map { index in
      let z = key.normals(particle: index, step: generation, count: mean.count)
      let y = axes.times(zip(deviations, z).map { $0 * $1 })
      return zip(mean, y).map { $0 + stepSize * $1 }
    }
    return candidates
  }

  /// Updates mean, step size and covariance by the costs of `ask`'s candidates; what is not finite counts as worst.
  package mutating func tell(_ costs: [Double]) {
    precondition(costs.count == candidates.count, "\(costs.count) costs of \(candidates.count)")
    let n = mean.count
    let order = costs.indices.sorted { finite(costs[$0]) < finite(costs[$1]) }
    remember(order.map { finite(costs[$0]) })
    let steps = order.map { i in
      zip(candidates[i], mean).map { ($0 - $1) / stepSize }
    }
    var move = [Double](repeating: 0, count: n)
    for (weight, y) in zip(rates.weights, steps) where weight > 0 {
      for i in 0..<n { move[i] += weight * y[i] }
    }
    for i in 0..<n { mean[i] += stepSize * move[i] }
    generation += 1
    let isMoving = adaptPaths(move)
    stepSize *= exp(
      min(1, rates.stepPath / rates.damping * (norm(stepPath) / rates.expectedNorm - 1)))
    adaptCovariance(steps, isMoving: isMoving)
    if Double(generation - decomposed) >= rates.decompositionInterval { decompose() }
  }

  private mutating func remember(_ sorted: [Double]) {
    costRange = sorted[sorted.count - 1] - sorted[0]
    bestCosts = Array((bestCosts + [sorted[0]]).suffix(rememberedGenerations))
  }

  private func finite(_ cost: Double) -> Double { cost.isFinite ? cost : .infinity }

  /// Returns h_sigma: whether the step path is short enough for the covariance's to go on.
  private mutating func adaptPaths(_ move: [Double]) -> Bool {
    let (cs, cc) = (rates.stepPath, rates.covariancePath)
    let whitened = inverseRootTimes(move)
    let gain = (cs * (2 - cs) * rates.effective).squareRoot()
    for i in move.indices { stepPath[i] = (1 - cs) * stepPath[i] + gain * whitened[i] }
    let settled = (1 - pow(1 - cs, 2 * Double(generation))).squareRoot()
    let isMoving =
      norm(stepPath) / settled < (1.4 + 2 / (Double(move.count) + 1)) * rates.expectedNorm
    let covarianceGain = isMoving ? (cc * (2 - cc) * rates.effective).squareRoot() : 0
    for i in move.indices {
      covariancePath[i] = (1 - cc) * covariancePath[i] + covarianceGain * move[i]
    }
    return isMoving
  }

  private mutating func adaptCovariance(_ steps: [[Double]], isMoving: Bool) {
    let (c1, cm, cc) = (rates.rankOne, rates.rankMu, rates.covariancePath)
    let stalled = isMoving ? 0 : cc * (2 - cc)
    let n = mean.count
    let keep = 1 + c1 * stalled - c1 - cm * rates.weights.reduce(0, +)
    // A bad step counts as if it had the expected length, which keeps C positive definite.
    let weights = zip(rates.weights, steps).map { weight, y -> Double in
      guard weight < 0 else { return cm * weight }
      let length = norm(inverseRootTimes(y))
      return cm * weight * Double(n) / max(length * length, 1e-300)
    }
    let rows = Matrix(steps + [covariancePath])
    let update = rows.scalingRows(by: weights + [c1]).times(rows, transposingFirst: true)
    covariance = (keep * covariance + update).symmetrised
  }

  private mutating func decompose() {
    decomposed = generation
    let (values, vectors) = covariance.symmetricEigenvalues
    axes = vectors
    let largest = values.max() ?? 0
    conditioning = (values.min() ?? 0) / largest
    // Below, the search has converged; what is negative by rounding has a root all the same.
    deviations = values.map { max($0, 1e-14 * largest).squareRoot() }
  }

  /// C^-1/2 x
  private func inverseRootTimes(_ x: [Double]) -> [Double] {
    axes.times(zip(axes.times(x, transposed: true), deviations).map { $0 / $1 })
  }

  private func norm(_ x: [Double]) -> Double { dot(x, x).squareRoot() }
}

/// Weights and learning rates (table 1 of the tutorial).
private struct Rates: Sendable {
  /// w [lambda], the best first; those of the worse half are negative.
  let weights: [Double]
  /// mu_eff
  let effective: Double
  /// c_sigma, d_sigma, c_c, c_1, c_mu
  let stepPath: Double
  let damping: Double
  let covariancePath: Double
  let rankOne: Double
  let rankMu: Double
  /// E||N(0, I)||
  let expectedNorm: Double
  /// Generations between decompositions, so that they cost no more than the rest.
  let decompositionInterval: Double

  init(dimensions: Int, population: Int) {
    let n = Double(dimensions)
    let raw = (1...population).map { log(0.5 * Double(population + 1)) - log(Double($0)) }
    func effective(_ weights: [Double]) -> Double {
      let sum = weights.reduce(0, +)
      return sum * sum / weights.reduce(0) { $0 + $1 * $1 }
    }
    let (good, bad) = (raw.filter { $0 > 0 }, raw.filter { $0 <= 0 })
    let mu = effective(Array(raw.prefix(population / 2)))
    self.effective = mu
    covariancePath = (4 + mu / n) / (n + 4 + 2 * mu / n)
    let c1 = 2 / ((n + 1.3) * (n + 1.3) + mu)
    let cm = min(1 - c1, 2 * (0.25 + mu + 1 / mu - 2) / ((n + 2) * (n + 2) + mu))
    (rankOne, rankMu) = (c1, cm)
    stepPath = (mu + 2) / (n + mu + 5)
    damping = 1 + 2 * max(0, ((mu - 1) / (n + 1)).squareRoot() - 1) + stepPath
    expectedNorm = n.squareRoot() * (1 - 1 / (4 * n) + 1 / (21 * n * n))
    let limit = min(
      1 + c1 / cm, 1 + 2 * effective(bad) / (mu + 2), (1 - c1 - cm) / (n * cm))
    let (goodSum, badSum) = (good.reduce(0, +), -bad.reduce(0, +))
    weights = raw.map { $0 > 0 ? $0 / goodSum : limit * $0 / badSum }
    decompositionInterval = max(1, 1 / (10 * n * (c1 + cm)))
  }
}
