// SPDX-License-Identifier: Apache-2.0
// What moves the particles of rollouts, in words.

import ModelChoice

extension ProcessNoiseJudgement {
  /// - Parameter outputs: names of the model's outputs.
  package func sentences(outputs: [String]) -> [String] {
    switch self {
    case .judged(let figures): figures.sentences(outputs: outputs)
    case .unknown(let reason):
      [
        "rollouts draw only the function, anew at each step: process noise could not be judged (\(reason))"
      ]
    }
  }
}

extension ProcessNoiseFigures {
  /// Band factors between which draws are right.
  private static let right = 0.8...1.25

  /// - Parameter outputs: names of the model's outputs.
  func sentences(outputs: [String]) -> [String] {
    var lines: [String]
    if isSure {
      lines = zip(outputs, noise).map { name, own in
        "rollouts draw '\(name)' with \(number(100 * own.share)) % of the residual's deviation, correlation "
          + "\(number(own.correlation)) from step to step: \(number(relativeCRPS)) times the CRPS of the function's draws alone, on "
          + "left-out blocks"
      }
    } else {
      lines = [
        "rollouts draw only the function, anew at each step: adding noise is not clearly better on left-out blocks (at best "
          + "\(number(relativeCRPS)) times the CRPS)"
      ]
    }
    let factors = bandFactors.flatMap(\.factors).filter(\.isFinite)
    if isSure, let least = factors.min(), let most = factors.max() {
      lines.append(
        "the particles' 95 % bands contain 95 % of the left-out measurements if they are \(number(least)) to \(number(most)) times "
          + "as wide"
          + (Self.right.contains(least) && Self.right.contains(most)
            ? "" : ": the draws are not right at every horizon"))
    }
    return lines
  }
}
