// SPDX-License-Identifier: Apache-2.0
// The options of a fit of hyperparameters, and its result.

import Execution

/// What the hyperparameters are chosen for.
package enum FitCriterion: String, Hashable, Sendable, Codable, CaseIterable {
  /// The marginal likelihood with noise that depends on the inputs, as residuals of left-out blocks show it.
  case heteroscedastic
  /// The squared error of blocks of rows predicted from the others, on the subset alone (`likelihood` and
  /// `fullIterations` do not matter); the noise is calibrated on the same residuals.
  case blockOut = "block-out"
  /// The marginal likelihood, with the same noise everywhere (paper, equations 5-6).
  case marginalLikelihood = "marginal-likelihood"
}

/// How the part of the increments that is linear in the features is found.
package enum LinearFit: String, Hashable, Sendable, Codable, CaseIterable {
  /// Together with the Gaussian processes, as their mean (`FitOptions.mean`).
  case joint
  /// By least squares before them; they learn what is left.
  case first
  /// By least squares alone: what is left is noise.
  case alone
}

/// What to learn and how long to look.
package struct FitOptions: Hashable, Sendable, Codable {
  package var criterion = FitCriterion.heteroscedastic
  package var profile: RadialProfileName = .squaredExponential
  package var mean: MeanFunction = .linear
  package var linear = LinearFit.joint
  /// What is known of the motion beforehand, of a `joint` fit; nil for nothing.
  package var physics: KnownPhysics?
  /// Outputs that have no process beside a linear part fitted `first`.
  package var straightOutputs: Set<Int> = []
  /// Steps of the runs whose errors the mean is fitted to; 1 for one step ahead. A linear part that is `alone` is fitted to them
  /// (RunFittedLinearPart.swift); one that is `first` is refined on them, and the processes with it (RunRefinement.swift). Of a `joint`
  /// fit they say nothing.
  package var runSteps = 1
  /// Added, per transition, to the sums of squares of the standardised features where the linear part is fitted by least
  /// squares.
  package var ridge = 0.0
  /// nil for none.
  package var prior: HyperparameterPrior? = HyperparameterPrior()
  /// Smallest noise variance in units of the target's variance.
  package var noiseFloor = 1e-6
  /// Points of the subset on which the block-out error is minimised, or starts of the likelihood compete.
  package var subset = 600
  /// Iterations of the marginal likelihood on all points after that; 0 for none.
  package var fullIterations = 1
  /// Stop when an iteration gains less than this, relative.
  package var tolerance = 2e-4
  /// How the marginal likelihood of all points is computed.
  package var likelihood: LikelihoodMethod?
  /// Where the products of `row-blocks` run; all else is done on the host.
  package var device: ExecutionDevice?

  package init() {}

  /// Whether processes are refined on the errors of runs.
  var isRefined: Bool { linear == .first && runSteps > 1 }

  /// Whether an output has a process.
  func hasProcess(_ output: Int) -> Bool {
    switch linear {
    case .joint: true
    case .first: !straightOutputs.contains(output)
    case .alone: false
    }
  }
}

/// The outcome of a fit of one output.
package struct FitResult: Sendable {
  package var hyperparameters: Hyperparameters
  /// How the noise varies with the inputs; nil where it is the same everywhere.
  package var noiseProfile: LocalNoise?
  package var fullEvaluations: Int
  package var subsetEvaluations: Int
  package var hasConverged: Bool
  /// How the likelihood of all points was computed.
  package var method: LikelihoodMethod
  /// Solves by conjugate gradients that ended above their tolerance.
  package var unconvergedSolves: Int
  /// The inverse at these hyperparameters and noise, if the search ended with it; for the calibration.
  var inverse: MarginalInverse?
}

extension FitResult {
  /// Of hyperparameters that were not searched.
  init(_ hyperparameters: Hyperparameters) {
    self.init(
      hyperparameters: hyperparameters, noiseProfile: nil, fullEvaluations: 0, subsetEvaluations: 0,
      hasConverged: true, method: .cholesky, unconvergedSolves: 0)
  }
}
