// SPDX-License-Identifier: Apache-2.0
// What has been tried in a choice of a model, what it may still cost, and who wins.

import Foundation
import GaussianProcesses

/// A candidate with its runs over the left-out blocks.
struct TriedCandidate {
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
  let effort: Effort
  let progress: (Double) -> Void
  var reference: HorizonReference?
  private(set) var judged: [JudgedCandidate] = []
  /// The best linear model, and the best with Gaussian processes, with their places among `judged`.
  private(set) var straight: (tried: TriedCandidate, index: Int)?
  private(set) var curved: (tried: TriedCandidate, index: Int)?
  private var shapes: Set<CandidateShape> = []
  private var spent = 0.0
  private let begin = ContinuousClock.now

  init(effort: Effort, progress: @escaping (Double) -> Void) {
    (self.effort, self.progress) = (effort, progress)
  }

  /// Gaussian processes if they are surely better: what is less may be chance, and a straight line does no harm outside the data.
  var winner: (tried: TriedCandidate, index: Int)? {
    guard let straight, let curved else { return straight ?? curved }
    return curved.tried.isSurelyBetter(than: straight.tried) ? curved : straight
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
    _ shape: CandidateShape, _ attempt: () throws -> TriedCandidate
  ) -> TriedCandidate? {
    let from = seconds
    var candidate = JudgedCandidate(name: shape.name, seconds: 0)
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
  mutating func add(_ tried: TriedCandidate) {
    shapes.insert(tried.shape)
    if tried.shape.linear == .alone {
      if straight.map({ tried.isBetter(than: $0.tried) }) ?? true {
        straight = (tried, judged.count)
      }
    } else if curved.map({ tried.isBetter(than: $0.tried) }) ?? true {
      curved = (tried, judged.count)
    }
    judged.append(
      JudgedCandidate(name: tried.shape.name, score: tried.score, seconds: tried.seconds))
  }
}
