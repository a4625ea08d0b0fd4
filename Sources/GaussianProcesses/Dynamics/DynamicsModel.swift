// SPDX-License-Identifier: Apache-2.0
// The machine's learnt dynamics: one Gaussian process per output, with the standardisers and the form
// that tie them to states and actions in physical units (paper, section III-A).

import Foundation
import LinearAlgebra
import MachineLogs
import SafeText

/// Gaussian-process dynamics of a machine.
public struct DynamicsModel: Sendable {
  package var layout: LogLayout
  package var form: ModelForm
  /// Of the states [S], on the training data.
  package var stateStandardiser: Standardiser
  /// Of the features [D].
  package var featureStandardiser: Standardiser
  /// Of the increments [M].
  package var incrementStandardiser: Standardiser
  /// Bounds of the training features [D], physical units.
  package var featureBounds: [ClosedRange<Double>]
  /// Bounds of the training states [S], physical units.
  package var stateBounds: [ClosedRange<Double>]
  /// States of the training data, evenly spread over it [n <= 1,000][S], physical units.
  package var loggedStates: [[Double]]
  /// Of the training data; empty where nothing disturbs.
  package var loggedDisturbances = LoggedDisturbances()
  /// Of the training data, standardised [n, D].
  package let features: Matrix
  /// What the increments have beside the processes; nil where these learn all.
  package internal(set) var linear: LinearPart?
  /// What was known beforehand, as it was fitted; its formulas are the last features.
  package internal(set) var physics: KnownPhysics?
  /// The form without the features of known physics: what a fit is given.
  package var fittedForm: ModelForm {
    physics.map { form.dropping(unread: $0.rates.count) } ?? form
  }
  /// One per output, on its own columns of `features` and standardised increments.
  package var processes: [GaussianProcess]
  /// One per output: how rollouts draw it; nil for independent draws with the noise that the sampler says.
  package var processNoise: [ProcessNoise]?
  /// Learnt from the log's reward channel, if there is one.
  package var rewardModel: RewardModel?

  package var outputNames: [String] { form.outputs.map { layout.states[$0.state].name } }

  /// Learns from episodes.
  ///
  /// - Parameters:
  ///   - episodes: with states and actions in the order of `layout`.
  ///   - layout: channels and time step.
  ///   - form: inputs and outputs of the Gaussian processes.
  ///   - options: covariance, criterion, iterations.
  ///   - restCount: rest transitions to add (`TransitionSet.addRest`).
  ///   - most: transitions that the processes learn from, evenly spread; a linear part learns from all.
  ///   - start: an earlier model of the same form whose hyperparameters are one more start.
  ///   - rewardOptions: of a learnt reward, if they are others.
  ///   - progress: called after every evaluation with an estimate of the fraction done.
  /// - Throws: `LogError` for too little data, `FactorizationError`.
  package static func fit(
    _ episodes: [Episode], layout: LogLayout, form: ModelForm, options: FitOptions,
    restCount: Int = 0, most: Int = .max, start: DynamicsModel? = nil,
    rewardOptions: FitOptions? = nil, progress: @escaping (Double) -> Void = { _ in }
  ) throws -> (model: DynamicsModel, results: [FitResult]) {
    let physics =
      options.linear == .joint
      ? try options.physics?.fitted(to: episodes, layout: layout, form: form) : nil
    let form = try physics.map { form.adding(unread: try $0.features(layout, form)) } ?? form
    var data = TransitionSet(episodes, form: form)
    precondition(
      start.map { $0.form.outputs == form.outputs } ?? true, "the start is a model of another form")
    let inputs = form.mostInputs
    if data.count == 0, let longest = episodes.map(\.count).max() {
      throw LogError(
        file: shortened(episodes.map(\.name).joined(separator: ", ")),
        "the longest episode has \(counted(longest, "row")), but the model reads \(form.longestLag) earlier rows and one later row"
      )
    }
    guard data.count >= inputs + 2 else {
      throw LogError(
        file: episodes.map(\.name).joined(separator: ", "),
        "\(data.count) transitions are too few for \(inputs) model inputs")
    }
    let states = episodes.flatMap(\.states)
    let stateStandardiser = Standardiser(fitting: states)
    var featureStandardiser = Standardiser(fitting: data.features)
    featureStandardiser = form.features.aligned(featureStandardiser, states: stateStandardiser)
    var incrementStandardiser = Standardiser(fitting: data.increments)
    let featureBounds = columnBounds(of: data.features)
    if restCount > 0 {
      let rates = Set(
        layout.states.indices.filter { layout.states[$0].source != .column }
          + form.updates.compactMap(\.rate))
      data.addRest(count: restCount, rates: rates, form: form)
    }
    var features = Matrix(data.features.map(featureStandardiser.standardise))
    var targets = Matrix(data.increments.map(incrementStandardiser.standardise))
    var linear: LinearPart?
    let known = physics?.linearPart(
      of: form, layout, features: featureStandardiser, increments: incrementStandardiser)
    if options.linear != .joint || known != nil {
      // What is left has a scale of its own, in which the processes learn it.
      let part =
        known
        ?? LinearPart(fitting: features, targets, ridge: options.ridge * Double(data.count))
      targets = targets - part.values(features)
      let left = Standardiser(fitting: (0..<targets.rows).map(targets.row)).scale
      linear = part.dividing(by: left)
      incrementStandardiser = Standardiser(
        mean: incrementStandardiser.mean,
        scale: zip(incrementStandardiser.scale, left).map { $0 * $1 })
      targets = targets.transposed.scalingRows(by: left.map { 1 / $0 }).transposed
    }
    let rows = evenlySpreadRows(count: data.count, wanted: most)
    if rows.count < data.count {
      features = features.selecting(rows: rows)
      targets = targets.selecting(rows: rows)
    }
    let outputs = try fitProcesses(
      form.inputMatrices(features), targets, episodeOf: rows.map { data.episodeOf[$0] },
      names: form.outputs.map { layout.states[$0.state].name }, options: options,
      hasLinearPart: linear != nil, starts: start?.processes.map(\.hyperparameters), progress)
    let (processes, results) = (outputs.map(\.process), outputs.map(\.result))
    let rewardModel = try layout.rewardColumn.map {
      try RewardModel(
        fitting: episodes, column: $0, states: stateStandardiser, turns: form.turns,
        options: rewardOptions ?? options)
    }
    var model = DynamicsModel(
      layout: layout, form: form, stateStandardiser: stateStandardiser,
      featureStandardiser: featureStandardiser, incrementStandardiser: incrementStandardiser,
      featureBounds: featureBounds, stateBounds: columnBounds(of: states),
      loggedStates: evenlySpreadRows(count: states.count, wanted: 1_000).map { states[$0] },
      loggedDisturbances: LoggedDisturbances(episodes),
      features: features, linear: linear, physics: physics, processes: processes,
      rewardModel: rewardModel)
    // The noise stays that of one step.
    model.linear = try linear?.fitted(toRunsOf: episodes, options, model)
    if options.isRefined { try model.refine(on: episodes, options) }
    return (model, results)
  }

