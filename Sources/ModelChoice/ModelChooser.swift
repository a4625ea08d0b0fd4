// SPDX-License-Identifier: Apache-2.0
// Which model of a log: candidates are fitted to all of it, conditioned anew without each of four blocks in turn, run from there
// along the logged actions, and judged by the CRPS of what they predict 1 to 100 steps ahead, over that of references (the better,
// by state and horizon, of staying where one is and of least squares on up to eight rows). Greedy: each stage varies what the
// stages before it found best.

import Foundation
import GaussianProcesses
import MachineLogs

/// What was found of a candidate.
public struct JudgedCandidate: Sendable {
  public var name: String
  /// Geometric mean over states and horizons of its CRPS over the references'; nil where it failed.
  public var score: Double?
  /// Why it failed, in words.
  public var failure: String?
  public var seconds: Double
}

/// A chosen model, with what it is worth.
public struct ChosenModel: Sendable {
  public let model: DynamicsModel
  public let results: [FitResult]
  /// In the order in which they were tried; the chosen one's index.
  public let candidates: [JudgedCandidate]
  public let chosen: Int
  public let forecasts: HorizonForecasts
  public let reference: HorizonReference
}

/// Chooses a model of episodes.
public struct ModelChooser {
  private let episodes: [Episode]
  private let layout: LogLayout
  private let forms: CandidateForms
  private let base: FitOptions
  private let blocks: [LeftOutBlock]
  private let usual: [Double]
  private let effort: Effort

  /// Transitions that candidates' processes learn from.
  private static let fitted = 1_500
  /// Time constants of filtered commands, in steps.
  private static let filters = [5.0, 10, 30]
  /// Steps of the runs that linear models are fitted to.
  private static let linearSteps = 40
  /// Per transition: a little, which calms weights of features that go together ...
  private static let lightRidge = 0.01
  /// ... and so much that hardly any linear part is left: the processes learn the change.
  private static let heavyRidge = 10.0

  /// - Parameters:
  ///   - episodes: to learn from.
  ///   - layout: of their channels.
  ///   - options: priors, device.
  public init(_ episodes: [Episode], layout: LogLayout, options: FitOptions) {
    self.episodes = episodes
    self.layout = layout
    var layout = layout
    layout.rewardColumn = nil
    forms = CandidateForms(layout: layout, rates: layout.measuredRates(in: episodes))
    base = options
    blocks = LeftOutBlock.blocks(of: episodes)
    usual = usualValues(episodes, layout.measured)
    effort = Effort(rows: episodes.reduce(0) { $0 + $1.count })
  }

  /// Throws: `LogError`, `FactorizationError` where no candidate can be fitted.
  public func choose(progress: @escaping (Double) -> Void = { _ in }) throws -> ChosenModel {
    var contest = Contest(effort: effort, progress: progress)
    try considerStraight(&contest)
    try considerCurved(&contest)
    guard let (best, index) = contest.winner, let reference = contest.reference else {
      let reason = contest.judged.compactMap(\.failure).first ?? "there are too few rows"
      throw LogError(
        file: episodes.map(\.name).joined(separator: ", "), "no model can be fitted: \(reason)")
    }
    let (model, results) = try DynamicsModel.fit(
      episodes, layout: layout, form: best.model.form, options: best.options,
      start: best.model)
    progress(1)
    return ChosenModel(
      model: model, results: results, candidates: contest.judged, chosen: index,
      forecasts: HorizonForecasts(
        try DynamicsMean(model), best.runs, measured: forms.layout.measured, usual: usual),
      reference: reference)
  }

