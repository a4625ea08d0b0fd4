// SPDX-License-Identifier: Apache-2.0
// A dynamics model as its file holds it: words (ModelStructure) and arrays, with the table that writes and reads them.
// The factorisations are not stored: they are computed again on reading, 0.1 s at n = 2,200.

import Foundation
import LinearAlgebra
import MachineLogs
import TensorFiles

/// Words and arrays of a dynamics model.
struct StoredModel {
  let structure: ModelStructure
  private var stateMean: [Double] = []
  private var stateScale: [Double] = []
  private var featureMean: [Double] = []
  private var featureScale: [Double] = []
  private var incrementMean: [Double] = []
  private var incrementScale: [Double] = []
  private var stateLower: [Double] = []
  private var stateUpper: [Double] = []
  private var featureLower: [Double] = []
  private var featureUpper: [Double] = []
  /// [r, S]
  private var loggedStates: [Double] = []
  /// [d, W] and [d]; empty where nothing disturbs.
  private var disturbedRows: [Double] = []
  private var disturbedStretches: [Double] = []
  /// [n, D]
  private var inputs: [Double] = []
  /// [M, D] and [M]; empty without a linear part.
  private var linearWeights: [Double] = []
  private var linearConstants: [Double] = []
  private var processes: [StoredProcess]
  private var reward: StoredReward?

  /// Without numbers yet.
  init(_ structure: ModelStructure) {
    self.structure = structure
    processes = structure.processes.map { StoredProcess($0) }
    reward = structure.reward.map { StoredReward($0) }
  }

  init(_ model: DynamicsModel) {
    self.init(
      ModelStructure(
        layout: model.layout, form: model.form, linear: model.linear.map { _ in true },
        physics: model.physics, processes: model.processes.map(\.structure),
        reward: model.rewardModel.map { RewardStructure($0) }, processNoise: model.processNoise))
    (stateMean, stateScale) = (model.stateStandardiser.mean, model.stateStandardiser.scale)
    (featureMean, featureScale) = (model.featureStandardiser.mean, model.featureStandardiser.scale)
    incrementMean = model.incrementStandardiser.mean
    incrementScale = model.incrementStandardiser.scale
    stateLower = model.stateBounds.map(\.lowerBound)
    stateUpper = model.stateBounds.map(\.upperBound)
    featureLower = model.featureBounds.map(\.lowerBound)
    featureUpper = model.featureBounds.map(\.upperBound)
    loggedStates = model.loggedStates.flatMap { $0 }
    disturbedRows = model.loggedDisturbances.rows.flatMap { $0 }
    disturbedStretches = model.loggedDisturbances.stretchOf.map(Double.init)
    inputs = model.features.values
    linearWeights = model.linear?.weights.values ?? []
    linearConstants = model.linear?.constants ?? []
    processes = model.processes.map { StoredProcess($0) }
    reward = model.rewardModel.map { StoredReward($0) }
  }

  /// The table.
  mutating func rows(_ table: inout TensorTable) throws(TensorFileError) {
    let states = TensorTable.Size.count(structure.layout.states.count)
    let features = TensorTable.Size.count(structure.form.features.count)
    let outputs = TensorTable.Size.count(structure.form.outputCount)
    try table.row("state_mean", &stateMean, [states], .physical)
    try table.row("state_scale", &stateScale, [states], .positive)
    try table.row("state_lower", &stateLower, [states], .physical)
    try table.row("state_upper", &stateUpper, [states], .notBelow(stateLower))
    try table.row("feature_mean", &featureMean, [features], .physical)
    try table.row("feature_scale", &featureScale, [features], .positive)
    try table.row("feature_lower", &featureLower, [features], .physical)
    try table.row("feature_upper", &featureUpper, [features], .notBelow(featureLower))
    try table.row("increment_mean", &incrementMean, [outputs], .physical)
    try table.row("increment_scale", &incrementScale, [outputs], .positive)
    try table.row("logged_states", &loggedStates, [.free("logged states"), states], .physical)
    if !structure.layout.disturbances.isEmpty {
      let width = TensorTable.Size.count(structure.layout.disturbances.count)
      let rows = TensorTable.Size.free("disturbed rows")
      try table.row("disturbed_rows", &disturbedRows, [rows, width], .physical)
      try table.row("disturbed_stretches", &disturbedStretches, [rows], .within(0...1e9))
    }
    try table.row("inputs", &inputs, [.free("points"), features], .standardised)
    if structure.linear == true {
      try table.row("linear_weights", &linearWeights, [outputs, features], .standardised)
      try table.row("linear_constants", &linearConstants, [outputs], .standardised)
    }
    for (m, output) in structure.form.outputs.enumerated() {
      try processes[m].rows(
        &table, suffix: "_\(m)", points: .free("points"), inputs: output.inputs.count)
    }
    try reward?.rows(&table)
  }

