// SPDX-License-Identifier: Apache-2.0
// Plants: what a policy drives. In: actions [A] in physical units, one a time step. Out: measured states
// [S] in physical units, with noise. Simulated machines are structs here; each documents its parameters
// and their units as properties and lists them by name, so that an evaluation can vary them.

import MachineLogs
import Programs

/// What a plant answers.
public struct Measurement: Hashable, Sendable {
  /// [S], physical units.
  public var states: [Double]
  /// Whether the episode is over for the plant.
  public var isDone: Bool
  /// A reward that the plant measures, if it does.
  public var reward: Double?

  public init(_ states: [Double], isDone: Bool = false, reward: Double? = nil) {
    (self.states, self.isDone, self.reward) = (states, isDone, reward)
  }
}

/// A machine, simulated or real, on a fixed time step.
public protocol Plant {
  /// For messages.
  var name: String { get }
  /// Measured states and their units.
  var states: [Channel] { get }
  var actions: [Channel] { get }
  var actionLimits: [ClosedRange<Double>] { get }
  /// Seconds.
  var timeStep: Double { get }

  /// Starts an episode at `state` [S] (its own choice if nil); returns the first measurement.
  mutating func reset(to state: [Double]?, seed: UInt64) throws -> Measurement
  /// Applies an action [A] for one time step; returns the measurement at its end.
  mutating func step(_ action: [Double]) throws -> Measurement
  /// Ends: the plant gets the safe action [A] if it still listens, and is let go.
  mutating func close(safeAction: [Double])
  /// From now on this is asked while an answer takes its time; false makes it fail with `PlantInterruption`.
  mutating func keepAsking(_ goesOn: @escaping () -> Bool)
}

extension Plant {
  public mutating func close(safeAction: [Double]) { _ = try? step(safeAction) }
  /// Simulations answer at once.
  public mutating func keepAsking(_ goesOn: @escaping () -> Bool) {}
}

/// What is wrong with a plant, and what it said.
public struct PlantFailure: Error, CustomStringConvertible {
  public let plant: String
  public let problem: String

  public init(plant: String, _ problem: String) { (self.plant, self.problem) = (plant, problem) }

  public var description: String { "plant '\(plant)': \(problem)" }
}

/// An answer that was not waited for (Ctrl-C).
public struct PlantInterruption: Error {}

/// A simulated plant whose parameters have names.
public protocol SimulatedPlant: Plant, Sendable {
  /// Names of the physical parameters, and where they are.
  static var parameters: [(name: String, path: WritableKeyPath<Self, Double> & Sendable)] { get }
  /// The true state [S], without noise.
  var trueState: [Double] { get }
}

extension SimulatedPlant {
  public static var parameterNames: [String] { parameters.map(\.name) }

  /// Sets a parameter; false if there is none of this name.
  public mutating func set(_ name: String, to value: Double) -> Bool {
    guard let path = Self.parameters.first(where: { $0.name == name })?.path else { return false }
    self[keyPath: path] = value
    return true
  }

  /// Multiplies every parameter by a factor of its own, uniform in 1 - spread ... 1 + spread.
  public mutating func vary(by spread: Double, seed: UInt64) {
    let draws = DrawKey(seed: seed, iteration: 0x7661_7279).uniforms(
      particle: 0, step: 0, count: Self.parameters.count)
    for (parameter, u) in zip(Self.parameters, draws) {
      self[keyPath: parameter.path] *= 1 + spread * (2 * u - 1)
    }
  }
}
