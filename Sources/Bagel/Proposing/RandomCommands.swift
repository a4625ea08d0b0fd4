// SPDX-License-Identifier: Apache-2.0
// Random commands that are tried for a piece of a proposal: filtered noise about a level, from slow to quick and from small to large; or
// the commands of the policy in a rollout, with noise.

import Draws
import Foundation
import Policies
import Tasks

/// Draws pieces of command sequences; limits at -1 and 1.
struct RandomCommands {
  private let trial: CommandTrial
  private let limits: [ClosedRange<Double>]
  private let amplitude: Double
  private let key: DrawKey
  private let number: Int
  /// Commands of a rollout of the policy, physical units [T][A].
  private let recorded: [[Double]]?

  /// Rows of the slowest noise, over those of the quickest, which changes from knot to knot.
  private static let slowest = 60.0
  /// Of recorded commands.
  private static let noise = 0.2

  /// - Parameters:
  ///   - task: with limits of actions, of which `explore:` says how much is used.
  ///   - trial: for which knots they are.
  ///   - seed: of the draws.
  ///   - number: of the piece.
  ///   - recorded: commands of a rollout of the policy; nil for noise alone.
  init(
    _ task: ControlTask, _ trial: CommandTrial, seed: UInt64, number: Int,
    recorded: [[Double]]?
  ) {
    (self.trial, limits, amplitude) = (trial, task.actionLimits, task.exploration.amplitude)
    (self.number, self.recorded) = (number, recorded)
    key = DrawKey(seed: seed, stream: .proposals)
  }

  /// A sequence that rests from a row on; all of it where there is none.
  static func resting(
    _ knots: CommandTrial.Knots?, from row: Int, _ task: ControlTask, _ trial: CommandTrial
  ) -> CommandTrial.Knots {
    zip(task.actionLimits, task.safeAction).enumerated().flatMap { j, action in
      let rest = Self.unit(action.1, action.0)
      return (0..<trial.knotCount).map { k in
        k * trial.spacing < row ? knots?[j * trial.knotCount + k] ?? rest : rest
      }
    }
  }

  private static func unit(_ action: Double, _ limits: ClosedRange<Double>) -> Double {
    Policy.unit(action, limits.lowerBound, limits.upperBound)
  }

  /// The same sequence with new commands in some rows, and rest after them.
  func replacing(
    _ rows: Range<Int>, of knots: CommandTrial.Knots
  ) -> CommandTrial.Knots {
    var changed = knots
    let first = rows.lowerBound / trial.spacing
    let last = min(rows.upperBound / trial.spacing + 1, trial.knotCount)
    for j in limits.indices {
      let u = key.uniforms(particle: number, step: j, count: 3)
      let size = amplitude * (recorded == nil ? 0.05 + 0.95 * u[0] : Self.noise * u[0])
      let level = recorded == nil ? (1 - size) * (2 * u[1] - 1) : 0
      let gain = 1 / pow(Self.slowest, u[2])
      let draws = key.normals(particle: number, step: limits.count + j, count: last - first)
      var value = 0.0
      for k in first..<last {
        value += gain * (draws[k - first] - value)
        let wave = size * value / (gain / (2 - gain)).squareRoot()
        let base = recorded.map { actions in
          Self.unit(actions[min((k - first) * trial.spacing, actions.count - 1)][j], limits[j])
        }
        changed[j * trial.knotCount + k] = min(max((base ?? level) + wave, -1), 1)
      }
    }
    return changed
  }
}
