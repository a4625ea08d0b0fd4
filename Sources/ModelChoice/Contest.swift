// SPDX-License-Identifier: Apache-2.0
// The candidates tried in a choice of a model, the time left, and the winner.

import Foundation
import GaussianProcesses
import LinearAlgebra

/// A candidate with its runs over the left-out blocks.
struct TriedCandidate {
  let name: String
  /// Of the plain model that of a joint fit on one row.
  let shape: CandidateShape
  let model: DynamicsModel
  let options: FitOptions
  let runs: HorizonRuns
  /// Mean logarithms of CRPS over the references' [measured state][block].
  var stateScores: [[Double]] = []
  /// Their means over the states, one a block.
  var logScores: [Double] {
    (stateScores.first?.indices ?? 0..<0).map { block in
      stateScores.reduce(0) { $0 + $1[block] } / Double(stateScores.count)
    }
  }
  var seconds = 0.0

  /// nil where no horizon has enough starts to be judged.
  var score: Double? {
    logScores.isEmpty ? nil : exp(logScores.reduce(0, +) / Double(logScores.count))
  }

  /// Measured states that it predicts better than another even if its blocks were lucky.
  func statesSurelyBetter(than other: TriedCandidate) -> [Int] {
    guard logScores.count > 1 else { return [] }
    return stateScores.indices.filter { s in
      let differences = zip(stateScores[s], other.stateScores[s]).map { $0 - $1 }
      let mean = differences.reduce(0, +) / Double(differences.count)
      return mean + doubtfulStandardErrors * standardError(differences) < 0
    }
  }

  /// Its score and two standard errors of its difference from another's over the blocks: what it is worth if its blocks were lucky.
  func scoreAtWorst(besides other: TriedCandidate) -> Double? {
    // Of one block nothing is known of another.
    guard let score, logScores.count > 1, logScores.count == other.logScores.count else {
      return nil
    }
    let differences = zip(logScores, other.logScores).map { $0 - $1 }
    return score * exp(doubtfulStandardErrors * standardError(differences))
  }
}

/// What a choice may cost, in seconds of a machine of two cores. They are estimated, not measured: the same log has the same choice
/// however busy the machine is.
struct Effort {
  let budget: Double
  /// More, for the last candidate: a refinement takes about as long whatever the log's length.
  static let refining = 10.0
  private let rows: Int

  /// 10 ms a row, 3 to 10 s.
  init(rows: Int) {
    self.rows = rows
    budget = min(max(0.01 * Double(rows), 3), 10)
  }

  func cost(_ shape: CandidateShape, outputs: Int) -> Double {
    let size = Double(outputs) * min(Double(rows) / 1_500, 1)
    if shape.isRefined { return 2 * Double(outputs) }
    if shape.linear == .alone { return (shape.runSteps > 1 ? 0.15 : 0.02) * size }
    return 0.55 * size
  }
}

/// What has been tried in a choice.
struct Contest {
  /// A candidate with its score at worst and its place among `judged`.
  typealias Place = (tried: TriedCandidate, atWorst: Double?, index: Int)

  let effort: Effort
  private let choice: ChoiceOptions
  let progress: (Double) -> Void
  var reference: HorizonReference?
  private(set) var judged: [JudgedCandidate] = []
  /// Of the model from whose inputs a few were taken; nil where none were.
  var relevance: InputRelevance?
  /// What all are compared with: least squares on the rows that do best, or the plain model where a search is to come.
  private var baseline: TriedCandidate?
  /// The best linear model and the best with Gaussian processes, by their scores: what to vary.
  private(set) var straight: TriedCandidate?
  private(set) var curved: TriedCandidate?
  /// The one that may be chosen with the best score at worst, and the best so of those that are simple: lines, or for a search
  /// those that tables serve.
  private var surest: Place?
  private var simple: Place?
  private var shapes: Set<CandidateShape> = []
  private var spent = 0.0
  private let begin = ContinuousClock.now

  /// What a simpler model may cost of the score: a line does no harm outside the data ...
  private static let costOfLine = 1.02
  /// ... and a search on tables is hundreds of times faster.
  private static let costOfTables = 2.0

  /// Of the progress, the part that is the candidates'.
  static let shareOfCandidates = 0.9

