// SPDX-License-Identifier: Apache-2.0
// Bagel: the whole way in four calls, for programs and for the command line.
//   ControlTask("boom") -> fit() -> optimize(model) -> evaluate(controller) -> Report
// In: a task (logs or a plant, model, policy, reward). Out: a model, a policy, episodes on a plant, a page
// with pictures. Importing Bagel imports the targets below it.

@_exported import Execution
@_exported import GaussianProcesses
@_exported import LinearAlgebra
@_exported import MachineLogs
@_exported import Plants
@_exported import Policies
@_exported import PolicySearch
@_exported import Programs
@_exported import Rollouts
@_exported import Samplers
@_exported import Tasks
@_exported import TensorFiles

extension ControlTask {
  /// The task's plant. Throws: `LogError` where it has none, or one with another number of
  /// channels, other units or another time step.
  public func makePlant() throws -> any Plant {
    guard let plant, let made = BuiltInPlants.make(plant) else {
      throw LogError(
        file: name,
        "names no plant; add `plant:` with one of "
          + BuiltInPlants.names.joined(separator: ", "))
    }
    guard made.states.count == layout.states.count, made.actions.count == layout.actions.count
    else {
      throw LogError(
        file: name,
        "has \(layout.states.count) states and \(layout.actions.count) actions, the plant '\(plant)' "
          + "\(made.states.count) (\(made.states.map(\.name).joined(separator: ", "))) and "
          + "\(made.actions.count)")
    }
    for (own, other) in zip(layout.states, made.states)
    where !own.units.isEmpty && own.units != other.units {
      throw LogError(
        file: name,
        "has the state '\(own.name)' in \(own.units) where the plant '\(plant)' has "
          + "'\(other.name)' in \(other.units); states stand in the plant's order")
    }
    guard abs(made.timeStep - layout.timeStep) < 1e-9 else {
      throw LogError(
        file: name,
        "has a time step of \(layout.timeStep) s, the plant '\(plant)' of "
          + "\(made.timeStep) s")
    }
    return made
  }
}
