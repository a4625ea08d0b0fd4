// SPDX-License-Identifier: Apache-2.0
// The plant that a task names, checked against the task's channels, and how its episodes run.

import MachineLogs
import Plants
import Tasks

extension ControlTask {
  /// The task's plant.
  ///
  /// - Parameters:
  ///   - spread: every parameter of a simulated plant is multiplied by a factor within 1 - spread ... 1 + spread.
  ///   - seed: of those factors.
  /// - Throws: `LogError` where the task has no plant, or one with another number of channels, other units or another
  ///   time step.
  package func makePlant(spread: Double = 0, seed: UInt64 = 0) throws -> any Plant {
    if spread != 0, !isSimulated, let plant {
      throw LogError(
        file: place, "has the plant '\(plant.name)'; only a plant simulated by BAGEL can be varied")
    }
    switch plant {
    case .process(let process):
      return ExternalPlant(
        command: process.command, folder: process.folder, states: measuredChannels,
        actions: layout.actions,
        disturbances: layout.disturbances.map {
          Channel(name: $0.channel.column, units: $0.channel.units)
        }, actionLimits: actionLimits, safeAction: safeAction,
        timeStep: layout.timeStep, clock: process.clock, timeout: process.timeout,
        resetTimeout: process.resetTimeout)
    case .simulated(let name, let parameters):
      guard var made = BuiltInPlants.make(name) else { break }
      for (parameter, value) in parameters { _ = made.set(parameter, to: value) }
      if spread > 0 { made.vary(by: spread, seed: seed) }
      try check(made, name)
      return made
    case .own(let own): return own.make(self)
    case nil: break
    }
    throw LogError(
      file: place,
      "names no plant; add `plant:` with one of \(BuiltInPlants.names.joined(separator: ", ")), or a "
        + "program: plant: {process: [python3, my_plant.py]}")
  }

  /// The columns that are measured, with their units.
  var measuredChannels: [Channel] {
    layout.measuredColumns.map { column in
      Channel(
        name: column, units: layout.state(ofColumn: column).map { layout.states[$0].units } ?? "")
    }
  }

  private func check(_ made: any Plant, _ plant: String) throws {
    guard made.actions.count == layout.actions.count else {
      throw LogError(
        file: place,
        "has \(layout.actions.count) actions, but the plant '\(plant)' has \(made.actions.count)")
    }
    let columns: [Int]
    do {
      columns = try made.columns(for: layout)
      _ = try made.disturbances(of: layout)
    } catch let error as PlantFailure {
      throw LogError(file: place, "does not fit the plant '\(plant)': \(error.problem)")
    }
    for (own, index) in zip(measuredChannels, columns) {
      let other = made.states[index]
      guard own.units.isEmpty || own.units == other.units else {
        throw LogError(
          file: place,
          "has the state '\(own.name)' in \(own.units), but the plant '\(plant)' has "
            + "'\(other.name)' in \(other.units); list the states in the plant's order")
      }
    }
    guard abs(made.timeStep - layout.timeStep) < 1e-9 else {
      throw LogError(
        file: place,
        "has a time step of \(layout.timeStep) s, but the plant '\(plant)' has \(made.timeStep) s")
    }
  }

  /// An episode on the plant, at most so long (s).
  package func episodeRun(seconds: Double) -> EpisodeRun {
    var run = EpisodeRun(
      layout: layout, actionLimits: actionLimits, safeAction: safeAction,
      steps: Int((seconds / layout.timeStep).rounded()), limits: episodeLimits)
    run.doneMeans = doneMeans
    run.largestChange = largestActionChanges
    return run
  }

  /// Where states and quantities end episodes.
  private var episodeLimits: [EpisodeRun.Limit] {
    (layout.states.map(\.name) + quantities.map(\.name)).compactMap { name in
      quantity(name).flatMap { quantity in limits(of: name).map { .init(quantity, $0) } }
    }
  }

  /// A state of the task [S] as one of a simulated plant, which may have more; those begin at zero.
  func initialState(_ state: [Double], of plant: any Plant) -> [Double] {
    let columns = (try? plant.columns(for: layout)) ?? []
    var full: [Double] = plant.states.map { _ in 0 }
    for (column, index) in zip(layout.measuredColumns, columns) {
      if let own = layout.state(ofColumn: column) { full[index] = state[own] }
    }
    return full
  }
}
