// SPDX-License-Identifier: Apache-2.0
// The result of a choice of a model: the model, all candidates, and the figures of the chosen one.

import GaussianProcesses

/// What was found of a candidate.
package struct JudgedCandidate: Sendable {
  package var name: String
  /// Geometric mean over states and horizons of its CRPS over the references'; nil where it failed.
  package var score: Double?
  /// The same if its blocks were lucky: two standard errors of its difference from the best of least squares more. The least wins.
  package var scoreAtWorst: Double?
  /// Why it failed, in words.
  package var failure: String?
  package var seconds: Double
  /// Whether it may be chosen: for a search no line is.
  package var mayWin = false
  /// Most inputs of its processes; 0 where there are none.
  package var inputs = 0
}

/// What left-out blocks say of process noise.
package enum ProcessNoiseJudgement: Sendable {
  case judged(ProcessNoiseFigures)
  /// Why they say nothing, in words.
  case unknown(reason: String)
}

/// A chosen model, with what it is worth.
package struct ChosenModel: Sendable {
  package let model: DynamicsModel
  package let results: [FitResult]
  /// In the order in which they were tried; the chosen one's index.
  package let candidates: [JudgedCandidate]
  package let chosen: Int
  package let forecasts: HorizonForecasts
  package let reference: HorizonReference
  /// How much each output depends on the inputs from which a few were taken; nil where the chosen model reads all.
  package let relevance: InputRelevance?
  /// What rollouts may draw beside the function, taken where it surely gains; nil where that is not chosen.
  package let noise: ProcessNoiseJudgement?
}
