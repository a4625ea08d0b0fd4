// SPDX-License-Identifier: Apache-2.0
// The form and options that a candidate's parts become. Derived rates follow from their positions; positions may follow from
// measured rates; the other states have their own outputs. What a task fixes is as in its plain model.

import GaussianProcesses
import MachineLogs

/// What candidates of a log have in common.
struct CandidateForms: Sendable {
  let layout: LogLayout
  /// Position -> its measured rate.
  let rates: [Int: Int]
  let plain: PlainModel
  let fixed: Set<ModelPart>

  /// Searches of hyperparameters are short: what is compared are structures.
  func options(_ shape: CandidateShape) -> FitOptions {
    var options = plain.options
    options.criterion = .marginalLikelihood
    options.linear = shape.linear
    options.straightOutputs = shape.straightOutputs
    options.mean = shape.linear == .joint ? shape.mean : .zero
    options.profile = shape.profile
    options.ridge = shape.ridge
    options.runSteps = shape.runSteps
    options.likelihood = nil
    options.subset = 400
    options.fullIterations = 0
    return options
  }

  /// A candidate's options with the search of hyperparameters that the task wants.
  func thorough(_ options: FitOptions) -> FitOptions {
    var options = options
    options.criterion = plain.options.criterion
    options.likelihood = plain.options.likelihood
    options.subset = plain.options.subset
    options.fullIterations = plain.options.fullIterations
    return options
  }

  /// The shape with the fixed parts in place of its own, so that two that differ in these alone are one.
  func fixing(_ shape: CandidateShape) -> CandidateShape {
    var shape = shape
    if fixed.contains(.covariance) { shape.profile = plain.options.profile }
    if fixed.contains(.mean) {
      (shape.linear, shape.mean, shape.ridge) = (.joint, plain.options.mean, 0)
      shape.runSteps = 1
      // Beside no linear part, what processes do not read is read by nothing.
      (shape.rows, shape.processRows) = (min(shape.processRows ?? shape.rows, shape.rows), nil)
      if !shape.processesReadFilters { shape.filters = [] }
      (shape.straightOutputs, shape.curvedStates) = ([], [])
    }
    shape.isBesidePhysics = shape.linear == .joint && plain.options.physics != nil
    if fixed.contains(.histories) {
      (shape.rows, shape.processRows, shape.hasGivenRows) = (1, nil, true)
      (shape.filters, shape.deadTimes, shape.hasFeedthrough) = ([], [], false)
    }
    if fixed.contains(.integrals) { shape.kinematics = nil }
    let newest = shape.deadTimes.min() ?? 0
    if newest > 0 { shape.hasFeedthrough = false }
    if shape.filters.isEmpty { shape.processesReadFilters = true }
    return shape
  }

  func form(_ shape: CandidateShape) -> ModelForm {
    let form = wholeForm(shape)
    guard shape.selected.count == form.outputCount else { return form }
    return form.reading(shape.selected)
  }

  /// The form in which all processes read the same.
  private func wholeForm(_ shape: CandidateShape) -> ModelForm {
    let updates = updates(shape)
    if shape.hasGivenRows {
      return updates == plain.form.updates
        ? plain.form : ModelForm(features: plain.form.features, updates: updates)
    }
    var features: [InputFeature] = []
    // Rows before the newest that tells anything.
    var ages: [Int] = []
    func add(_ feature: InputFeature, age: Int) {
      features.append(feature)
      ages.append(age)
    }
    for lag in 0..<shape.rows {
      for (i, channel) in layout.states.enumerated() where isRead(i) {
        switch (channel.turn, channel.source) {
        case (let turn?, _):
          // An angle that turns has no history as a number; its derived rate stands for it.
          if lag == 0 {
            add(.sine(i, radians: 2 * .pi / turn), age: 0)
            add(.cosine(i, radians: 2 * .pi / turn), age: 0)
          }
        case (nil, .column): add(.state(i, lag: lag), age: lag)
        case (nil, .rate(let base, _)):
          let position = layout.states.firstIndex { $0.name == base }
          let isTold = position.map { layout.states[$0].turn == nil && isRead($0) } ?? false
          if !isTold { add(.state(i, lag: lag), age: lag) }
        }
      }
    }
    for age in (shape.hasFeedthrough ? -1 : 0)..<shape.rows {
      for j in layout.actions.indices {
        let deadTime = shape.deadTimes.indices.contains(j) ? shape.deadTimes[j] : 0
        // A command that acts late has not acted on the predicted row.
        if age >= 0 || deadTime == 0 { add(.action(j, lag: deadTime + age), age: age) }
      }
      // What will disturb is not known.
      for (w, disturbance) in layout.disturbances.enumerated() where age >= 0 {
        if age == 0 || !disturbance.isConstant { add(.disturbance(w, lag: age), age: age) }
      }
    }
    for steps in shape.filters {
      for j in layout.actions.indices {
        add(.filteredAction(j, steps: steps), age: shape.processesReadFilters ? 0 : .max)
      }
    }
    let outputs = updates.count { if case .increment = $0 { true } else { false } }
    let read = features.indices.filter { ages[$0] < (shape.processRows ?? shape.rows) }
    return ModelForm(
      features: features, updates: updates, inputs: (0..<outputs).map { _ in read })
  }

  /// Whether the motion may depend on a state: the plain model reads it.
  private func isRead(_ state: Int) -> Bool { plain.form.statesRead.contains(state) }

  /// How a task says that a position follows from a measured rate.
  private func givenIntegral(_ state: Int) -> StateUpdate? {
    guard fixed.contains(.integrals),
      case .trapezoidalIntegral(let rate) = plain.form.updates[state],
      layout.states[rate].source == .column
    else { return nil }
    return plain.form.updates[state]
  }

  private func updates(_ shape: CandidateShape) -> [StateUpdate] {
    // Inputs and known physics are of the outputs that the task has.
    if fixed.contains(.inputs) || plain.options.physics != nil { return plain.form.updates }
    var output = 0
    return layout.states.enumerated().map { i, channel in
      if case .rate(let base, _) = channel.source,
        let position = layout.states.firstIndex(where: { $0.name == base }),
        givenIntegral(position) == nil
      {
        return .difference(
          of: position, smoothing: channel.source.smoothing(timeStep: layout.timeStep))
      }
      if let integral = givenIntegral(i) { return integral }
      if let kinematics = shape.kinematics, let rate = rates[i] {
        return kinematics.update(rate: rate)
      }
      defer { output += 1 }
      return .increment(output: output)
    }
  }
}
