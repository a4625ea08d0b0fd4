// SPDX-License-Identifier: Apache-2.0
// The model of a task: the form that its options describe, and whether a fitted model still has this form.

import GaussianProcesses
import MachineLogs
import SafeText

extension ControlTask {
  /// The form of the model that the options describe. Throws: `LogError` for names that do not exist.
  package func modelForm() throws -> ModelForm {
    var integrals: [Int: StateUpdate] = [:]
    for (index, channel) in layout.states.enumerated() {
      if case .rate(let base, _) = channel.source,
        let position = layout.states.firstIndex(where: { $0.name == base })
      {
        integrals[position] = .backwardIntegral(
          rate: index, smoothing: channel.source.smoothing(timeStep: layout.timeStep))
      }
    }
    for (position, rate) in model.integrals {
      integrals[try stateIndex(position)] = .trapezoidalIntegral(rate: try stateIndex(rate))
    }
    for (position, update) in integrals {
      guard let rate = update.rate, rate != position, integrals[rate] == nil else {
        throw LogError(
          file: place,
          "'\(shortened(layout.states[position].name))' integrates a state that is itself integrated; a rate must "
            + "be predicted by the model")
      }
    }
    let form = ModelForm(
      states: layout.states.count, actions: layout.actions.count,
      disturbances: layout.disturbances.count,
      turns: Dictionary(
        uniqueKeysWithValues: layout.states.indices.compactMap { i in
          layout.states[i].turn.map { (i, $0) }
        }),
      ignored: Set(try model.ignored.map(stateIndex)), stateHistory: model.stateHistory,
      actionDelay: model.actionDelay, actionHistory: model.actionHistory, integrals: integrals)
    return model.inputs.isEmpty ? form : try selected(form)
  }

  /// Why a model is not one of this task as it is now, in words, or nil. Throws: `LogError` as `modelForm`.
  package func mismatch(with model: DynamicsModel) throws -> String? {
    func names(_ layout: LogLayout) -> String {
      "states \(layout.states.map(\.name)), actions \(layout.actions.map(\.name))"
        + (layout.disturbances.isEmpty
          ? "" : ", disturbances \(layout.disturbances.map(\.channel.name))")
        + " at \(layout.timeStep) s"
    }
    let found = model.layout
    guard names(found) == names(layout), found.states.map(\.source) == layout.states.map(\.source)
    else { return "is a model of \(names(found)), but the task has \(names(layout))" }
    func columns(_ layout: LogLayout) -> [String] {
      (layout.states + layout.exogenous).map(\.column)
    }
    guard columns(found) == columns(layout) else {
      return "was fitted to the columns \(columns(found)), but the task has \(columns(layout))"
    }
    if let changed = zip(found.disturbances, layout.disturbances).first(where: {
      $0.isConstant != $1.isConstant
    }) {
      return
        "was fitted with '\(changed.0.channel.name)' \(changed.0.isConstant ? "constant over" : "varying within") an episode, "
        + "but the task has changed this"
    }
    let choice = self.model.choice
    let form = try modelForm()
    let physics = self.model.fit.physics
    guard model.physics.map({ $0.isSame(as: physics) }) ?? (physics == nil) else {
      return "was fitted with other known physics, or another actionDelay, than the task has"
    }
    let own = model.fittedForm
    let ignored = Set(try self.model.ignored.map(stateIndex))
    let isOfForm =
      choice.isOpen
      ? found.states.map(\.turn) == layout.states.map(\.turn)
        && own.statesRead.isDisjoint(with: ignored)
        && (!choice.fixed.contains(.histories) || own.features == form.features)
        && (self.model.inputs.isEmpty || own == form)
        && (!choice.fixed.contains(.integrals) || own.integrates(as: form))
      : own == form
    guard isOfForm else {
      return
        "was fitted with other model options (inputs, histories, angles, integrals) than the task has"
    }
    guard model.processNoise == nil || !choice.fixed.contains(.noise) else {
      return "has draws that were learnt with it, but the task has another `noise:`"
    }
    guard !model.form.hasFeedthrough else {
      return "reads the command of the row that it predicts, which a controller does not have yet"
    }
    guard model.processes.allSatisfy({ !$0.isNoise }) else {
      return "has outputs without a Gaussian process, whose variance a search needs"
    }
    let isAsAsked = model.processes.allSatisfy { process in
      guard case .stationary(let covariance) = process.hyperparameters.covariance else {
        return false
      }
      return
        (!choice.fixed.contains(.covariance) || covariance.profile == self.model.fit.profile)
        && (!choice.fixed.contains(.mean) || physics != nil
          || process.hyperparameters.mean == self.model.fit.mean && model.linear == nil)
    }
    return isAsAsked
      ? nil : "was fitted with another covariance or mean than the task or its sampler has"
  }

  private func stateIndex(_ name: String) throws -> Int {
    guard let index = layout.states.firstIndex(where: { $0.name == name }) else {
      throw LogError(
        file: place,
        "'\(shortened(name))' is not a state; the states are "
          + layout.states.map(\.name).joined(separator: ", "))
    }
    return index
  }
}
