// SPDX-License-Identifier: Apache-2.0
// One episode of a controller on a plant: measures, derives the states of the task, limits the actions just
// before they are sent, logs row by row, ends early at a limit or when the plant ends it, and sends the safe action last.
//
// A row is written before its action is sent, so that the log has every action that was sent; the row of the safe
// action is written once the plant has accepted it.

import Faults
import Formulas
import MachineLogs

/// What it means that a plant ends an episode: a pole fell, a car arrived, a time was up.
package enum DoneMeaning: String, Hashable, Sendable, CaseIterable {
  case success, failure
  /// The criterion judges what there is.
  case neither
}

/// What an episode on a plant needs besides controller and plant.
package struct EpisodeRun {
  /// The states the controller wants, and how they are derived from what is measured.
  package var layout: LogLayout
  package var actionLimits: [ClosedRange<Double>]
  /// Largest change of each action a step, or nil; empty for none [A].
  package var largestChange: [Double?] = []
  /// Taken as sent before the first action, and sent last, whatever happens [A].
  package var safeAction: [Double]
  /// Steps, at most.
  package var steps: Int
  /// States and quantities outside these end the episode.
  package var limits: [Limit]
  /// What it means that the plant is done, where its answer does not say it.
  package var doneMeans = DoneMeaning.failure
  /// Written line by line.
  package var log: LogWriter?
  /// Values of the log's extra columns for the states [S] of a row.
  package var extraColumns: (_ states: [Double]) -> [Double] = { _ in [] }
  /// Whether a plant that answers no reward fails, where the layout has a reward column: wanted of what is learnt from.
  package var needsReward = false
  /// Whether every action waits until it is due (not a safe one that follows a passed limit); a plant whose clock is
  /// `machine` is driven so in any case.
  package var isInRealTime = false
  /// Whether the outcome has the rows; a run of days has not.
  package var keepsRows = true
  package var clock = StepClock.real
  /// Hears every row before its action is decided; what it answers ends the episode, in words.
  package var supervise: (_ row: MeasuredRow) -> String? = { _ in nil }
  /// What an operator beside the plant commands in the controller's place [A]; nil while nobody does. (A plant may say it as well.)
  package var operatorCommand: () -> [Double]? = { nil }
  /// Hears every action as it is sent [A]: within its limits, or the operator's.
  package var sent: (_ action: [Double]) -> Void = { _ in }
  /// Asked before every action and while the plant is silent; false ends the episode (Ctrl-C).
  package var goesOn: () -> Bool = { true }

  package init(
    layout: LogLayout, actionLimits: [ClosedRange<Double>], safeAction: [Double], steps: Int,
    limits: [Limit] = []
  ) {
    self.layout = layout
    self.actionLimits = actionLimits
    self.steps = steps
    self.safeAction = safeAction
    self.limits = limits
  }

  /// Where a state or quantity ends an episode.
  package struct Limit: Sendable {
    package var quantity: Quantity
    package var range: ClosedRange<Double>

    package init(_ quantity: Quantity, _ range: ClosedRange<Double>) {
      (self.quantity, self.range) = (quantity, range)
    }
  }

  /// What a plant did.
  package struct Outcome {
    /// Rows so far, none without `keepsRows`; the last one has the safe action if the plant took it and said where it was
    /// then, or was done.
    package var episode: Episode
    package var rows = 0
    /// Why it ended before its last step, in words.
    package var earlyEnd: String?
    /// What it means that the plant ended it before its last step; nil where it did not.
    package var doneAs: DoneMeaning?
    /// Whether a state or quantity outside its limits ended it.
    package var hasLeftLimits = false
    /// Whether `supervise` ended it.
    package var isStopped = false
    /// Actions that were the operator's.
    package var overridden = 0
    /// Whether `goesOn` ended it.
    package var isInterrupted = false
    /// What failed, after rows that are worth keeping.
    package var failure: EpisodeFailure?
    package var safeEnd = SafeEnd(.notStarted)
    /// The last states [S] that were measured; nil before the first.
    package var lastStates: [Double]?
    /// Path of its log; nil without one.
    package var log: String?
    /// What became of the safe action, in words.
    package var safety = ""
    package var timing: StepTiming
    /// What happened to the plant and is no failure, in words.
    package var remarks: [String] = []
  }

  /// Drives the plant.
  ///
  /// - Parameters:
  ///   - plant: the machine; it is reset first.
  ///   - state: where a simulated plant starts [S]; nil where the plant decides.
  ///   - seed: of the plant's noise.
  ///   - name: of the episode.
  ///   - controller: (step, states [S] and after them disturbances [W]) -> action [A].
  /// - Returns: the rows so far and, where plant, controller or log failed, why. Throws: `PlantFailure` of a plant that
  ///   does not measure the layout's columns.
  package func run(
    _ plant: inout any Plant, from state: [Double]? = nil, seed: UInt64, name: String,
    controller: (_ step: Int, _ observed: [Double]) throws -> [Double]
  ) throws -> Outcome {
    var drive = EpisodeDrive(
      self, plant, columns: try plant.columns(for: layout),
      disturbances: try plant.disturbances(of: layout), name: name)
    plant.keepAsking(goesOn)
    var failure: (any Error)?
    do {
      try drive.run(&plant, from: state, seed: seed, controller)
    } catch {
      if !(error is PlantInterruption) { failure = error }
      drive.outcome.isInterrupted = error is PlantInterruption
      let now = clock.now()
      // A simulation that was not reset is no machine to be stopped.
      if drive.hasBegun || !(plant is any SimulatedPlant) {
        drive.end(
          plant.close(safeAction: safeAction), at: now, canLog: !(error is LogWritingError))
      }
    }
    if failure == nil, !drive.outcome.isInterrupted, case .failed = drive.outcome.safeEnd.delivery {
      failure = PlantFailure(plant: plant.name, "did not accept the safe action")
    }
    var outcome = drive.outcome
    outcome.log = log?.path
    if outcome.isInterrupted {
      outcome.earlyEnd = "interrupted after \(counted(outcome.rows, "row"))"
    }
    outcome.safety = outcome.safeEnd.words(after: drive.lastAction)
    outcome.failure = failure.map {
      EpisodeFailure($0, step: drive.hasBegun ? drive.step : nil, safety: outcome.safety)
    }
    outcome.remarks = plant.remarks
    return outcome
  }
}

