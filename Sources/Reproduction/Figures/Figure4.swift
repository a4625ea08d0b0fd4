// SPDX-License-Identifier: Apache-2.0
// Figure 4 of the paper (Experiment 2): 80 s of manual driving at two speeds, a goal-conditioned policy learnt from them, and
// the machine following a reference of steps with it, among imagined rollouts of the same reference.

import Bagel
import Foundation

/// How much of figure 4 to run.
public struct Figure4Options: Sendable {
  /// Of manual driving.
  public var seconds = 80.0
  /// Openings of the valve; the policy keeps within the largest, beyond which nothing was seen.
  public var speeds = [0.1, 0.21]
  /// In place of driving the simulated boom; the reference is then followed on the model only.
  public var logs: OwnLogs?
  /// Imagined rollouts.
  public var particles = 100
  public var seed: UInt64 = 0

  public init() {}
}

/// Figure 4, measured.
public struct Figure4: ReproducedFigure {
  private let options: Figure4Options
  private var measured: Figure4Measurement?
  public let name = "figure4"

  public init(_ options: Figure4Options) { self.options = options }

  public mutating func run(_ tell: @escaping Progress) throws {
    measured = try Figure4Measurement(options, tell)
  }

  public var isComplete: Bool { measured != nil }

  public var json: [String: Any] {
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

  public var page: Page? { measured.map { Figure4Page(options: options, measured: $0).page } }
  public var csv: String {
    measured.map { Figure4Page(options: options, measured: $0).csv } ?? ""
  }
}
