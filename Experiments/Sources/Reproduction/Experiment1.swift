// SPDX-License-Identifier: Apache-2.0
// Reproduction: the paper's experiments again, every method on the same model and judged by the same rollouts. In: a task
// (the simulated boom, or a user's log), budgets. Out: curves, tables, a page with pictures that says what the paper
// reports, what was measured and where they differ.

import Bagel
import Execution
import GaussianProcesses
import MachineLogs
import Policies
import PolicySearch
import SafeText
import Samplers
import Tasks

/// Experiment 1 (paper, section IV-A): one goal, one fixed model, policies compared by return.
struct Experiment1 {
  /// Equation 8 alone as the reward, with the paper's weights; [8, 8]; 300 steps.
  let task: ControlTask
  let model: DynamicsModel
  let fitSeconds: Double
  /// Through which BAGEL searches, and all policies are judged; and the seconds to build and measure it.
  let sampler: MeasuredSampler
  let samplerSeconds: Double
  private let judge: PolicyOptimizer

  /// - Parameters:
  ///   - logs: in place of the simulated boom's 110 s of manual driving; the policy is to come from a tenth of what they
  ///     cover to the middle.
  ///   - seconds: of driving; nil for the task's.
  ///   - seed: of the driving.
  /// - Throws: what reading, fitting and compiling throw.
  init(logs: OwnLogs?, seconds: Double?, seed: UInt64) throws {
    var task = try BuiltInTasks.experiment1()
    task.search = .plainAdam
    if let seconds { task.exploration.seconds = seconds }
    // The machine starts where the rollouts do.
    task.evaluation.startSpread = 0
    if let logs { task = logs.applied(to: task) }
    let training = try logs?.episodes(of: task) ?? task.trainingEpisodes(seed: seed)
    let fit = try task.fit(training)
    if logs != nil {
      task.keepCommands(within: training)
      task.objective.start = .fixed(fit.model.restingState(at: 0.1))
      task.objective.goal = .fixed(fit.model.restingState(at: 0.5))
    }
    (self.task, model, fitSeconds) = (task, fit.model, fit.seconds)
    let start = ContinuousClock.now
    sampler = try task.withSampler(nil).makeSampler(fit.model)
    samplerSeconds = start.duration(to: .now).seconds
    judge = try task.optimizer(of: fit.model, sampler: sampler.sampler, particles: 100)
  }

  /// Mean return of a policy over the same 100 rollouts for every method, H + 1 rewards of at most 1.
  func meanReturn(_ parameters: [Double]) throws -> Double {
    try judge.evaluationReturn(parameters)
  }

  /// The same rollouts themselves: the first state [B][H + 1], physical units.
  func imagined(_ parameters: [Double]) throws -> [[Double]] {
    let states = model.stateStandardiser
    return try judge.trajectories(parameters)
      .paths(of: 0, mean: states.mean[0], scale: states.scale[0])
  }

  /// An episode of a policy on the task's plant, from where the rollouts start.
  ///
  /// Throws: `LogError`, `PlantFailure`.
  func driven(_ parameters: [Double], seed: UInt64) throws -> Episode {
    let controller = PolicyController(
      policy: task.makePolicy(), parameters: parameters, stateMean: model.stateStandardiser.mean,
      stateScale: model.stateStandardiser.scale)
    return try task.driven(by: controller, on: model, seed: seed, name: "plant").episode
  }

  /// "a table of the posterior (22 x 79 x 61 points)", or "love, rank 130".
  var samplerWords: String {
    let name = sampler.sampler.name
    return name == .tabulated
      ? "a table of the posterior (\(sampler.sampler.summary))" : sampler.description
  }

  /// What every page says of the experiment.
  var words: String {
    let unit = Unit(task.layout.states[0].units)
    func angle(_ distribution: StateDistribution) -> String {
      guard case .fixed(let state) = distribution else { return "?" }
      return number(unit.convert([state[0]])[0])
    }
    let worst = sampler.certificate.worst
    let source =
      task.plant == nil
      ? escapedForHTML(task.logs.map(\.name).joined(separator: ", "))
      : "the simulated boom driven by hand"
    return """
      Experiment 1 of the paper (section IV-A): \(model.features.rows) transitions of \(source), Gaussian processes \
      learnt in \(number(fitSeconds)) s, to go from \(angle(task.objective.start)) to \(angle(task.objective.goal))\(unit.name.isEmpty ? "" : " ")\(unit.name) in \
      \(task.search.horizon) steps of \(number(task.layout.timeStep)) s. BAGEL searches, and all policies are judged by 100 rollouts with the \
      same draws, through \(samplerWords), built and measured in \(number(samplerSeconds)) s (error of its mean \
      \(number(100 * worst.mean)) % of the signal, of its deviation \(number(100 * worst.deviation)) % of the predictive).
      """
  }
}

extension SearchOptions {
  /// Algorithm 1's inner loop with the paper's rate to the end: Adam at 1e-2, no evaluations, one start. Gradients are
  /// shortened to length 10, which the paper does not say.
  static var plainAdam: SearchOptions {
    var options = SearchOptions()
    options.starts = 1
    options.iterations = .max
    options.evaluationInterval = .max
    return options
  }
}

extension ControlTask {
  func withSampler(_ name: SamplerName?) -> ControlTask {
    var task = self
    task.model.sampler.name = name
    return task
  }

  /// An episode of a controller that was found on a model, on a plant of its own, judged.
  ///
  /// Throws: `LogError`, `PlantFailure`.
  func driven(
    by controller: PolicyController, on model: DynamicsModel, seed: UInt64, name: String
  ) throws -> EvaluatedEpisode {
    let (outcome, goals) = try PlantSession(self).drive(
      controller, index: 0, seed: seed, within: .init(bounds: model.stateBounds), name: name)
    if let failure = outcome.failure { throw failure }
    return EpisodeJudge(self).judge(outcome.episode, goals: goals, earlyEnd: outcome.earlyEnd)
  }

  /// The search of a task without dropout on a model, through a sampler of it.
  ///
  /// - Parameter threads: of the host; nil for all cores.
  func optimizer(
    of model: DynamicsModel, sampler: any PosteriorSampler, particles: Int,
    device: ExecutionDevice = .host, threads: Int? = nil, seed: UInt64 = 0
  ) throws -> PolicyOptimizer {
    precondition(
      policy.dropout == 0, "a search with dropout \(policy.dropout) wants a judge without")
    var task = self
    task.search.particles = particles
    task.search.seed = seed
    let rollout = try task.makeRollout(model, sampler)
    let executor: any RolloutExecutor =
      if let threads {
        try HostExecutor(
          rollout.program, data: rollout.data, threads: threads, particles: particles)
      } else {
        try task.makeExecutor(rollout, device: device)
      }
    return PolicyOptimizer(
      PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
      initialStates: task.objective.start.resolved(by: model),
      goals: task.objective.goal.resolved(by: model),
      options: task.search, initialParameters: task.makePolicy().initialParameters)
  }
}
