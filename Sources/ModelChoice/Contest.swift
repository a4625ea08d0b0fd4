// SPDX-License-Identifier: Apache-2.0
// What has been tried in a choice of a model, what it may still cost, and who wins.

import Foundation
import GaussianProcesses

/// A candidate with its runs over the left-out blocks.
struct TriedCandidate {
  let name: String
  /// Of the plain model what it is nearest to.
  let shape: CandidateShape
  let model: DynamicsModel
  let options: FitOptions
  let runs: HorizonRuns
  /// Mean logarithm of CRPS over the references', one a block.
  var logScores: [Double] = []
  var seconds = 0.0

  /// nil where no horizon has enough starts to be judged.
  var score: Double? {
    logScores.isEmpty ? nil : exp(logScores.reduce(0, +) / Double(logScores.count))
  }

  /// Whether tables serve it: each process reads few features.
  var isLight: Bool { model.form.outputs.allSatisfy { $0.inputs.count <= Self.lightInputs } }

  private static let lightInputs = 4

  /// By its score; what is not judged is no better than what came before.
  func isBetter(than other: TriedCandidate) -> Bool {
    guard let score, let old = other.score else { return false }
    return score < old
  }

  /// Whether it is better than another by more than a standard error of their difference over the blocks.
  func isSurelyBetter(than other: TriedCandidate) -> Bool {
    let gains = zip(other.logScores, logScores).map { $0 - $1 }
    guard gains.count > 1 else { return false }
    let n = Double(gains.count)
    let mean = gains.reduce(0, +) / n
    let variance = gains.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(n - 1, 1)
    return mean > (variance / n).squareRoot()
  }
}

/// What a choice may cost, in seconds of a machine of two cores. They are estimated, not measured: the same log has the same choice
/// however busy the machine is.
struct Effort {
  let budget: Double
  private let rows: Int

  /// 10 ms a row, 3 to 10 s.
  init(rows: Int) {
    self.rows = rows
    budget = min(max(0.01 * Double(rows), 3), 10)
  }

  func cost(_ shape: CandidateShape, outputs: Int) -> Double {
    let size = Double(outputs) * min(Double(rows) / 1_500, 1)
    if shape.linear == .alone { return (shape.linearSteps > 1 ? 0.15 : 0.02) * size }
    return 0.55 * size
  }
}

/// What has been tried in a choice.
struct Contest {
  /// A candidate with its place among `judged`.
  typealias Place = (tried: TriedCandidate, index: Int)

  let effort: Effort
  let purpose: ModelPurpose
  let progress: (Double) -> Void
  var reference: HorizonReference?
  private(set) var judged: [JudgedCandidate] = []
  /// The best linear model, the best with Gaussian processes, the best of those that are light, and the plain one.
  private var straight: Place?
  private var curved: Place?
  private var light: Place?
  private var plain: Place?
  private var shapes: Set<CandidateShape> = []
  private var spent = 0.0
  private let begin = ContinuousClock.now

  /// A light model is worth so much of the score: a search on it is a hundred times faster.
  private static let lightness = 1.02

  init(effort: Effort, purpose: ModelPurpose, progress: @escaping (Double) -> Void) {
    (self.effort, self.purpose, self.progress) = (effort, purpose, progress)
  }

  /// The more complicated if it is surely better: what is less may be chance. Of forecasts the simpler is the line, which does no
  /// harm outside the data; of a search the plain model.
  var winner: Place? {
    let simple = purpose == .forecasts ? straight : plain
    guard let simple, let curved = purpose == .forecasts ? curved : worthwhile else {
      return simple ?? curved
    }
    return curved.tried.isSurelyBetter(than: simple.tried) ? curved : simple
  }

  /// What to vary.
  var straightShape: CandidateShape? { straight?.tried.shape }
  var curvedShape: CandidateShape? { curved?.tried.shape }

  /// The best with processes, or a light one that is hardly worse.
  private var worthwhile: Place? {
    guard let light, let score = light.tried.score, let best = curved?.tried.score,
      score <= Self.lightness * best
    else { return curved }
    return light
  }

  private var seconds: Double { begin.duration(to: .now) / .seconds(1) }

  /// Whether a candidate is new and what is left suffices for it; then it is paid for.
  mutating func hasRoom(for shape: CandidateShape, cost: Double) -> Bool {
    let isFirst = shape.linear != .alone && curved == nil
    guard isFirst || spent + cost <= effort.budget, shapes.insert(shape).inserted else {
      return false
    }
    spent += cost
    return true
  }

  /// The candidate with its runs, or nil where it cannot be had, which is noted.
  mutating func attempt(
    _ name: String, _ attempt: () throws -> TriedCandidate
  ) -> TriedCandidate? {
    let from = seconds
    var candidate = JudgedCandidate(name: name, seconds: 0)
    defer { progress(min(0.9 * spent / effort.budget, 0.9)) }
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

  /// Takes in a candidate that has its score.
  mutating func add(_ tried: TriedCandidate, isPlain: Bool = false) {
    func keep(_ place: inout Place?) {
      if place.map({ tried.isBetter(than: $0.tried) }) ?? true { place = (tried, judged.count) }
    }
    if isPlain { plain = (tried, judged.count) }
    if tried.shape.linear == .alone {
      keep(&straight)
    } else {
      keep(&curved)
      if tried.isLight { keep(&light) }
    }
    judged.append(JudgedCandidate(name: tried.name, score: tried.score, seconds: tried.seconds))
  }
}
