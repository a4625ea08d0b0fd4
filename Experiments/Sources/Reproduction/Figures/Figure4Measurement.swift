// SPDX-License-Identifier: Apache-2.0
// What figure 4 needs: driving or logs, a model, a goal-conditioned policy, the reference with it on the machine and imagined.

import Bagel
import Draws
import Execution
import GaussianProcesses
import MachineLogs
import Policies
import Samplers
import Tasks

/// Everything that figure 4 shows.
struct Figure4Measurement {
  let task: ControlTask
  let fit: FittedModel
  /// Of the imagined rollouts.
  let sampler: MeasuredSampler
  let policy: OptimizedPolicy
  /// The reference on the machine, if there is one.
  let evaluated: EvaluatedEpisode?
  let reference: [ControlTask.EvaluationOptions.ScheduledGoal]
  /// First states of the imagined rollouts [B][T], physical units.
  let imagined: PathBundle

  /// Drives, learns, optimises, drives; nil where it was told to end.
  ///
  /// Throws: what these throw.
  init?(_ options: Figure4Options, _ tell: @escaping Progress) throws {
    var task = try Self.task(options)
    guard tell(0, "getting data") else { return nil }
    let training = try options.logs?.episodes(of: task) ?? [Self.drive(task, options)]
    guard tell(0.05, "learning") else { return nil }
    fit = try task.fit(training)
    if options.logs != nil { Self.adapt(&task, to: fit.model, training) }
    self.task = task
    let policy = try task.optimize(fit.model, device: .host) { state in
      tell(0.3 + 0.6 * state.fraction(of: task.search), "optimising")
    }
    guard policy.isFinished, tell(0.9, "following the reference") else { return nil }
    self.policy = policy
    evaluated =
      task.plant == nil
      ? nil
      : try task.driven(by: policy.best, on: fit.model, seed: options.seed, name: "reference")
    let start = evaluated?.episode.states[0] ?? fit.model.restingState(at: 0.1)
    reference =
      evaluated?.reference ?? [.init(time: 0, goal: start)] + task.evaluation.schedule
    sampler = policy.sampler
    imagined = try Self.imagine(
      task, fit.model, sampler.sampler, policy.best, reference, from: start, options)
  }

  private static func task(_ options: Figure4Options) throws -> ControlTask {
    var task = try ControlTask("boom-goals")
    task.search.seed = options.seed
    if let logs = options.logs {
      task = logs.applied(to: task)
      task.model.restPseudoData = logs.restPseudoData
      task.model.sampler.name = nil
    } else {
      let largest = options.speeds.max() ?? 1
      task.actions[0] = ActionChannel(task.actions[0].channel, limits: -largest...largest)
      // Neither driver ever stops: that a closed valve holds the boom is told to the model.
      task.model.restPseudoData = 100
    }
    // At a fifth of the valve's opening the longest step takes six seconds.
    task.evaluation.settle = 10
    return task
  }

  /// Commands within those logged, beyond which nothing was seen; the boom's reference, from the range that the boom is
  /// driven over to that of the data.
  private static func adapt(
    _ task: inout ControlTask, to model: DynamicsModel, _ training: [Episode]
  ) {
    task.keepCommands(within: training)
    let range = task.exploration.turningPoints.first ?? -0.6...0.8
    task.evaluation.schedule = task.evaluation.schedule.map { scheduled in
      let fraction = (scheduled.goal[0] - range.lowerBound) / (range.upperBound - range.lowerBound)
      return .init(time: scheduled.time, goal: model.restingState(at: fraction))
    }
  }

  private static func drive(_ task: ControlTask, _ options: Figure4Options) throws -> Episode {
    let range = task.exploration.turningPoints.first ?? -0.6...0.8
    var driver = TwoSpeedDriving(
      turningPoints: range, speeds: options.speeds, timeStep: task.layout.timeStep,
      seconds: options.seconds)
    let outcome = try PlantSession(task).run(
      task.episodeRun(seconds: options.seconds), seed: options.seed, name: "manual driving"
    ) { step, states in [driver.command(step: step, angle: states[0])] }
    if let failure = outcome.failure { throw failure }
    return outcome.episode
  }

  /// The reference on the model: rollouts that go on from one goal to the next.
  private static func imagine(
    _ task: ControlTask, _ model: DynamicsModel, _ sampler: any PosteriorSampler,
    _ controller: PolicyController, _ goals: [ControlTask.EvaluationOptions.ScheduledGoal],
    from start: [Double],
    _ options: Figure4Options
  ) throws -> PathBundle {
    let rollout = try task.makeRollout(model, sampler)
    let executor = try task.makeExecutor(rollout, device: .host)
    let states = model.stateStandardiser
    let count = options.particles
    var carries = (0..<count).flatMap {
      rollout.start(
        state: states.standardise(start), particle: $0, key: DrawKey(seed: options.seed))
    }
    var paths = Array(repeating: [start[0]], count: count)
    let ends = goals.ends(until: task.evaluation.seconds)
    for (index, (scheduled, end)) in zip(goals, ends).enumerated() {
      let horizon = Int(((end - scheduled.time) / task.layout.timeStep).rounded())
      let key = DrawKey(seed: options.seed, iteration: UInt32(index))
      let found = try executor.trajectories(
        RolloutBatch(
          parameters: controller.parameters, initialStates: carries,
          goals: (0..<count).flatMap { _ in states.standardise(scheduled.goal) },
          particles: count, horizon: horizon, draws: key,
          functionDraws: rollout.functionDraws(count, key)))
      let part = found.paths(of: 0, mean: states.mean[0], scale: states.scale[0])
      for b in 0..<count { paths[b] += part[b].dropFirst() }
      carries = (0..<count).flatMap { found.carry(step: horizon, particle: $0) }
    }
    return PathBundle(paths)
  }

  /// Mean distance of the imagined rollouts from the reference, over the last second of each step, physical units.
  var imaginedErrors: [Double] {
    zip(reference, reference.ends(until: task.evaluation.seconds)).map { scheduled, end in
      let errors = imagined.paths.flatMap { path -> [Double] in
        let last = min(Int((end / task.layout.timeStep).rounded()), path.count)
        return path[max(0, last - Int((1 / task.layout.timeStep).rounded()))..<last]
          .map { abs($0 - scheduled.goal[0]) }
      }
      return errors.reduce(0, +) / Double(errors.count)
    }
  }
}
