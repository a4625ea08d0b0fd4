// SPDX-License-Identifier: Apache-2.0
// A simulated plant with a fault at a given step, for measuring a watch.

import MachineLogs

/// What breaks.
package enum PlantFault: Hashable, Sendable {
  /// Sensor i repeats the value that it has as the fault begins.
  case freeze(Int)
  /// Sensor i reads another by so much, in one row.
  case spike(Int, by: Double)
  /// Sensor i reads another by so much from then on.
  case offset(Int, by: Double)
  /// Sensor i reads 0 for so many steps.
  case dropOut(Int, steps: Int)
  /// Commands act one step later.
  case delay
  /// What commands are above the safe action shrinks by so much a step, of the whole.
  case fading(byStep: Double)
}

/// A plant with a fault.
package struct FaultyPlant: Plant {
  private var plant: any Plant
  private let fault: PlantFault
  /// Steps before it.
  private let begin: Int
  private let safeAction: [Double]
  private var steps = 0
  private var lastAction: [Double]
  private var frozen: Double?

  /// - Parameters:
  ///   - plant: that works.
  ///   - fault: what breaks.
  ///   - begin: steps before it does.
  ///   - safeAction: at which the machine is at rest [A].
  package init(_ plant: any Plant, _ fault: PlantFault, from begin: Int, safeAction: [Double]) {
    (self.plant, self.fault, self.begin, self.safeAction) = (plant, fault, begin, safeAction)
    lastAction = safeAction
  }

  package var name: String { plant.name }
  package var states: [Channel] { plant.states }
  package var actions: [Channel] { plant.actions }
  package var disturbances: [Channel] { plant.disturbances }
  package var actionLimits: [ClosedRange<Double>] { plant.actionLimits }
  package var timeStep: Double { plant.timeStep }
  package var clock: PlantClock? { plant.clock }

  package mutating func reset(to state: [Double]?, seed: UInt64) throws -> Measurement {
    (steps, lastAction, frozen) = (0, safeAction, nil)
    return measured(try plant.reset(to: state, seed: seed))
  }

  package mutating func step(_ action: [Double]) throws -> Measurement {
    steps += 1
    defer { lastAction = action }
    return measured(try plant.step(acting(action)))
  }

  /// What of a command arrives.
  private func acting(_ action: [Double]) -> [Double] {
    guard steps > begin else { return action }
    switch fault {
    case .delay: return lastAction
    case .fading(let part):
      let left = max(0, 1 - part * Double(steps - begin))
      return zip(action, safeAction).map { $1 + left * ($0 - $1) }
    case .freeze, .spike, .offset, .dropOut: return action
    }
  }

  private mutating func measured(_ measurement: Measurement) -> Measurement {
    var measured = measurement
    guard steps >= begin else { return measured }
    switch fault {
    case .freeze(let i):
      frozen = frozen ?? measured.states[i]
      measured.states[i] = frozen ?? 0
    case .spike(let i, let size): if steps == begin { measured.states[i] += size }
    case .offset(let i, let size): measured.states[i] += size
    case .dropOut(let i, let count): if steps < begin + count { measured.states[i] = 0 }
    case .delay, .fading: break
    }
    return measured
  }
}
