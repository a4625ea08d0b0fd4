// SPDX-License-Identifier: Apache-2.0
// The starts and goals of rollouts (Algorithm 1, line 9). In: a draw key. Out: states [B, S]
// in physical units.

import Draws
import Foundation
import GaussianProcesses

/// A distribution over states, or over goals of quantities; physical units.
package enum StateDistribution: Hashable, Sendable {
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
  /// Goals within a box that the data reach; becomes `cells` once they are known (`reaching`).
  case reached(lower: [Double], upper: [Double])
  /// One of these goals: first one of the lists, each as likely, then one of it.
  case cells([[[Double]]])

  /// The distribution with the data's bounds [S] put in.
  package func resolved(bounds: [ClosedRange<Double>]) -> StateDistribution {
    guard case .bounds(let states) = self else { return self }
    return .uniform(
      lower: zip(states, bounds).map { $0 ? $1.lowerBound : 0 },
      upper: zip(states, bounds).map { $0 ? $1.upperBound : 0 })
  }

  /// The distribution with everything put in that a model knows of its data.
  package func resolved(by model: DynamicsModel) -> StateDistribution {
    if case .logged = self { return .rows(model.loggedStates) }
    return resolved(bounds: model.stateBounds)
  }

  /// The distribution with the goals put in that the data reach: those of logged states. A box is cut into about a hundred
  /// cells; each that holds a logged goal is as likely, so that goals are spread over the box as far as it is reached, and every
  /// one of them is the goal of a state that was there. Where a side of the box is one value, goals near it have that value.
  ///
  /// - Parameter logged: what goals are of at logged states [n][G].
  package func reaching(_ logged: [[Double]]) -> StateDistribution {
    guard case .reached(let lower, let upper) = self else { return self }
    let varied = lower.indices.filter { lower[$0] < upper[$0] }
    let count = pow(Self.cellCount, 1 / Double(max(varied.count, 1))).rounded()
    let margins = lower.indices.map { i -> Double in
      guard lower[i] == upper[i] else { return 0 }
      let column = logged.map { $0[i] }
      return Self.nearness * ((column.max() ?? 0) - (column.min() ?? 0))
    }
    var cells: [[Int]: [[Double]]] = [:]
    for goal in logged {
      let isInside = goal.indices.allSatisfy {
        (lower[$0] - margins[$0]...upper[$0] + margins[$0]).contains(goal[$0])
      }
      guard isInside else { continue }
      let cell = varied.map { i in
        min(Int(count * (goal[i] - lower[i]) / (upper[i] - lower[i])), Int(count) - 1)
      }
      cells[cell, default: []].append(
        goal.indices.map { lower[$0] == upper[$0] ? lower[$0] : goal[$0] })
    }
    return .cells(
      cells.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value))
  }

  private static let cellCount = 100.0
  /// A goal is reached if a logged one is within this part of the logged range of it, in each of its values.
  package static let nearness = 0.05

  /// One state a particle [B][S].
  package func draw(_ particles: Int, key: DrawKey, for purpose: ReservedStep) -> [[Double]] {
    (0..<particles).map { draw(particle: $0, key: key, for: purpose) }
  }

  /// The state of one particle [S]. Depends on (seed, iteration, particle) only.
  package func draw(particle: Int, key: DrawKey, for purpose: ReservedStep) -> [Double] {
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
    case .cells(let cells):
      let u = key.uniforms(particle: particle, step: step, count: 2)
      func one<T>(of list: [T], _ u: Double) -> T {
        list[min(Int(u * Double(list.count)), list.count - 1)]
      }
      return one(of: one(of: cells, u[0]), u[1])
    case .bounds, .logged, .reached:
      preconditionFailure("what is known of the data is not put in")
    }
  }

  /// Bounds of what is drawn [S] (three deviations of a normal), or nil where that is up to the data.
  package var support: [ClosedRange<Double>]? {
    switch self {
    case .fixed(let state): state.map { $0...$0 }
    case .uniform(let lower, let upper): zip(lower, upper).map { min($0, $1)...max($0, $1) }
    case .normal(let mean, let deviation): zip(mean, deviation).map { $0 - 3 * $1...$0 + 3 * $1 }
    case .reached(let lower, let upper): zip(lower, upper).map { $0...$1 }
    case .bounds, .logged, .rows, .cells: nil
    }
  }

  /// Number of states S.
  package var length: Int {
    switch self {
    case .fixed(let state): state.count
    case .uniform(let lower, _): lower.count
    case .normal(let mean, _): mean.count
    case .bounds(let states): states.count
    case .logged(let length): length
    case .rows(let states): states.first?.count ?? 0
    case .reached(let lower, _): lower.count
    case .cells(let cells): cells.first?.first?.count ?? 0
    }
  }
}
