// SPDX-License-Identifier: Apache-2.0
// Actions for a first log, before there is a policy (Algorithm 1, line 2). In: step and measured states. Out:
// actions within their limits. They depend only on the seed; manual driving also depends on the measurements.

import Draws
import Foundation

/// How a machine is moved before anything is known of it.
package enum ExplorationKind: String, Hashable, Sendable, Codable, CaseIterable {
  /// Uniform within the limits, each action held for `holdSeconds`.
  case random
  /// Filtered noise with the time constant `holdSeconds`.
  case smooth
  /// A sum of three sinusoids of random periods and phases; `holdSeconds` is the shortest half period.
  case sinusoids
  /// A driver who moves state j to and fro by action j, each by itself (`ManualDriving`).
  case manual
  /// First as `smooth`; then, episode by episode, the commands that are expected to tell most. (Whoever knows models finds them.)
  case informative
}

/// What to do before anything is known, and for how long.
package struct ExplorationOptions: Hashable, Sendable {
  package var kind = ExplorationKind.smooth
  package var episodes = 1
  /// Seconds an episode.
  package var seconds = 0.0
  /// Seconds an action lasts, see `ExplorationKind`; nil for one time step (random) or five.
  package var holdSeconds: Double?
  /// Part of the actions' range that is used.
  package var amplitude = 1.0
  /// Values of state j between which a manual driver moves it by action j; later actions rest.
  package var turningPoints: [ClosedRange<Double>] = []

  package init() {}
}

/// Actions of one exploring episode.
package struct Explorer {
  private let options: ExplorationOptions
  private let limits: [ClosedRange<Double>]
  private let rest: [Double]
  private let timeStep: Double
  private let draws: DrawKey
  private var filtered: [Double]
  private var drivers: [ManualDriving] = []

  /// Sinusoids in a sum.
  private static let waves = 3

  package init(
    _ options: ExplorationOptions, limits: [ClosedRange<Double>], rest: [Double], timeStep: Double,
    seed: UInt64
  ) {
    self.options = options
    (self.limits, self.rest) = (limits, rest)
    self.timeStep = timeStep
    draws = DrawKey(seed: seed, stream: .exploration)
    filtered = limits.map { _ in 0 }
    guard options.kind == .manual else { return }
    drivers = options.turningPoints.enumerated().map { j, range in
      ManualDriving(
        lower: range.lowerBound, upper: range.upperBound, timeStep: timeStep, seed: seed, lever: j)
    }
  }

  private var hold: Double {
    options.holdSeconds ?? (options.kind == .random ? timeStep : 5 * timeStep)
  }

  /// The action [A] of a step.
  package mutating func action(step: Int, states: [Double]) -> [Double] {
    let unit: [Double]
    switch options.kind {
    case .random:
      let index = Int((Double(step) * timeStep / hold + 1e-9).rounded(.down))
      unit = draws.uniforms(particle: index, step: 0, count: limits.count).map { 2 * $0 - 1 }
    case .smooth, .informative:
      // The stationary deviation of the filter is sqrt(gain / (2 - gain)); scaled to 0.6 of the limits.
      let gain = 1 - exp(-timeStep / hold)
      let noise = draws.normals(particle: step, step: 0, count: limits.count)
      for j in limits.indices { filtered[j] += gain * (noise[j] - filtered[j]) }
      let scale = 0.6 / (gain / (2 - gain)).squareRoot()
      unit = filtered.map { min(max(scale * $0, -1), 1) }
    case .sinusoids: unit = limits.indices.map { sinusoids(action: $0, step: step) }
    case .manual:
      unit = limits.indices.map { j in
        j < drivers.count ? drivers[j].command(at: states[j]) : 0
      }
    }
    if options.kind == .manual {
      // A driver at rest leaves every lever where it does nothing.
      return unit.indices.map { j in
        let reach = unit[j] > 0 ? limits[j].upperBound - rest[j] : rest[j] - limits[j].lowerBound
        return rest[j] + options.amplitude * unit[j] * reach
      }
    }
    return zip(unit, limits).map {
      0.5 * ($1.lowerBound + $1.upperBound)
        + options.amplitude * 0.5 * ($1.upperBound - $1.lowerBound) * $0
    }
  }

  private func sinusoids(action: Int, step: Int) -> Double {
    let u = draws.uniforms(particle: action, step: 0, count: 2 * Self.waves)
    let sum = (0..<Self.waves).reduce(0.0) { sum, wave in
      // Periods from the shortest to eight times as long, evenly in their logarithm.
      let period = 2 * hold * pow(8, (Double(wave) + u[wave]) / Double(Self.waves))
      let phase = 2 * Double.pi * (Double(step) * timeStep / period + u[Self.waves + wave])
      return sum + sin(phase)
    }
    return min(max(sum / Double(Self.waves).squareRoot(), -1), 1)
  }
}