  /// Moves linear part and processes to what is best for runs. Throws: `LogError`, `FactorizationError`.
  private mutating func refine(on episodes: [Episode], _ options: FitOptions) throws {
    guard let linear else { preconditionFailure("what is refined has a linear part of its own") }
    let before = processes
    let posteriors = try before.map {
      try $0.isNoise
        ? nil : LowRankPosterior($0, tolerance: 1e-3, largestRank: RunRefinement.rank)
    }
    let refined = try RunRefinement(
      self, linear: linear, posteriors: posteriors, on: episodes, options
    ).refined()
    self.linear = refined.linear
    let names = outputNames
    processes = try inParallel(before.count) { m in
      guard let posterior = posteriors[m] else { return before[m] }
      return try before[m].replacingMean(
        rows: posterior.pivotRows, weights: refined.processes[m], what: "output '\(names[m])'")
    }
  }

  /// One Gaussian process per output, side by side.
  private static func fitProcesses(
    _ x: [Matrix], _ targets: Matrix, episodeOf: [Int], names: [String], options: FitOptions,
    hasLinearPart: Bool, starts: [Hyperparameters]?, _ progress: @escaping (Double) -> Void
  ) throws -> [(process: GaussianProcess, result: FitResult)] {
    let shares = ProgressShares(names.count, progress)
    var options = options
    if hasLinearPart { options.mean = .zero }
    return try inParallel(names.count) { [options] output in
      let what = "output '\(names[output])'"
      let (x, y) = (x[output], targets.column(output))
      if !options.hasProcess(output) {
        let nothing = Hyperparameters.noise(inputs: x.columns)
        return (
          process: try GaussianProcess(nothing, x: x, y: y, what: what), result: FitResult(nothing)
        )
      }
      var result = try fitHyperparameters(
        x: x, y: y, options: options, episodeOf: episodeOf, start: starts?[output], what: what
      ) { shares.report($0, from: output) }
      let process =
        options.criterion == .marginalLikelihood
        ? try GaussianProcess(result.hyperparameters, x: x, y: y, what: what)
        : try GaussianProcess(
          calibrating: result.hyperparameters, x: x, y: y, noiseProfile: result.noiseProfile,
          episodeOf: episodeOf, inverse: result.inverse, what: what)
      result.inverse = nil  // n^2 numbers
      return (process: process, result: result)
    }
  }

