// SPDX-License-Identifier: Apache-2.0
// A user's own plant in this process, and how a task drives it. (A separate program is safer: BAGEL can stop waiting for
// it, and it survives a crash of this process. See `ExternalPlant`.)

import MachineLogs
import Plants
import Tasks

/// A machine or a simulation in Swift. It measures the task's states (those without `rateOf`) and takes its actions, in the task's
/// order, in the units of its logs; it has no disturbances and no reward.
public protocol UserPlant {
  /// Begins an episode.
  ///
  /// - Parameter seed: for the noise and the start of a simulation; a machine ignores it.
  /// - Returns: measured states [S].
  mutating func reset(seed: UInt64) throws -> [Double]
  /// Applies an action [A] for one time step, and the safe action at the end; returns the states [S] measured at the end of the step.
  mutating func step(_ action: [Double]) throws -> [Double]
}

extension ControlTask {
  /// Sets your own plant instead of `plant:`.
  ///
  /// - Parameters:
  ///   - name: for messages and reports.
  ///   - make: makes a plant; called once per fit, evaluation or loop.
  public mutating func setPlant(
    _ name: String = "own plant", _ make: @escaping @Sendable () -> any UserPlant
  ) {
    plant = .own(
      PlantChoice.Own(name: name) { task in InProcessPlant(make(), name: name, task: task) })
  }
}

/// A user's plant as one that BAGEL drives.
struct InProcessPlant: Plant {
  let name: String
  let states: [Channel]
  let actions: [Channel]
  let actionLimits: [ClosedRange<Double>]
  let timeStep: Double
  private var plant: any UserPlant
  /// Whether it was reset and not let go.
  private var isOpen = false

  init(_ plant: any UserPlant, name: String, task: ControlTask) {
    (self.plant, self.name) = (plant, name)
    (states, actions) = (task.measuredChannels, task.layout.actions)
    (actionLimits, timeStep) = (task.actionLimits, task.layout.timeStep)
  }

  mutating func reset(to state: [Double]?, seed: UInt64) throws -> Measurement {
    isOpen = true
    return try checked { try plant.reset(seed: seed) }
  }

  mutating func step(_ action: [Double]) throws -> Measurement {
    try checked { try plant.step(action) }
  }

  mutating func close(safeAction: [Double]) -> SafeEnd {
    guard isOpen else { return SafeEnd(.notStarted) }
    isOpen = false
    do {
      return SafeEnd(.confirmed, after: try step(safeAction))
    } catch {
      return SafeEnd(.failed("\(error)"))
    }
  }

  private func checked(_ answer: () throws -> [Double]) throws -> Measurement {
    let measured: [Double]
    do {
      measured = try answer()
    } catch {
      throw PlantFailure(plant: name, "\(error)")
    }
    guard measured.count == states.count else {
      throw PlantFailure(
        plant: name, "returned \(measured.count) states, but the task measures \(states.count)")
    }
    if let wrong = measured.indices.first(where: { !measured[$0].isFinite }) {
      throw PlantFailure(plant: name, "the state '\(states[wrong].name)' is \(measured[wrong])")
    }
    return Measurement(measured)
  }
}
