// SPDX-License-Identifier: Apache-2.0
// Where rollouts start and where they should go (Algorithm 1, line 9). In: a draw key. Out: states [B, S]
// in physical units.

import Draws
import GaussianProcesses

/// A distribution over states (or goals), physical units.
public enum StateDistribution: Hashable, Sendable, Codable {
  /// Always the same (Experiment 1).
  case fixed([Double])
  /// Uniform in a box (Experiment 2).
  case uniform(lower: [Double], upper: [Double])
  /// Independent normals.
  case normal(mean: [Double], deviation: [Double])
  /// Uniform within the bounds of the data for the states marked [S], zero for the others (Experiment 2); becomes
  /// `uniform` once the data are known (`resolved`).
  case bounds(states: [Bool])
  /// Drawn from the logged states; becomes `rows` once they are known.
  case logged(length: Int)
  /// One of these states [n][S], each as likely.
  case rows([[Double]])

  /// The distribution with the data's bounds [S] put in.
  public func resolved(bounds: [ClosedRange<Double>]) -> StateDistribution {
    guard case .bounds(let states) = self else { return self }
    return .uniform(
      lower: zip(states, bounds).map { $0 ? $1.lowerBound : 0 },
      upper: zip(states, bounds).map { $0 ? $1.upperBound : 0 })
  }

  /// The distribution with everything put in that a model knows of its data.
  public func resolved(by model: DynamicsModel) -> StateDistribution {
    if case .logged = self { return .rows(model.loggedStates) }
    return resolved(bounds: model.stateBounds)
  }

  /// One state a particle [B][S].
  public func draw(_ particles: Int, key: DrawKey, for purpose: ReservedStep) -> [[Double]] {
    (0..<particles).map { draw(particle: $0, key: key, for: purpose) }
  }

  /// The state of one particle [S]. Depends on (seed, iteration, particle) only.
  public func draw(particle: Int, key: DrawKey, for purpose: ReservedStep) -> [Double] {
    precondition(purpose != .functionDraws, "a state is no function")
    let step = purpose.rawValue
    switch self {
    case .fixed(let state): return state
    case .uniform(let lower, let upper):
      let u = key.uniforms(particle: particle, step: step, count: lower.count)
      return lower.indices.map { lower[$0] + (upper[$0] - lower[$0]) * u[$0] }
    case .normal(let mean, let deviation):
      let z = key.normals(particle: particle, step: step, count: mean.count)
      return mean.indices.map { mean[$0] + deviation[$0] * z[$0] }
    case .rows(let states):
      let u = key.uniforms(particle: particle, step: step, count: 1)[0]
      return states[min(Int(u * Double(states.count)), states.count - 1)]
    case .bounds, .logged: preconditionFailure("what is known of the data is not put in")
    }
  }

  /// Bounds of what is drawn [S] (three deviations of a normal), or nil where that is up to the data.
  public var support: [ClosedRange<Double>]? {
    switch self {
    case .fixed(let state): state.map { $0...$0 }
    case .uniform(let lower, let upper): zip(lower, upper).map { min($0, $1)...max($0, $1) }
    case .normal(let mean, let deviation): zip(mean, deviation).map { $0 - 3 * $1...$0 + 3 * $1 }
    case .bounds, .logged, .rows: nil
    }
  }

  /// Number of states S.
  public var length: Int {
    switch self {
    case .fixed(let state): state.count
    case .uniform(let lower, _): lower.count
    case .normal(let mean, _): mean.count
    case .bounds(let states): states.count
    case .logged(let length): length
    case .rows(let states): states.first?.count ?? 0
    }
  }
}
