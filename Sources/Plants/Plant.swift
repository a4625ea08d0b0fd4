// SPDX-License-Identifier: Apache-2.0
// Plants: machines that a policy drives. In: actions [A] in physical units, one per time step. Out: measured states
// [S] in physical units, with noise. Simulated machines are structs here; each documents its parameters
// and their units as properties and lists them by name, so that an evaluation can vary them.

import Draws
import Faults
import MachineLogs
import SafeText

/// What a plant answers.
package struct Measurement: Hashable, Sendable {
  /// [S], physical units.
  package var states: [Double]
  /// [W], physical units: what disturbs the machine now.
  package var disturbances: [Double] = []
  /// Whether the episode is over for the plant.
  package var isDone: Bool
  /// Whether that is a success, if it says so.
  package var isSuccess: Bool?
  /// A reward that the plant measures, if it does.
  package var reward: Double?
  /// What the operator commands in place of the controller [A]; nil where nobody does.
  package var override: [Double]?
  /// When it was measured, by the plant's own clock (s), if it says so.
  package var time: Double?
  /// Seconds for which it may have lain unread, because this process did not run.
  package var age = 0.0

  package init(
    _ states: [Double], isDone: Bool = false, reward: Double? = nil, time: Double? = nil
  ) {
    (self.states, self.isDone, self.reward, self.time) = (states, isDone, reward, time)
  }
}

/// A machine, simulated or real, on a fixed time step.
package protocol Plant {
  /// For messages.
  var name: String { get }
  /// Measured states and their units.
  var states: [Channel] { get }
  var actions: [Channel] { get }
  /// Measured disturbances and their units.
  var disturbances: [Channel] { get }
  var actionLimits: [ClosedRange<Double>] { get }
  /// Seconds.
  var timeStep: Double { get }
  /// What a step lasts, see `PlantClock`.
  var clock: PlantClock? { get }
  /// What happened and is no failure, in words, since this was asked last.
  var remarks: [String] { mutating get }

  /// Starts an episode at `state` [S] (its own choice if nil); returns the first measurement.
  mutating func reset(to state: [Double]?, seed: UInt64) throws -> Measurement
  /// Applies an action [A] for one time step; returns the measurement at its end.
  mutating func step(_ action: [Double]) throws -> Measurement
  /// Ends: the plant gets the safe action [A] at once, also where an answer is still awaited, and is let go.
  @discardableResult mutating func close(safeAction: [Double]) -> SafeEnd
  /// From now on this is asked while an answer takes its time; false makes it fail with `PlantInterruption`.
  mutating func keepAsking(_ goesOn: @escaping () -> Bool)
}

extension Plant {
  package var clock: PlantClock? { nil }
  package var disturbances: [Channel] { [] }
  package var remarks: [String] { [] }

  @discardableResult package mutating func close(safeAction: [Double]) -> SafeEnd {
    do {
      return SafeEnd(.confirmed, after: try step(safeAction))
    } catch {
      return SafeEnd(.failed("\(error)"))
    }
  }
  /// Simulations answer at once.
  package mutating func keepAsking(_ goesOn: @escaping () -> Bool) {}
}

/// How the time of a plant's steps is known.
package enum PlantClock: String, Hashable, Sendable, Codable, CaseIterable {
  /// Steps last as long as they take: BAGEL waits until each is due, and rows have real stamps.
  case machine
  /// Every step is one time step, however long it is computed.
  case simulation
}

/// Whether a plant took the safe action that ended an episode.
package struct SafeEnd: Hashable, Sendable {
  package enum Delivery: Hashable, Sendable {
    /// It answered the safe action.
    case confirmed
    /// It was sent and read, and not answered: why, in words.
    case sent(String)
    /// It did not reach the plant: why, in words.
    case failed(String)
    /// Nothing is to be stopped: the plant was done, and ended by itself without an error.
    case finished
    /// The plant was not running: it had not been started, or was closed before.
    case notStarted
  }

  package var delivery: Delivery
  /// The answer that was awaited when the safe action was sent: the state at which it began to act.
  package var awaited: Measurement?
  /// The answer to the safe action.
  package var after: Measurement?
  /// The last action before it that was written to the plant [A]; nil where that is not known.
  package var held: [Double]?

  package init(_ delivery: Delivery, awaited: Measurement? = nil, after: Measurement? = nil) {
    (self.delivery, self.awaited, self.after) = (delivery, awaited, after)
  }

  package var wasTaken: Bool {
    switch delivery {
    case .confirmed, .sent: true
    case .failed, .notStarted, .finished: false
    }
  }

  /// For people.
  ///
  /// - Parameter last: the action before [A], which a plant that was not reached may hold.
  package func words(after last: [Double]?) -> String {
    switch delivery {
    case .confirmed: return "safe action sent"
    case .sent(let why): return "safe action sent, not confirmed (\(why))"
    case .finished: return "the plant's program had finished"
    case .notStarted: return "the plant was not running"
    case .failed(let why):
      let held = (held ?? last)?.map(shortest).joined(separator: ", ") ?? "its last action"
      return "safe action NOT delivered: the machine may hold \(held) (\(why))"
    }
  }
}

/// What is wrong with a plant, with its own words.
package struct PlantFailure: Fault {
  package let plant: String
  package let problem: String
  /// Steps of the episode before, if it was in one.
  package var step: Int?

  package init(plant: String, _ problem: String) { (self.plant, self.problem) = (plant, problem) }

  package var statement: String {
    "plant '\(shortened(plant))'\(step.map { ", step \($0)" } ?? ""): \(problem)"
  }
}

/// An answer that was not waited for (Ctrl-C).
package struct PlantInterruption: Error {}

/// The shortest text that reads back as the same number, whole numbers without a point: also JSON.
func shortest(_ value: Double) -> String {
  let text = "\(value)"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// A simulated plant whose parameters have names.
package protocol SimulatedPlant: Plant, Sendable {
  /// Names of the physical parameters, and where they are.
  static var parameters: [(name: String, path: WritableKeyPath<Self, Double> & Sendable)] { get }
  /// The true state [S], without noise.
  var trueState: [Double] { get }
}

extension SimulatedPlant {
  package var clock: PlantClock? { .simulation }
}

extension SimulatedPlant {
  package static var parameterNames: [String] { parameters.map(\.name) }
  /// The largest value of a parameter that makes sense, in its own units.
  package static func largest(_ parameter: String) -> Double {
    // A delay is a buffer of inner steps.
    parameter.hasSuffix("Delay") ? 100 : 1e6
  }

  /// Sets a parameter; false if there is none of this name.
  package mutating func set(_ name: String, to value: Double) -> Bool {
    guard let path = Self.parameters.first(where: { $0.name == name })?.path else { return false }
    self[keyPath: path] = value
    return true
  }

  /// Multiplies every parameter by a factor of its own, uniform in 1 - spread ... 1 + spread.
  package mutating func vary(by spread: Double, seed: UInt64) {
    let draws = DrawKey(seed: seed, stream: .plantSpread).uniforms(
      particle: 0, step: 0, count: Self.parameters.count)
    for (parameter, u) in zip(Self.parameters, draws) {
      self[keyPath: parameter.path] *= 1 + spread * (2 * u - 1)
    }
  }
}