  /// This model with processes that are conditioned on other rows.
  ///
  /// - Parameters:
  ///   - processes: one per output.
  ///   - features: of their rows, standardised [n, D].
  func with(_ processes: [GaussianProcess], of features: Matrix) -> DynamicsModel {
    var model = DynamicsModel(
      layout: layout, form: form, stateStandardiser: stateStandardiser,
      featureStandardiser: featureStandardiser, incrementStandardiser: incrementStandardiser,
      featureBounds: featureBounds, stateBounds: stateBounds, loggedStates: loggedStates,
      loggedDisturbances: loggedDisturbances, features: features, linear: linear, physics: physics,
      processes: processes, rewardModel: rewardModel)
    model.processNoise = processNoise
    return model
  }

  /// What the processes read of standardised features [m, D]: beside a linear part, which goes on outside the data, they stay with
  /// what they know there.
  func saturated(_ z: Matrix) -> Matrix { linear == nil ? z : kept(z) }

  /// Standardised features [m, D] kept in the box of `saturation`.
  func kept(_ z: Matrix) -> Matrix {
    let box = saturation
    var x = z
    for k in x.values.indices {
      let range = box[k % x.columns]
      x.values[k] = min(max(x.values[k], range.lowerBound), range.upperBound)
    }
    return x
  }

  /// The box of the training features and a margin, standardised [D].
  var saturation: [ClosedRange<Double>] {
    featureBounds.enumerated().map { d, range in
      let margin = Self.saturationMargin * (range.upperBound - range.lowerBound)
      let (mean, scale) = (featureStandardiser.mean[d], featureStandardiser.scale[d])
      return (range.lowerBound - margin - mean) / scale...(range.upperBound + margin - mean) / scale
    }
  }

  /// Bounds of the training states, standardised [S].
  package var standardisedStateBounds: [ClosedRange<Double>] {
    stateBounds.enumerated().map { i, range in
      let (mean, scale) = (stateStandardiser.mean[i], stateStandardiser.scale[i])
      return (range.lowerBound - mean) / scale...(range.upperBound - mean) / scale
    }
  }

  /// How far beyond them a run along logged actions may go before it stays, standardised [S]: nothing is known so far out.
  package var standardisedStateMargins: [Double] {
    standardisedStateBounds.map { 0.5 * ($0.upperBound - $0.lowerBound) }
  }

  private static let saturationMargin = 0.05

  /// Newest actions whose limits reach beyond the logged commands by more than a tenth of the limits' range:
  /// (action, logged range). The model guesses there.
  package func unloggedActions(
    limits: [ClosedRange<Double>]
  ) -> [(action: Int, logged: ClosedRange<Double>)] {
    form.newestActions.compactMap { d, action in
      let logged = featureBounds[d]
      let (limit, margin) = (
        limits[action], 0.1 * (limits[action].upperBound - limits[action].lowerBound)
      )
      let isInside =
        limit.lowerBound >= logged.lowerBound - margin
        && limit.upperBound <= logged.upperBound + margin
      return isInside ? nil : (action, logged)
    }
  }

  /// Posterior of the increments at features in physical units: mean, latent and observed standard
  /// deviation, each [m][M].
  package func predictIncrements(_ features: [[Double]]) -> (
    mean: [[Double]], latent: [[Double]], observed: [[Double]]
  ) {
    let z = Matrix(features.map(featureStandardiser.standardise))
    let x = form.inputMatrices(saturated(z))
    let linear = self.linear?.values(z)
    var mean = features.map { _ in [Double]() }
    var latent = mean
    var observed = mean
    for (output, process) in processes.enumerated() {
      let scale = incrementStandardiser.scale[output]
      let prediction = process.predict(x[output])
      let noisy = process.observedVariance(x[output], latent: prediction.variance)
      for i in features.indices {
        let standardised = prediction.mean[i] + (linear?[i, output] ?? 0)
        mean[i].append(standardised * scale + incrementStandardiser.mean[output])
        latent[i].append(prediction.variance[i].squareRoot() * scale)
        observed[i].append(noisy[i].squareRoot() * scale)
      }
    }
    return (mean, latent, observed)
  }
}

/// Least and greatest number of each column.
func columnBounds(of rows: [[Double]]) -> [ClosedRange<Double>] {
  rows[0].indices.map { c in
    let column = rows.map { $0[c] }
    return (column.min() ?? 0)...(column.max() ?? 0)
  }
}