  /// The model. Throws: `TensorFileError`, also where a process cannot be conditioned on its data.
  func model(path: String) throws(TensorFileError) -> DynamicsModel {
    let states = Standardiser(mean: stateMean, scale: stateScale)
    let features = Standardiser(mean: featureMean, scale: featureScale)
    guard structure.form.features.aligned(features, states: states) == features else {
      throw TensorFileError(
        path: path, "is damaged: its inputs that are states have another scale than the states")
    }
    let columns = structure.form.features.count
    let all = Matrix(rows: inputs.count / columns, columns: columns, values: inputs)
    let x = structure.form.inputMatrices(all)
    try checkMemory(points: all.rows, path: path)
    // Side by side as they were fitted, so that the bits are the same.
    let (made, reward): ([GaussianProcess], RewardModel?)
    do {
      made = try inParallel(processes.count) { [processes] m in
        try processes[m].process(x[m], what: "output \(m)")
      }
      reward = try self.reward?.model(states: states)
    } catch {
      throw TensorFileError(path: path, "cannot be used: \(error)")
    }
    let logged = Matrix(
      rows: loggedStates.count / stateMean.count, columns: stateMean.count, values: loggedStates)
    return DynamicsModel(
      layout: structure.layout, form: structure.form, stateStandardiser: states,
      featureStandardiser: features,
      incrementStandardiser: Standardiser(mean: incrementMean, scale: incrementScale),
      featureBounds: zip(featureLower, featureUpper).map { $0...$1 },
      stateBounds: zip(stateLower, stateUpper).map { $0...$1 },
      loggedStates: (0..<logged.rows).map(logged.row),
      loggedDisturbances: loggedDisturbances,
      features: all,
      linear: structure.linear == true
        ? LinearPart(
          weights: Matrix(
            rows: linearConstants.count, columns: columns, values: linearWeights),
          constants: linearConstants) : nil, physics: structure.physics, processes: made,
      processNoise: structure.processNoise, rewardModel: reward)
  }

  private var loggedDisturbances: LoggedDisturbances {
    let count = structure.layout.disturbances.count
    if count == 0 { return LoggedDisturbances() }
    let rows = Matrix(rows: disturbedRows.count / count, columns: count, values: disturbedRows)
    return LoggedDisturbances(
      rows: (0..<rows.rows).map(rows.row), stretchOf: disturbedStretches.map { Int($0) })
  }

  /// Factorisations have n^2 numbers per output: a small file could ask for more memory than there is.
  private func checkMemory(points: Int, path: String) throws(TensorFileError) {
    let size = min(points, GaussianProcess.largestExact)
    let bytes = Double(processes.count) * Double(size) * Double(size) * 8
    let memory = Double(ProcessInfo.processInfo.physicalMemory)
    guard bytes < memory else {
      throw TensorFileError(
        path: path,
        "has \(processes.count) outputs of \(points) points, which take \(Int(bytes / 1e9)) GB of memory; this computer "
          + "has \(Int(memory / 1e9))")
    }
  }
}