  /// Linear models: how many rows, then ridge, kinematics, feedthrough, filters.
  private func considerStraight(_ contest: inout Contest) throws {
    var linear: [TriedCandidate] = []
    for rows in HorizonReference.histories {
      let shape = CandidateShape(rows: rows)
      if let tried = contest.attempt(shape, { try tried(shape) }) { linear.append(tried) }
    }
    let reference = try HorizonReference(
      blocks, linear: linear.map { ($0.model, $0.runs) }, layout: forms.layout, usual: usual)
    contest.reference = reference
    for known in linear { contest.add(scored(known, reference)) }
    func vary(_ change: (inout CandidateShape) -> Void) throws {
      guard var shape = contest.straight?.tried.shape else { return }
      change(&shape)
      try consider(shape, &contest)
    }
    try vary { $0.ridge = Self.lightRidge }
    for kinematics in CandidateShape.Kinematics.allCases where !forms.rates.isEmpty {
      try vary { $0.kinematics = kinematics }
    }
    try vary { $0.hasFeedthrough = true }
    try vary { $0.filters = Self.filters }
    for rows in HorizonReference.histories {
      guard var shape = contest.straight?.tried.shape else { continue }
      (shape.rows, shape.linearSteps) = (rows, Self.linearSteps)
      if forms.form(shape).canBeFittedToRuns { try consider(shape, &contest) }
    }
  }

  /// Gaussian processes beside what the straight ones found, then what is varied of the best.
  private func considerCurved(_ contest: inout Contest) throws {
    let straight = contest.straight?.tried.shape ?? CandidateShape()
    func curved(_ fit: LinearFit, rows: Int, processRows: Int? = nil, ridge: Double? = nil) throws {
      var shape = straight
      (shape.linear, shape.rows) = (fit, rows)
      shape.processRows = processRows.flatMap { $0 < rows ? $0 : nil }
      shape.linearSteps = 1
      if let ridge { shape.ridge = ridge }
      if fit == .joint { (shape.ridge, shape.filters) = (0, []) }
      try consider(shape, &contest)
    }
    try curved(.first, rows: straight.rows, processRows: 2)
    try curved(.first, rows: straight.rows, processRows: 1)
    try curved(.joint, rows: 2)
    try curved(.first, rows: 2, processRows: 2, ridge: Self.heavyRidge)
    try curved(.joint, rows: 5)
    func vary(_ change: (inout CandidateShape) -> Void) throws {
      guard var shape = contest.curved?.tried.shape else { return }
      change(&shape)
      try consider(shape, &contest)
    }
    try vary { $0.hasFeedthrough.toggle() }
    try vary { $0.filters = $0.filters.isEmpty ? Self.filters : [] }
    try vary { $0.profile = .rationalQuadratic }
  }

  private func consider(_ shape: CandidateShape, _ contest: inout Contest) throws {
    let outputs = forms.form(shape).outputCount
    guard contest.hasRoom(for: shape, cost: effort.cost(shape, outputs: outputs)) else { return }
    if let tried = contest.attempt(shape, { try tried(shape) }) {
      contest.add(scored(tried, contest.reference))
    }
  }

  private func scored(_ tried: TriedCandidate, _ reference: HorizonReference?) -> TriedCandidate {
    var tried = tried
    tried.logScores = logScores(tried.runs, over: reference?.scores ?? [:])
    return tried
  }

  /// Fits a candidate and runs it over the blocks.
  private func tried(_ shape: CandidateShape) throws -> TriedCandidate {
    let options = forms.options(shape, base: base)
    // A line has no processes to learn.
    let model = try DynamicsModel.fit(
      episodes, layout: forms.layout, form: forms.form(shape), options: options,
      most: shape.linear == .alone ? 1 : Self.fitted
    ).model
    return TriedCandidate(
      shape: shape, model: model, options: options, runs: try blocks.runs(of: model, options))
  }

  /// Mean logarithm of CRPS over the references', one a block.
  private func logScores(
    _ runs: HorizonRuns, over references: [Int: [[Double]]]
  ) -> [Double] {
    var logs = blocks.map { _ in [Double]() }
    for steps in references.keys.sorted() {
      for (state, reference) in (references[steps] ?? []).enumerated() {
        let scores = runs.scores(
          steps: steps, state: state, usual: usual[state], blocks: blocks.count)
        for block in blocks.indices where reference[block] > 0 && scores[block] > 0 {
          logs[block].append(log(max(scores[block], 1e-12) / reference[block]))
        }
      }
    }
    return logs.filter { !$0.isEmpty }.map { $0.reduce(0, +) / Double($0.count) }
  }
}