/// What ended an episode that should have gone on, and what became of the safe action.
package struct EpisodeFailure: Fault {
  package let cause: any Error
  /// In words.
  package let safety: String

  init(_ cause: any Error, step: Int?, safety: String) {
    self.safety = safety
    var failure = cause as? PlantFailure
    failure?.step = step
    self.cause = failure ?? cause
  }

  package var statement: String { "\(cause); \(safety)" }
  package var origin: FaultOrigin { (cause as? any Fault)?.origin ?? .surroundings }
}

/// A measurement that is too old to act on: this process was stopped.
package struct StaleMeasurement: Fault {
  /// Seconds.
  let age: Double
  let step: Int
  package var origin: FaultOrigin { .surroundings }
  package var statement: String {
    "step \(step): BAGEL was stopped for \((1_000 * age).rounded() / 1_000) s; its last measurement is too old for an action"
  }
}

/// A controller that commands what no actuator can do.
package struct ControllerFailure: Fault {
  let action: [Double]
  let step: Int
  package var statement: String { "step \(step): the controller's action is \(action)" }
}

extension Plant {
  /// Which of its states are the layout's measured columns: by name, or in order where there are as many.
  ///
  /// Throws: `PlantFailure`.
  package func columns(for layout: LogLayout) throws(PlantFailure) -> [Int] {
    let wanted = layout.measuredColumns
    let found = wanted.map { name in states.firstIndex { $0.name == name } }
    if found.allSatisfy({ $0 != nil }) { return found.compactMap { $0 } }
    guard wanted.count == states.count else {
      throw PlantFailure(
        plant: name,
        "it measures \(states.map(\.name).joined(separator: ", ")); the task needs "
          + wanted.joined(separator: ", "))
    }
    return Array(states.indices)
  }

  /// Which of its disturbances are the layout's, by name.
  ///
  /// Throws: `PlantFailure`.
  package func disturbances(of layout: LogLayout) throws -> [Int] {
    try layout.disturbances.map { disturbance in
      let column = disturbance.channel.column
      guard let index = disturbances.firstIndex(where: { $0.name == column }) else {
        let known =
          disturbances.isEmpty ? "none" : disturbances.map(\.name).joined(separator: ", ")
        throw PlantFailure(
          plant: name,
          "it does not measure the disturbance '\(column)' of the task; the disturbances that it measures: \(known)"
        )
      }
      return index
    }
  }
}
