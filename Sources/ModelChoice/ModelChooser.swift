// SPDX-License-Identifier: Apache-2.0
// Which model of a log: candidates are fitted to all of it, conditioned anew without each of four blocks in turn, run from there
// along the logged actions, and judged by the CRPS of what they predict 1 to 100 steps ahead, over that of references (the better,
// by state and horizon, of staying where one is and of least squares on up to eight rows). Greedy: each stage varies what the
// stages before it found best.

import Foundation
import GaussianProcesses
import MachineLogs

/// Chooses a model of episodes.
package struct ModelChooser {
  private let trial: CandidateTrial
  private let stages: CandidateStages
  private let layout: LogLayout
  private let plain: PlainModel
  private let choice: ChoiceOptions
  private var episodes: [Episode] { trial.episodes }
  private var forms: CandidateForms { stages.forms }

  /// Of the progress, the part that is the last fit's; process noise has what is left.
  private static let shareOfFit = 0.07

  /// - Parameters:
  ///   - episodes: to learn from.
  ///   - layout: of their channels.
  ///   - plain: the model if nothing better is found; its priors and device hold for all candidates.
  ///   - choice: what may be chosen, and for what.
  package init(
    _ episodes: [Episode], layout: LogLayout, plain: PlainModel, choice: ChoiceOptions
  ) {
    var plain = plain
    // Forecasts need no table of the posterior.
    if choice.purpose == .forecasts { plain.options.prior?.smallestShape = 0 }
    self.layout = layout
    self.plain = plain
    self.choice = choice
    var layout = layout
    layout.rewardColumn = nil
    let rates = layout.measuredRates(in: episodes)
    let deadTimes = choice.fixed.contains(.histories) ? [] : layout.deadTimes(in: episodes)
    let history = HorizonReference.histories.max() ?? 1
    trial = CandidateTrial(
      episodes: episodes,
      blocks: LeftOutBlock.blocks(
        of: episodes,
        rowsBefore: max(
          Horizons.rowsBefore, plain.form.longestLag, (deadTimes.max() ?? 0) + history - 1)),
      usual: usualValues(episodes, layout.measured))
    stages = CandidateStages(
      trial: trial,
      free: CandidateForms(
        layout: layout, rates: rates, plain: plain, fixed: []),
      forms: CandidateForms(
        layout: layout, rates: rates, plain: plain, fixed: choice.fixed),
      choice: choice, effort: Effort(rows: episodes.reduce(0) { $0 + $1.count }),
      deadTimes: deadTimes)
  }

  /// nil where the data are too few to judge any candidate by: the plain model is as good a guess as another.
  ///
  /// Throws: `LogError`, `FactorizationError` where no candidate can be fitted.
  package func choose(progress: @escaping (Double) -> Void = { _ in }) throws -> ChosenModel? {
    try checkInputs()
    var contest = Contest(effort: stages.effort, choice: choice, progress: progress)
    try stages.considerStraight(&contest)
    guard contest.reference?.scores.isEmpty == false else { return nil }
    if choice.purpose == .search { try stages.considerPlain(&contest) }
    try stages.considerCurved(&contest)
    guard let place = contest.winner, let reference = contest.reference else {
      // The last: candidates before the plain one may want more rows than there are.
      let reason = contest.judged.compactMap(\.failure).last ?? "there are too few rows"
      throw LogError(
        file: episodes.map(\.name).joined(separator: ", "), "no model can be fitted: \(reason)")
    }
    let best = place.tried
    var (model, results) = try DynamicsModel.fit(
      episodes, layout: layout, form: best.model.fittedForm,
      options: choice.purpose == .search ? forms.thorough(best.options) : best.options,
      start: best.model, rewardOptions: plain.options
    ) { progress(Contest.shareOfCandidates + Self.shareOfFit * $0) }
    let noise =
      choice.purpose == .search && !choice.fixed.contains(.noise)
      ? processNoise(of: model, best.options) : nil
    if case .judged(let figures) = noise, figures.isSure { model.processNoise = figures.noise }
    progress(1)
    return ChosenModel(
      model: model, results: results, candidates: contest.judged, chosen: place.index,
      forecasts: HorizonForecasts(
        try DynamicsMean(model), best.runs, measured: forms.layout.measured, usual: trial.usual),
      reference: reference, relevance: best.shape.selected.isEmpty ? nil : contest.relevance,
      noise: noise)
  }

  /// What rollouts should draw beside the function. Where blocks cannot tell, the paper's draws stay: the model itself is good.
  private func processNoise(
    of model: DynamicsModel, _ options: FitOptions
  ) -> ProcessNoiseJudgement {
    do {
      let figures = try ProcessNoiseChoice(model, learntFrom: episodes, options).choose()
      return figures.map { .judged($0) }
        ?? .unknown(reason: "fewer than two left-out blocks can judge")
    } catch {
      return .unknown(reason: "\(error)")
    }
  }

  /// Throws `LogError` where no process can read as few inputs as what draws from it takes.
  private func checkInputs() throws {
    let least = [forms.form(forms.fixing(CandidateShape(linear: .joint))), plain.form]
      .map(\.mostInputs).min()
    guard let least, let most = choice.mostInputs, least > most else { return }
    throw LogError(
      file: episodes.map(\.name).joined(separator: ", "),
      "a model reads at least \(least) inputs, but the task's sampler allows \(most); set sampler: sparse, love or "
        + "automatic")
  }
}
