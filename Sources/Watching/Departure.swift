// SPDX-License-Identifier: Apache-2.0
// Ways in which a machine or its sensors may have changed, and the evidence of whitened innovations w for each.
//
// In the usual state w is normal with mean 0 and deviation 1. Where a departure moves its mean to m, the log likelihood ratio of one row is
// m w - m^2 / 2; Page's test (1954) adds it up from the best moment on, S' = max(0, S + m w - m^2 / 2 - |m| b), and alarms above a limit.
// b is what the model's mean may be off by for a second or more where nothing is wrong. m is known for each departure: a machine that moves more than it should, that
// answers commands by a fifth less (a worn pump), or one row later. An offset of a sensor leaves the response h of the whitening, whose
// size is unknown: (h w)^2 / (2 h h); one of a single row, a glitch, that of its two innovations, 1 and -1. A jump is w^2 / 2 of one row; a scatter its sum over a second (chi-square).

import MachineLogs

/// One test of the innovations of a state.
enum Departure: Int, CaseIterable, Sendable {
  case jump, glitch, scatter, offset, higher, lower, weaker, stronger, later

  /// The part by which `weaker` and `stronger` move what commands do.
  private static let gainChange = 0.2

  /// m of one row; nil of those that are no test of Page's.
  ///
  /// - Parameters:
  ///   - commands: what the commands do to w.
  ///   - delay: what one more row of delay would.
  func shift(commands: Double, delay: Double) -> Double? {
    switch self {
    case .jump, .glitch, .scatter, .offset: nil
    case .higher: 1
    case .lower: -1
    case .weaker: -Self.gainChange * commands
    case .stronger: Self.gainChange * commands
    case .later: delay
    }
  }
}

/// A test that went over its limit.
struct DepartureAlarm {
  let departure: Departure
  /// Index of the state.
  let state: Int
  /// Seconds since it began, by the test.
  let seconds: Double
  /// w of the row.
  let size: Double

  /// For people.
  func words(_ layout: LogLayout) -> String {
    let name = "'\(layout.states[state].name)'"
    let since = "for \(format(seconds)) s"
    return switch departure {
    case .jump:
      "\(name) jumped: \(format(abs(size))) standard deviations from the model's prediction"
    case .glitch: "\(name) jumped for one row, against the model's prediction"
    case .scatter:
      "\(name) has scattered about the model's prediction by more than its noise explains"
    case .offset:
      "\(name) differs from the model's prediction by a constant: its sensor may have shifted"
    case .higher: "\(name) has moved higher than the model predicts \(since)"
    case .lower: "\(name) has moved lower than the model predicts \(since)"
    case .weaker: "\(name) has answered commands less than the model predicts \(since)"
    case .stronger: "\(name) has answered commands more than the model predicts \(since)"
    case .later: "\(name) has answered commands later than the model predicts \(since)"
    }
  }
}
