// SPDX-License-Identifier: Apache-2.0
// One candidate: fitted to all rows, conditioned anew without each left-out block and run over it, scored.

import Foundation
import GaussianProcesses
import MachineLogs

/// Tries candidates of a log.
struct CandidateTrial: Sendable {
  let episodes: [Episode]
  let blocks: [LeftOutBlock]
  /// Means of the measured states.
  let usual: [Double]

  /// Transitions that candidates' processes learn from.
  private static let fitted = 1_500

  /// A candidate with its scores over the references'; without references it has none.
  func scored(_ tried: TriedCandidate, _ reference: HorizonReference?) -> TriedCandidate {
    var tried = tried
    tried.stateScores = stateScores(tried.runs, over: reference?.scores ?? [:])
    return tried
  }

  /// Fits a candidate and runs it over the blocks. Throws: `LogError`, `FactorizationError`.
  func tried(
    _ name: String, _ form: ModelForm, _ options: FitOptions, layout: LogLayout,
    shape: CandidateShape
  ) throws -> TriedCandidate {
    // The blocks fit to runs anew: here it would be in vain. A line has no processes to learn.
    var oneStep = options
    oneStep.runSteps = 1
    let model = try DynamicsModel.fit(
      episodes, layout: layout, form: form, options: oneStep,
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
