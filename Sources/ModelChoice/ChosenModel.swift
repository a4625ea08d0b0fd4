// SPDX-License-Identifier: Apache-2.0
// What a choice of a model says: the model, all that was tried, and what the chosen one is worth.

import GaussianProcesses

/// What was found of a candidate.
public struct JudgedCandidate: Sendable {
  public var name: String
  /// Geometric mean over states and horizons of its CRPS over the references'; nil where it failed.
  public var score: Double?
  /// The same if its blocks were lucky: two standard errors of its difference from the best of least squares more. The least wins.
  public var scoreAtWorst: Double?
  /// Why it failed, in words.
  public var failure: String?
  public var seconds: Double
  /// Whether it may be chosen: for a search no line is.
  public var mayWin = false
  /// Most inputs of its processes; 0 where there are none.
  public var inputs = 0
}

/// What left-out blocks say of process noise.
public enum ProcessNoiseJudgement: Sendable {
  case judged(ProcessNoiseFigures)
  /// Why they say nothing, in words.
  case unknown(reason: String)
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
  /// How much each output depends on the inputs from which a few were taken; nil where the chosen model reads all.
  public let relevance: InputRelevance?
  /// What rollouts may draw beside the function, taken where it surely gains; nil where that is not chosen.
  public let noise: ProcessNoiseJudgement?
}
