// SPDX-License-Identifier: Apache-2.0
// Figure 4 of the paper (Experiment 2): 80 s of manual driving at two speeds, a goal-conditioned policy learnt from them, and
// the machine following a reference of steps with it, among imagined rollouts of the same reference.

import Bagel
import Foundation

/// How much of figure 4 to run.
package struct Figure4Options: Sendable {
  /// Of manual driving.
  package var seconds = 80.0
  /// Openings of the valve; the policy keeps within the largest, beyond which nothing was seen.
  package var speeds = [0.1, 0.21]
  /// In place of driving the simulated boom; the reference is then followed on the model only.
  package var logs: OwnLogs?
  /// Imagined rollouts.
  package var particles = 100
  package var seed: UInt64 = 0

  package init() {}
}

/// Figure 4, measured.
package struct Figure4: ReproducedFigure {
  private let options: Figure4Options
  private var measured: Figure4Measurement?
  package let name = "figure4"

  package init(_ options: Figure4Options) { self.options = options }

  package mutating func run(_ tell: @escaping Progress) throws {
    measured = try Figure4Measurement(options, tell)
  }

  package var isComplete: Bool { measured != nil }

  package var json: [String: Any] {
    guard let measured else { return [:] }
    let steps = measured.evaluated?.steps ?? []
    return [
      "transitions": measured.fit.model.features.rows, "fitSeconds": measured.fit.seconds,
      "optimizeSeconds": measured.policy.seconds, "steps": steps.count,
      "stepSuccesses": steps.count { $0.isSuccess },
      "steadyStateErrors": steps.map { $0.tracked[0].steadyStateError },
      "imaginedErrors": measured.imaginedErrors,
    ]
  }

  package var page: Page? { measured.map { Figure4Page(options: options, measured: $0).page } }
  package var csv: String {
    measured.map { Figure4Page(options: options, measured: $0).csv } ?? ""
  }
}
