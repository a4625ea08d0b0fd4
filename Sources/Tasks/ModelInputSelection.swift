// SPDX-License-Identifier: Apache-2.0
// The inputs that a task names for each output of its model -> a model form. A state is read now and in the earlier rows of the
// task's histories, a command at the lags of commands, a disturbance now, a quantity with the commands of each such lag.

import GaussianProcesses
import MachineLogs
import SafeText

/// What is wrong with an output's inputs.
struct InputFault: Error {
  let output: String
  let problem: String
}

extension ControlTask {
  /// A form whose outputs read what `model.inputs` says, and all else where it says nothing.
  ///
  /// - Parameter form: the same task's without it.
  /// - Throws: `InputFault`.
  func selected(_ form: ModelForm) throws -> ModelForm {
    let outputs = form.outputStates.map { layout.states[$0].name }
    if let other = model.inputs.keys.sorted().first(where: { !outputs.contains($0) }) {
      let isState = layout.states.contains { $0.name == other }
      throw InputFault(
        output: other,
        problem: (isState
          ? "is integrated or derived, not predicted" : "is not an output of the model")
          + "; the outputs are \(outputs.joined(separator: ", "))")
    }
    let lists = try outputs.map { output -> [InputFeature] in
      guard let names = model.inputs[output] else { return form.features }
      if names.isEmpty { throw InputFault(output: output, problem: "has no inputs") }
      return try names.flatMap { try features($0, of: output) }
    }
    // States, commands, formulas: as models without such lists have them.
    var all = form.features.filter { feature in lists.contains { $0.contains(feature) } }
    for feature in lists.joined() where !all.contains(feature) { all.append(feature) }
    return ModelForm(
      features: all, updates: form.updates,
      inputs: lists.map { list in all.indices.filter { list.contains(all[$0]) } })
  }

  /// The features of a name. Throws: `InputFault`.
  private func features(_ name: String, of output: String) throws -> [InputFeature] {
    let lags = model.actionDelay...model.actionDelay + model.actionHistory
    if let i = layout.states.firstIndex(where: { $0.name == name }) {
      if let turn = layout.states[i].turn { return InputFeature.present(i, turn: turn) }
      return (0...model.stateHistory).map { .state(i, lag: $0) }
    }
    if let j = layout.actions.firstIndex(where: { $0.name == name }) {
      return lags.map { .action(j, lag: $0) }
    }
    if let w = layout.disturbances.firstIndex(where: { $0.channel.name == name }) {
      return [.disturbance(w, lag: 0)]
    }
    guard let named = namedFormulas.first(where: { $0.name == name }) else {
      let known = channelNames + namedFormulas.map(\.name)
      let hint = nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
      throw InputFault(
        output: output,
        problem:
          "reads '\(shortened(name))', which is not a state, action, disturbance or quantity\(hint)"
      )
    }
    let formula = InputFormula(
      name: name, formula: named.formula, states: layout.states.map(\.name),
      actions: layout.actions.map(\.name),
      disturbances: layout.disturbances.map(\.channel.name))
    return formula.readsCommands
      ? lags.map { .formula(formula, lag: $0) } : [.formula(formula, lag: 0)]
  }

  /// Outputs that are given inputs of their own without a command, in words: nothing that a controller does moves them at once.
  package var outputsWithoutCommand: [String] {
    guard !model.inputs.isEmpty, let form = try? modelForm() else { return [] }
    let actions = Set(layout.actions.map(\.name))
    let driven =
      model.fit.physics?.rates.filter { !actions.isDisjoint(with: $0.formula.names) } ?? []
    return form.outputsWithoutCommand.filter { output in
      !driven.contains { $0.state == layout.states[output.state].name }
    }.map {
      "'\(layout.states[$0.state].name)' reads no command (model: {inputs: ...}); a controller moves it only through other "
        + "states"
    }
  }
}
