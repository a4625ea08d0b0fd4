// SPDX-License-Identifier: Apache-2.0
// Which model of a log: candidates are fitted to all of it, conditioned anew without each of four blocks in turn, run from there
// along the logged actions, and judged by the CRPS of what they predict 1 to 100 steps ahead, over that of references (the better,
// by state and horizon, of staying where one is and of least squares on up to eight rows). Greedy: each stage varies what the
// stages before it found best.

import Foundation
import GaussianProcesses
import MachineLogs

/// Chooses a model of episodes.
public struct ModelChooser {
  private let episodes: [Episode]
  private let layout: LogLayout
  /// Of lines, which leave out what a task fixes: for a search they only tell what to try.
  private let free: CandidateForms
  /// Of models with processes.
  private let forms: CandidateForms
  private let plain: PlainModel
  private let choice: ChoiceOptions
  private let blocks: [LeftOutBlock]
  private let usual: [Double]
  private let effort: Effort
  /// One a command; empty where none is late.
  private let deadTimes: [Int]

  /// Of the progress, the part that is the last fit's; process noise has what is left.
  private static let shareOfFit = 0.07
  /// Transitions that candidates' processes learn from.
  private static let fitted = 1_500
  /// Time constants of filtered commands, in steps: of quick, slower and slow machines.
  private static let filters = [[2.0, 5, 10], [5, 10, 30], [5, 20, 80]]
  /// Steps of the runs that linear models are fitted to.
  private static let linearSteps = 40
  /// And of those that processes are refined on, beside a linear part.
  private static let refinedSteps = 50
  private static let mostRefinedRows = 5
  /// Per transition: a little, which calms weights of features that go together ...
  private static let lightRidge = 0.01
  /// ... and so much that hardly any linear part is left: the processes learn the change.
  private static let heavyRidge = 10.0

  /// - Parameters:
  ///   - episodes: to learn from.
  ///   - layout: of their channels.
  ///   - plain: the model if nothing better is found; its priors and device hold for all candidates.
  ///   - choice: what may be chosen, and for what.
  public init(
    _ episodes: [Episode], layout: LogLayout, plain: PlainModel, choice: ChoiceOptions
  ) {
    self.episodes = episodes
    self.layout = layout
    self.plain = plain
    self.choice = choice
    var layout = layout
    layout.rewardColumn = nil
    let rates = layout.measuredRates(in: episodes)
    forms = CandidateForms(layout: layout, rates: rates, plain: plain, fixed: choice.fixed)
    free = CandidateForms(layout: layout, rates: rates, plain: plain, fixed: [])
    deadTimes = choice.fixed.contains(.histories) ? [] : layout.deadTimes(in: episodes)
    let history = HorizonReference.histories.max() ?? 1
    blocks = LeftOutBlock.blocks(
      of: episodes,
      rowsBefore: max(
        Horizons.rowsBefore, plain.form.longestLag, (deadTimes.max() ?? 0) + history - 1))
    usual = usualValues(episodes, layout.measured)
    effort = Effort(rows: episodes.reduce(0) { $0 + $1.count })
  }