  /// - Parameters:
  ///   - effort: what may be spent.
  ///   - choice: what the model is for.
  ///   - progress: gets the fraction done.
  init(effort: Effort, choice: ChoiceOptions, progress: @escaping (Double) -> Void) {
    (self.effort, self.choice, self.progress) = (effort, choice, progress)
  }

  /// By the score at worst: of many candidates the best score is chance in part. A simple one if it costs little.
  var winner: Place? {
    let cost = choice.purpose == .forecasts ? Self.costOfLine : Self.costOfTables
    guard let simple, let score = simple.atWorst, let best = surest?.atWorst, score <= cost * best
    else { return surest }
    return simple
  }

  private var seconds: Double { begin.duration(to: .now) / .seconds(1) }

  /// Whether a candidate is new and what is left suffices for it; then it is paid for.
  mutating func hasRoom(for shape: CandidateShape, cost: Double) -> Bool {
    // The first with processes, and those that tables may serve, are tried in any case.
    let isWanted = shape.linear != .alone && curved == nil || !shape.selected.isEmpty
    let budget = effort.budget + (shape.isRefined ? Effort.refining : 0)
    guard isWanted || spent + cost <= budget, shapes.insert(shape).inserted else {
      return false
    }
    if shape.selected.isEmpty { spent += cost }
    return true
  }

  /// Of a candidate that was not even begun.
  mutating func note(failure: String, of name: String) {
    judged.append(JudgedCandidate(name: name, failure: failure, seconds: 0))
  }

  /// For a candidate that is tried in any case.
  mutating func pay(_ cost: Double) { spent += cost }

  /// The candidate with its runs, or nil where it cannot be had, which is noted.
  mutating func attempt(
    _ name: String, _ attempt: () throws -> TriedCandidate
  ) -> TriedCandidate? {
    let from = seconds
    var candidate = JudgedCandidate(name: name, seconds: 0)
    defer { progress(Self.shareOfCandidates * min(spent / effort.budget, 1)) }
    do {
      var tried = try attempt()
      tried.seconds = seconds - from
      return tried
    } catch {
      // Whatever it was: the others may serve.
      candidate.failure = "\(error)"
      candidate.seconds = seconds - from
      judged.append(candidate)
      return nil
    }
  }

  /// Takes in least squares on some rows each, and compares all that follows with the best of them.
  mutating func add(baselines: [TriedCandidate]) {
    baseline = baselines.filter { $0.score != nil }.min { ($0.score ?? 0) < ($1.score ?? 0) }
    for tried in baselines { add(tried) }
  }

  /// Takes in the plain model, and compares with it all that follows.
  mutating func add(plain: TriedCandidate) {
    if plain.score != nil { baseline = plain }
    add(plain)
  }

  /// Takes in a candidate that has its score; what is not judged is no better than what came before.
  mutating func add(_ tried: TriedCandidate) {
    let place: Place = (
      tried, baseline.flatMap { tried.scoreAtWorst(besides: $0) }, judged.count
    )
    func keep(_ best: inout TriedCandidate?) {
      if Self.isLess(tried.score, than: best.map(\.score)) { best = tried }
    }
    func keep(_ best: inout Place?) {
      if Self.isLess(place.atWorst, than: best.map(\.atWorst)) { best = place }
    }
    let isStraight = tried.shape.linear == .alone
    if isStraight { keep(&straight) } else { keep(&curved) }
    let mayWin = choice.purpose == .forecasts || !isStraight
    if mayWin {
      keep(&surest)
      if isStraight || isLight(tried) { keep(&simple) }
    }
    judged.append(
      JudgedCandidate(
        name: tried.name, score: tried.score, scoreAtWorst: place.atWorst, seconds: tried.seconds,
        mayWin: mayWin, inputs: isStraight ? 0 : tried.model.form.mostInputs))
  }

  /// Whether a search wants tables, and they serve it.
  private func isLight(_ tried: TriedCandidate) -> Bool {
    guard choice.purpose == .search, let lightInputs = choice.lightInputs else { return false }
    return tried.model.form.mostInputs <= lightInputs
  }

  /// Whether a score is better than that of another, or the first.
  private static func isLess(_ score: Double?, than best: Double??) -> Bool {
    guard let best else { return true }
    guard let score, let best else { return false }
    return score < best
  }
}
