// SPDX-License-Identifier: Apache-2.0
// Watching: is the machine still the one that its model learnt? In: a run's rows as they are measured, and the commands that were
// sent. Out: findings. A pure function of rows, so that a log replays as the run went.
//
//   beyond data   a state well outside the box of the data behind the policy
//   frozen        a sensor that repeats its value longer than its log ever did, though its noise should move it
//   late          a measurement that comes two time steps or more after the one before
//   innovation    what is measured less what the model predicts, by tests against named departures (`Departure`)

import MachineLogs

/// What a watch may find.
package enum WatchedMatter: String, Hashable, Sendable, CaseIterable {
  case beyondData, innovation, frozen, late

  /// Its bit in the column of a run's log.
  package var bit: Int {
    switch self {
    case .beyondData: 1
    case .innovation: 2
    case .frozen: 4
    case .late: 8
    }
  }
}

/// What was found in a row.
package struct WatchFinding: Hashable, Sendable {
  package let matter: WatchedMatter
  /// Row of the run, from 0.
  package let step: Int
  /// For people, with the state's name and its value.
  package let words: String
}

/// A watch over one run.
package struct RunWatch: Sendable {
  private let layout: LogLayout
  private let box: DataBox?
  private var frozen: FrozenSensors?
  private var innovations: InnovationWatch?
  private var step = 0
  /// Row of the last finding of each thing that can be found; what goes on is said once.
  private var lastFound: [String: Int] = [:]
  /// Rows without a finding after which the same is said again.
  private let quietRows: Int

  /// Seconds without a finding after which the same is said again.
  private static let quiet = 10.0
  /// A measurement this many time steps after the one before is late: one at least is missing.
  package static let lateSteps = 2.0

  /// - Parameters:
  ///   - layout: channels of the run.
  ///   - bounds: of the data behind the policy, of the states [S], and after them of the disturbances that it sees; nil where nobody
  ///     knows.
  ///   - calibration: of sensors and innovations; nil where there is none.
  ///   - predictor: of the model that the calibration belongs to.
  package init(
    layout: LogLayout, bounds: [ClosedRange<Double>]?, calibration: WatchCalibration? = nil,
    predictor: StepPredictor? = nil
  ) {
    self.layout = layout
    box = bounds.map { DataBox(bounds: $0) }
    frozen = calibration.map { FrozenSensors(longestRepeats: $0.longestRepeats) }
    if let calibration, let limits = calibration.innovations, let predictor {
      innovations = InnovationWatch(limits, predictor, timeStep: layout.timeStep)
    }
    quietRows = Int((Self.quiet / layout.timeStep).rounded(.up))
  }

  /// Rows whose innovations were judged.
  package var judgedRows: Int { innovations?.judged ?? 0 }

  /// What is new in a row: what goes on from the row before is not found again.
  package mutating func findings(_ row: MeasuredRow) -> [WatchFinding] {
    defer { step += 1 }
    let (timeStep, elapsed) = (layout.timeStep, row.elapsed ?? layout.timeStep)
    var found: [WatchFinding] = []
    /// - Parameter key: of what is found: the matter and the channel.
    func note(_ matter: WatchedMatter, _ key: String, _ words: String) {
      let key = "\(matter.rawValue) \(key)"
      defer { lastFound[key] = step }
      if let last = lastFound[key], step - last <= quietRows { return }
      found.append(WatchFinding(matter: matter, step: step, words: words))
    }
    if elapsed >= Self.lateSteps * timeStep, step > 0 {
      note(
        .late, "",
        "a measurement came \(format(elapsed)) s after the one before, \(format(elapsed / timeStep)) time steps"
      )
    }
    if let box {
      let seen = row.states + row.disturbances
      let channels = layout.states + layout.disturbances.map(\.channel)
      for (i, channel) in channels.enumerated() where channel.turn == nil {
        guard i < box.bounds.count, box.isWellBeyond(seen[i], of: i) else { continue }
        note(
          .beyondData, channel.name,
          "'\(channel.name)' is \(format(seen[i])), outside the data behind the policy (\(box.words(of: i)))"
        )
      }
    }
    for (column, rows) in frozen?.next(row.measured) ?? [] {
      let name = layout.measuredColumns[column]
      note(
        .frozen, name,
        "'\(name)' has been \(format(row.measured[column])) for \(rows) rows: its sensor may be frozen"
      )
    }
    let isOnTime = abs(elapsed - timeStep) <= InnovationWatch.steadiness * timeStep
    for alarm in innovations?.next(row, isOnTime: isOnTime) ?? [] {
      note(
        .innovation, "\(layout.states[alarm.state].name) \(alarm.departure)", alarm.words(layout))
    }
    return found
  }
}
