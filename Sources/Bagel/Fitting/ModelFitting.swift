// SPDX-License-Identifier: Apache-2.0
// Algorithm 1, lines 3 and 6: get the transitions, learn the dynamics, judge them.

import Draws
import Formulas
import Foundation
import GaussianProcesses
import MachineLogs
import ModelChoice
import Plants
import SafeText
import Tasks

/// A learnt model, and how it was learnt.
public struct FittedModel: Sendable {
  public var model: DynamicsModel
  /// One per output.
  package var results: [FitResult]
  /// Seconds of learning, without reading the logs.
  package var seconds: Double
  package var training: [Episode]
  /// How the model was chosen; nil if the task fixes the model, or if there are too few data for a choice.
  package var choice: ChosenModel?
  /// Episodes that judge the model, and one row of figures per state; empty without such episodes.
  package var heldOutEpisodes: [Episode]
  public var heldOut: [HeldOutFigures]
  /// What it predicts of measured values over the horizon, as distributions; nil where nothing asked for it.
  package var forecasts: HorizonForecasts?
  /// How well, on the held-out episodes, beside references.
  package var horizons: HorizonFigures?
  /// What its errors on them still hold.
  package var residuals: [ResidualFigures] = []
  /// What was left out of the logs when they were read, and what is odd in them, in words for people.
  package var notes: [String]
  /// What a model of these data cannot know, and what may help it.
  package var findings: [String]
  package var advice: [String]

  package init(
    model: DynamicsModel, results: [FitResult], seconds: Double, training: [Episode],
    choice: ChosenModel? = nil, heldOutEpisodes: [Episode], heldOut: [HeldOutFigures],
    notes: [String] = [],
    findings: [String] = [],
    advice: [String] = []
  ) {
    (self.notes, self.findings, self.advice) = (notes, findings, advice)
    self.model = model
    self.results = results
    self.seconds = seconds
    self.training = training
    self.choice = choice
    self.heldOutEpisodes = heldOutEpisodes
    self.heldOut = heldOut
  }
}

extension ControlTask {
  /// Learns the dynamics.
  ///
  /// - Parameters:
  ///   - seed: of collected data, where there are no logs.
  ///   - progress: an estimate of the fraction done, after every evaluation of the likelihood.
  /// - Throws: `LogError`, `FactorizationError`.
  package func fit(
    seed: UInt64 = 0, progress: @escaping (Double) -> Void = { _ in }
  ) throws -> FittedModel {
    try fit(try trainingEpisodes(seed: seed), progress: progress)
  }

  /// Learns the dynamics from episodes.
  ///
  /// - Parameters:
  ///   - training: episodes to learn from.
  ///   - earlier: an earlier model whose hyperparameters are one more start, where nothing is chosen.
  ///   - progress: gets the fraction done, from any thread.
  /// - Throws: `LogError`, `FactorizationError`.
  package func fit(
    _ training: [Episode], from earlier: DynamicsModel? = nil,
    progress: @escaping (Double) -> Void = { _ in }
  ) throws -> FittedModel {
    func place(_ log: LogSource) -> String {
      URL(fileURLWithPath: log.path).standardizedFileURL.resolvingSymlinksInPath().path
    }
    let learntFrom = Set(logs.map(place))
    if let both = heldOutLogs.first(where: { learntFrom.contains(place($0)) }) {
      throw LogError(
        file: both.path,
        "is both learnt from and held out; only a log that is not learnt from can judge a model, so remove it from one of them"
      )
    }
    let held = try layout.episodes(from: heldOutLogs, needsExcitation: false)
    for episode in held {
      guard let original = episode.original(among: training) else { continue }
      throw LogError(
        file: episode.name,
        "has the same rows as \(original.name), which is learnt from; only a log that is not learnt from can judge a model"
      )
    }
    try checkQuantities(on: training + held)
    let start = ContinuousClock.now
    let plain = PlainModel(form: try modelForm(), options: model.fit)
    let choice =
      model.choice.isOpen
      ? try ModelChooser(training, layout: layout, plain: plain, choice: model.choice)
        .choose(progress: progress) : nil
    let (model, results) =
      try choice.map { ($0.model, $0.results) }
      ?? DynamicsModel.fit(
        training, layout: layout, form: plain.form, options: plain.options,
        restCount: self.model.restPseudoData,
        start: earlier?.fittedForm == plain.form ? earlier : nil, progress: progress)
    let notes = (training + held).flatMap(\.notes)
    // What a log with faults in it advises is the faults' advice.
    let data = DataFindings(
      training, layout: layout, form: plain.form,
      hasChosenHistories: choice != nil && !self.model.choice.fixed.contains(.histories))
    let seconds = start.duration(to: .now).seconds
    let (forecasts, horizons) = try judge(model, choice, training: training, held)
    var fitted = FittedModel(
      model: model, results: results, seconds: seconds,
      training: training, choice: choice,
      heldOutEpisodes: held,
      heldOut: held.isEmpty ? [] : try model.heldOutFigures(held, training: training),
      notes: notes,
      findings: layout.copies(among: training) + layout.differences(between: training)
        + layout.differences(of: held, from: training)
        + data.warnings + levelSentences(of: model) + outputsWithoutCommand
        + (model.physics?.untold ?? [])
        + (self.model.choice.isOpen && choice == nil ? [Self.tooFewRows] : []),
      advice: notes.isEmpty ? data.advice : [])
    (fitted.forecasts, fitted.horizons) = (forecasts, horizons)
    if let forecasts, !held.isEmpty {
      fitted.residuals = forecasts.residualFigures(held)
    }
    return fitted
  }

