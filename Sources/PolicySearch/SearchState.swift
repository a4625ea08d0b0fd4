// SPDX-License-Identifier: Apache-2.0
// The options of a search and its state: values that are saved and resumed.

import Execution

/// Fresh draws for every iteration, or the same ones (common random numbers).
package enum DrawSchedule: String, Hashable, Sendable, Codable {
  case fresh
  case fixed
}

/// How to search.
package struct SearchOptions: Hashable, Sendable, Codable {
  /// B
  package var particles = 100
  /// H, steps; or a growing list of them, which every start goes through one after
  /// another. Where motion is chaotic (a pole that whirls), gradients over a long horizon lead nowhere until the
  /// policy can do what comes first.
  package var horizons = [300]
  package var learningRate = 1e-2
  /// Gradients longer than this are shortened to it.
  package var gradientNorm = 10.0
  /// Elements of a state's adjoint beyond this are set to zero: in chaotic motion (a pole that whirls) a few particles' gradients
  /// drown all others'.
  package var adjointLimit = 1e6
  package var draws = DrawSchedule.fresh
  /// Independent searches from new parameters, of which the best policy counts. Of single searches on the
  /// boom, about one in five ends in a worse optimum (stays down, or comes slowly).
  package var starts = 5
  /// Most iterations of each start, at each of its horizons.
  package var iterations = 400
  /// Iterations between evaluations.
  package var evaluationInterval = 5
  /// Evaluations without progress after which the rate is halved.
  package var patience = 6
  /// The search has converged when the rate would be halved for this many-th time.
  package var halvings = 5
  /// Progress is a gain of this fraction of the best return's magnitude.
  package var improvement = 1e-3
  /// How likely a rollout may leave each constraint of its program, 0 to 1; empty for none.
  package var allowedViolations: [Double] = []
  package var seed: UInt64 = 0

  package init() {}

  /// The last and longest.
  package var horizon: Int {
    get { horizons[horizons.count - 1] }
    set { horizons = [newValue] }
  }
}

/// Everything a search knows between two iterations.
package struct SearchState: Hashable, Sendable {
  /// Iterations so far, and those before the present start came to its present horizon.
  package var iteration = 0
  package var firstIteration = 0
  /// Which horizon the present start has come to.
  package var stage = 0
  /// Starts that have ended.
  package var startsDone = 0
  package var parameters: [Double]
  package var adam: Adam
  package var rate: Double
  package var bestParameters: [Double]
  /// Mean return of the best policy on the evaluation batch.
  package var bestReturn = -Double.infinity
  package var bestIteration = 0
  /// How much the best policy leaves constraints beyond what is allowed on the evaluation batch; 0 where it keeps them.
  package var bestExcess = 0.0
  /// The best mean return of any policy that was judged, whatever it left.
  package var freestReturn = -Double.infinity
  /// Weights of the constraints' penalties.
  package var multipliers: [Double] = []
  /// The same of the present start, over its present horizon.
  package var startBestParameters: [Double]
  package var startBestReturn = -Double.infinity
  package var startBestExcess = 0.0
  package var evaluationsWithoutProgress = 0
  package var halvings = 0
  /// Mean return of every iteration's batch, less the weighted penalties of constraints.
  package var returns: [Double] = []
  /// Norm of every iteration's gradient, before it was shortened.
  package var gradientNorms: [Double] = []
  /// Particle-iterations that diverged.
  package var diverged = 0
  /// Particle-iterations with elements of the adjoint that were set to zero.
  package var truncated = 0
  /// Whether every start so far has converged rather than met the limit of iterations.
  package var hasConverged = true
  /// How many times nearer to the goal the reward sees states than they are, at first and now: more than 1 where it was flat.
  /// Returns are those of this reward.
  package var firstWidening = 1.0
  package var widening = 1.0

  /// - Parameters:
  ///   - parameters: theta at the start [P].
  ///   - options: how the search is done.
  ///   - isWarm: the parameters are those of a policy that was found before; it begins with the last horizon.
  package init(parameters: [Double], options: SearchOptions, isWarm: Bool = false) {
    stage = isWarm ? options.horizons.count - 1 : 0
    self.parameters = parameters
    bestParameters = parameters
    startBestParameters = parameters
    adam = Adam(count: parameters.count)
    rate = options.learningRate
    multipliers = options.allowedViolations.map { _ in 0 }
  }

  /// How the best policy was judged, and that of the present start over its present horizon.
  var best: PolicyJudgement {
    get { PolicyJudgement(value: bestReturn, excess: bestExcess) }
    set { (bestReturn, bestExcess) = (newValue.value, newValue.excess) }
  }
  var startBest: PolicyJudgement {
    get { PolicyJudgement(value: startBestReturn, excess: startBestExcess) }
    set { (startBestReturn, startBestExcess) = (newValue.value, newValue.excess) }
  }

  /// How much of the search is done at most, 0 to 1: starts, their horizons, their iterations.
  package func fraction(of options: SearchOptions) -> Double {
    if startsDone >= options.starts { return 1 }
    let stages = Double(options.horizons.count)
    let within = min(1, Double(iteration - firstIteration) / Double(options.iterations))
    return (Double(startsDone) + (Double(stage) + within) / stages) / Double(options.starts)
  }

  /// The next start, from new parameters.
  mutating func startAgain(from parameters: [Double], options: SearchOptions) {
    stage = 0
    beginStage(with: parameters, options: options)
  }

  /// The next horizon, from the best parameters over the last one.
  mutating func lengthen(options: SearchOptions) {
    stage += 1
    beginStage(with: startBestParameters, options: options)
  }

  /// The last start again, from the best parameters, for a reward that is widened less.
  mutating func narrow(to widening: Double, options: SearchOptions) {
    self.widening = widening
    startsDone = options.starts - 1
    stage = options.horizons.count - 1
    best = PolicyJudgement()
    freestReturn = -.infinity
    beginStage(with: bestParameters, options: options)
  }

  private mutating func beginStage(with parameters: [Double], options: SearchOptions) {
    self.parameters = parameters
    startBestParameters = parameters
    startBest = PolicyJudgement()
    // Weights that one start came to say nothing of the next one's policies.
    multipliers = multipliers.map { _ in 0 }
    adam = Adam(count: parameters.count)
    rate = options.learningRate
    (evaluationsWithoutProgress, halvings, firstIteration) = (0, 0, iteration)
  }
}