  /// nil where the data are too few to judge any candidate by: the plain model is as good a guess as another.
  ///
  /// Throws: `LogError`, `FactorizationError` where no candidate can be fitted.
  public func choose(progress: @escaping (Double) -> Void = { _ in }) throws -> ChosenModel? {
    try checkInputs()
    var contest = Contest(effort: effort, choice: choice, progress: progress)
    try considerStraight(&contest)
    guard contest.reference?.scores.isEmpty == false else { return nil }
    if choice.purpose == .search { try considerPlain(&contest) }
    try considerCurved(&contest)
    guard let place = contest.winner, let reference = contest.reference else {
      // The last: candidates before the plain one may want more rows than there are.
      let reason = contest.judged.compactMap(\.failure).last ?? "there are too few rows"
      throw LogError(
        file: episodes.map(\.name).joined(separator: ", "), "no model can be fitted: \(reason)")
    }
    let best = place.tried
    var (model, results) = try DynamicsModel.fit(
      episodes, layout: layout, form: best.model.form,
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
        try DynamicsMean(model), best.runs, measured: forms.layout.measured, usual: usual),
      reference: reference, noise: noise)
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
      "a model reads \(least) inputs at least, and the task's sampler takes \(most); take sampler: sparse, love or "
        + "automatic")
  }

  /// Linear models: how many rows, then ridge, kinematics, feedthrough, dead times, filters.
  private func considerStraight(_ contest: inout Contest) throws {
    var linear: [TriedCandidate] = []
    for rows in HorizonReference.histories {
      let shape = CandidateShape(rows: rows)
      if let tried = contest.attempt(shape.name, { try tried(shape, free) }) {
        linear.append(tried)
      }
    }
    // They were fitted to one transition: a line has no processes. How far a run goes from the data, all of them tell.
    let means = try linear.map {
      try DynamicsMean(
        $0.model, conditionedOn: episodes, options: $0.options, rank: LeftOutBlock.rank)
    }
    let reference = HorizonReference(
      blocks, linear: Array(zip(means, linear.map(\.runs))), layout: forms.layout, usual: usual)
    contest.reference = reference
    contest.add(baselines: linear.map { scored($0, reference) })
    func vary(_ change: (inout CandidateShape) -> Void) throws {
      guard var shape = contest.straight?.shape else { return }
      change(&shape)
      try consider(shape, free, &contest)
    }
    try vary { $0.ridge = Self.lightRidge }
    for kinematics in CandidateShape.Kinematics.allCases where !forms.rates.isEmpty {
      try vary { $0.kinematics = kinematics }
    }
    if choice.purpose == .forecasts { try vary { $0.hasFeedthrough = true } }
    if !deadTimes.isEmpty {
      for rows in [2, contest.straight?.shape.rows ?? 1] {
        try vary { ($0.rows, $0.deadTimes) = (rows, deadTimes) }
      }
    }
    for filters in Self.filters { try vary { $0.filters = filters } }
    for rows in HorizonReference.histories {
      guard var shape = contest.straight?.shape else { continue }
      (shape.rows, shape.runSteps) = (rows, Self.linearSteps)
      if free.form(shape).canBeFittedToRuns { try consider(shape, free, &contest) }
    }
  }

  /// The model as the task has it.
  private func considerPlain(_ contest: inout Contest) throws {
    guard choice.takes(plain.form) else { return }
    var shape = CandidateShape(linear: .joint)
    (shape.profile, shape.mean) = (plain.options.profile, plain.options.mean)
    let name = "the plain model: \(plain.words)"
    contest.pay(effort.cost(shape, outputs: plain.form.outputCount))
    guard
      let tried = contest.attempt(
        name, { try tried(name, plain.form, forms.options(shape), shape: shape) })
    else { return }
    contest.add(plain: scored(tried, contest.reference))
  }

  /// Gaussian processes beside what the straight ones found, then what is varied of the best.
  private func considerCurved(_ contest: inout Contest) throws {
    let straight = contest.straight?.shape ?? CandidateShape()
    func curved(
      _ fit: LinearFit, rows: Int, processRows: Int? = nil, ridge: Double? = nil,
      filtersInLine: Bool = false, deadTimes: [Int]? = nil
    ) throws {
      var shape = straight
      if let deadTimes { shape.deadTimes = deadTimes }
      shape.processesReadFilters = !filtersInLine
      (shape.linear, shape.rows) = (fit, rows)
      shape.processRows = processRows.flatMap { $0 < rows ? $0 : nil }
      shape.runSteps = 1
      if let ridge { shape.ridge = ridge }
      if fit == .joint { (shape.ridge, shape.filters) = (0, []) }
      try consider(shape, forms, &contest)
    }
    try curved(.first, rows: straight.rows, processRows: 2)
    try curved(.first, rows: straight.rows, processRows: 1)
    if !straight.filters.isEmpty {
      try curved(.first, rows: straight.rows, processRows: 1, filtersInLine: true)
    }
    if !deadTimes.isEmpty && straight.deadTimes.isEmpty {
      try curved(.joint, rows: 1, deadTimes: deadTimes)
    }
    if choice.purpose == .search { try curved(.joint, rows: 1) }
    try curved(.joint, rows: 2)
    try curved(.first, rows: 2, processRows: 2, ridge: Self.heavyRidge)
    try curved(.joint, rows: 5)
    func vary(_ change: (inout CandidateShape) -> Void) throws {
      guard var shape = contest.curved?.shape else { return }
      change(&shape)
      try consider(shape, forms, &contest)
    }
    if choice.purpose == .forecasts { try vary { $0.hasFeedthrough.toggle() } }
    for filters in [Self.filters[0], []] {
      try vary {
        $0.filters = filters
        $0.processesReadFilters = choice.purpose == .forecasts || $0.linear == .joint
      }
    }
    try considerFewerProcesses(&contest)
    try vary { $0.profile = .rationalQuadratic }
    for rows in HorizonReference.histories {
      try vary {
        $0.rows = rows
        $0.processRows = $0.processRows.flatMap { $0 < rows ? $0 : nil }
      }
    }
    try considerRefined(&contest)
  }

  /// Processes for those outputs alone that they surely make better.
  private func considerFewerProcesses(_ contest: inout Contest) throws {
    guard choice.purpose == .forecasts, let curved = contest.curved, curved.shape.linear == .first
    else { return }
    let shape = withSureProcesses(curved, contest)
    guard !shape.straightOutputs.isEmpty, !shape.curvedStates.isEmpty else { return }
    try consider(shape, forms, &contest)
  }

  /// The best with processes, refined on runs; of forecasts in those outputs alone that processes surely make better.
  private func considerRefined(_ contest: inout Contest) throws {
    guard let curved = contest.curved else { return }
    var shape = curved.shape
    if choice.purpose == .forecasts {
      shape = withSureProcesses(curved, contest)
      if shape.curvedStates.isEmpty { return }
      if shape.straightOutputs.isEmpty { shape.curvedStates = [] }
    }
    (shape.linear, shape.runSteps) = (.first, Self.refinedSteps)
    // Of more inputs the pivots of a refinement tell too little.
    shape.rows = min(shape.rows, Self.mostRefinedRows)
    try consider(shape, forms, &contest)
  }

  /// The shape of a candidate with processes for those outputs alone that it predicts surely better than the best line.
  private func withSureProcesses(
    _ curved: TriedCandidate, _ contest: Contest
  ) -> CandidateShape {
    guard let line = contest.straight else { return curved.shape }
    let better = Set(curved.statesSurelyBetter(than: line).map { forms.layout.measured[$0] })
    let outputs = curved.model.form.outputStates
    var shape = curved.shape
    shape.straightOutputs = Set(outputs.indices.filter { !better.contains(outputs[$0]) })
    shape.curvedStates = outputs.filter(better.contains).map { forms.layout.states[$0].name }
    return shape
  }

  private func consider(
    _ shape: CandidateShape, _ forms: CandidateForms, _ contest: inout Contest
  ) throws {
    let shape = forms.fixing(shape)
    let form = forms.form(shape)
    let isTaken = shape.linear == .alone || choice.takes(form)
    if choice.purpose == .search, isPlain(shape, form) { return }
    let cost = effort.cost(shape, outputs: form.outputCount - shape.straightOutputs.count)
    guard isTaken, contest.hasRoom(for: shape, cost: cost) else { return }
    if let tried = contest.attempt(shape.name, { try tried(shape, forms) }) {
      contest.add(scored(tried, contest.reference))
    }
  }

  /// Whether it is the plain model, which a search has tried.
  private func isPlain(_ shape: CandidateShape, _ form: ModelForm) -> Bool {
    form == plain.form && shape.linear == .joint && shape.mean == plain.options.mean
      && shape.profile == plain.options.profile
  }

  private func scored(_ tried: TriedCandidate, _ reference: HorizonReference?) -> TriedCandidate {
    var tried = tried
    tried.stateScores = stateScores(tried.runs, over: reference?.scores ?? [:])
    return tried
  }

  private func tried(_ shape: CandidateShape, _ forms: CandidateForms) throws -> TriedCandidate {
    try tried(shape.name, forms.form(shape), forms.options(shape), shape: shape)
  }

  /// Fits a candidate and runs it over the blocks.
  private func tried(
    _ name: String, _ form: ModelForm, _ options: FitOptions, shape: CandidateShape
  ) throws -> TriedCandidate {
    // The blocks fit to runs anew: here it would be in vain. A line has no processes to learn.
    var oneStep = options
    oneStep.runSteps = 1
    let model = try DynamicsModel.fit(
      episodes, layout: forms.layout, form: form, options: oneStep,
      most: shape.linear == .alone ? 1 : Self.fitted
    ).model
    return TriedCandidate(
      name: name, shape: shape, model: model, options: options,
      runs: try blocks.runs(of: model, options))
  }

  /// Mean logarithms of CRPS over the references' [measured state][block], of the blocks that can be judged; empty where the
  /// candidate did not run in one of them.
  private func stateScores(
    _ runs: HorizonRuns, over references: [Int: [[Double]]]
  ) -> [[Double]] {
    let judged = blocks.indices.filter { block in
      references.values.joined().contains { $0[block] > 0 }
    }
    var scores: [[Double]] = []
    for state in usual.indices {
      var logs = blocks.map { _ in [Double]() }
      for steps in references.keys.sorted() {
        guard let reference = references[steps]?[state] else { continue }
        let found = runs.scores(
          steps: steps, state: state, usual: usual[state], blocks: blocks.count)
        for block in judged where reference[block] > 0 && found[block] > 0 {
          logs[block].append(log(found[block] / reference[block]))
        }
      }
      scores.append(
        judged.map { logs[$0].isEmpty ? 0 : logs[$0].reduce(0, +) / Double(logs[$0].count) })
    }
    // A candidate that could not run where others could is not judged.
    let ran = judged.allSatisfy { runs.isKnown(block: $0) }
    return ran ? scores : []
  }
}