  /// Refuses quantities that are no number where they are needed: one that the model reads in some row, one that goals are of in
  /// every row. Throws: `LogError`.
  private func checkQuantities(on episodes: [Episode]) throws {
    let read = Set(self.model.inputs.values.joined())
    let names = layout.states.map(\.name) + layout.exogenous.map(\.name)
    for named in namedFormulas where read.contains(named.name) {
      let evaluator = FormulaEvaluator(named.formula, names: names)
      for episode in episodes {
        for row in episode.states.indices {
          let disturbances = episode.disturbances.isEmpty ? [] : episode.disturbances[row]
          let value = evaluator.value(
            episode.states[row] + episode.actions[row] + disturbances)
          guard !value.isFinite else { continue }
          throw LogError(
            file: place,
            "the quantity '\(named.name)', which the model reads, is \(value) at \(format(Double(row) * episode.timeStep)) s of "
              + "\(episode.name): a root or logarithm of a negative number or zero, or a division by zero"
          )
        }
      }
    }
    for quantity in objective.goalQuantities ?? [] {
      let isSomewhere = episodes.contains { $0.states.contains { quantity.value($0).isFinite } }
      guard isSomewhere else {
        throw LogError(
          file: place, column: quantity.name,
          "has goals, but is not a number at any logged state: \(shortened(quantity.statement))")
      }
    }
  }

  private static let tooFewRows =
    "there are too few data to choose a model by its predictions over the horizon: the plain model is used"

  /// Forecasts over the horizon and their figures, where there are held-out episodes.
  private func judge(
    _ model: DynamicsModel, _ choice: ChosenModel?, training: [Episode], _ held: [Episode]
  ) throws -> (HorizonForecasts?, HorizonFigures?) {
    guard !held.isEmpty else { return (choice?.forecasts, nil) }
    let forecasts =
      try choice?.forecasts
      ?? HorizonForecasts(of: model, learntFrom: training, self.model.fit)
    let reference =
      try choice?.reference ?? HorizonReference(of: training, layout: layout)
    return (forecasts, HorizonFigures(held, layout: layout, forecasts, reference))
  }

  /// Commands that the data have at few levels only.
  package func levelSentences(of model: DynamicsModel) -> [String] {
    model.commandLevels.map { action, levels in
      "'\(layout.actions[action].name)' has only the values "
        + levels.map(format).joined(separator: ", ")
        + " in the logs: between them the model has no data, and a policy is not tested"
    }
  }

  /// What is doubtful of the goals on a model, in words.
  package func goalWarnings(_ model: DynamicsModel) -> [String] {
    var warnings = goalsOutside(model)
    if case .fixed = objective.goal { return warnings }
    if objective.hasGoal && policy.goalInput == .none {
      warnings.append(
        "goals are drawn, but the policy does not read them, so it cannot reach them; set policy: {goal: error}"
      )
    }
    return warnings
  }

  /// States whose goals reach beyond a model's data, in words.
  package func goalsOutside(_ model: DynamicsModel) -> [String] {
    // Goals of quantities are where the data are, or refused.
    guard objective.goalQuantities == nil, let goals = objective.goal.support else { return [] }
    return layout.states.indices.compactMap { i in
      let (data, channel) = (model.stateBounds[i], layout.states[i])
      let margin = 0.1 * (data.upperBound - data.lowerBound)
      let (low, high) = (goals[i].lowerBound, goals[i].upperBound)
      guard channel.turn == nil,
        low < data.lowerBound - margin || high > data.upperBound + margin
      else { return nil }
      let unit = channel.units.isEmpty ? "" : " " + channel.units
      return
        "the goal of '\(channel.name)', \(low == high ? format(low) : "\(format(low)) to \(format(high))")\(unit), is outside "
        + "the data (\(format(data.lowerBound)) to \(format(data.upperBound))): the model extrapolates there; log the machine nearer to the goal"
    }
  }
}

extension LogWriter {
  /// A log NAME.csv of an episode, or NAME-2.csv and so on: what is there may be what a machine did, and cannot be had again.
  ///
  /// Throws: `LogWritingError`.
  convenience init(
    episode name: String, in folder: String, _ layout: LogLayout
  ) throws {
    let path = firstFreePath { "\(folder)/\(name)\($0 == 1 ? "" : "-\($0)").csv" }
    try self.init(path: path, layout: layout)
  }

  /// The log simulated-NUMBER.csv, in place of an earlier one: a simulation can be had again.
  ///
  /// Throws: `LogWritingError`.
  convenience init(simulation number: Int, in folder: String, _ layout: LogLayout) throws {
    let path = "\(folder)/simulated-\(number).csv"
    unlink(path)
    try self.init(path: path, layout: layout)
  }
}
