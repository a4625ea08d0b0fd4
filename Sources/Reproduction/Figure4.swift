// SPDX-License-Identifier: Apache-2.0
// Figure 4 of the paper (Experiment 2): 80 s of manual driving at two speeds, a goal-conditioned policy learnt from them, and
// the machine following a reference of steps with it, among imagined rollouts of the same reference.

import Bagel
import Foundation

/// How much of figure 4 to run.
public struct Figure4Options: Sendable {
  /// Of manual driving.
  public var seconds = 80.0
  /// Openings of the valve; the policy keeps within the largest, beyond which nothing was seen.
  public var speeds = [0.1, 0.21]
  /// Imagined rollouts.
  public var particles = 100
  public var seed: UInt64 = 0

  public init() {}
}

/// Figure 4, measured.
public struct Figure4 {
  private let options: Figure4Options
  private let task: ControlTask
  private let driving: Episode
  private let fit: FittedModel
  private let policy: OptimizedPolicy
  private let evaluated: EvaluatedEpisode
  /// First states of the imagined rollouts [B][T], physical units.
  private let imagined: PathBundle

  /// Drives, learns, optimises, drives.
  ///
  /// - Parameter progress: hears what begins; false ends the search (and throws `SearchError`).
  /// - Throws: what these throw.
  public init(_ options: Figure4Options, _ progress: (String) -> Bool = { _ in true }) throws {
    self.options = options
    var task = try ControlTask("boom-goals")
    task.search.seed = options.seed
    let largest = options.speeds.max() ?? 1
    task.actionLimits = [-largest...largest]
    // Neither driver ever stops: that a closed valve holds the boom is told to the model.
    task.model.restPseudoData = 100
    // At a fifth of the valve's opening the longest step takes six seconds.
    task.evaluation.settle = 10
    self.task = task
    _ = progress("driving by hand")
    driving = try Self.drive(task, options)
    _ = progress("learning")
    fit = try task.fit([driving])
    let policy = try task.optimize(fit.model, device: .host) { _ in progress("optimising") }
    guard policy.isFinished else { throw SearchError(description: "interrupted") }
    self.policy = policy
    _ = progress("following the reference")
    var plant = try task.makePlant()
    defer { plant.close(safeAction: task.safeAction) }
    let (outcome, goals) = try task.drive(
      &plant, policy.best, index: 0, seed: options.seed, bounds: fit.model.stateBounds,
      name: "reference")
    if let failure = outcome.failure { throw failure }
    evaluated = task.judge(outcome.episode, goals: goals, earlyEnd: outcome.earlyEnd)
    imagined = try Self.imagine(
      task, fit.model, policy.best, goals, from: outcome.episode.states[0], options)
  }

  private static func drive(_ task: ControlTask, _ options: Figure4Options) throws -> Episode {
    let range = task.exploration.turningPoints ?? -0.6...0.8
    var driver = TwoSpeedDriving(
      turningPoints: range, speeds: options.speeds, timeStep: task.layout.timeStep,
      seconds: options.seconds)
    var plant = try task.makePlant()
    let outcome = try task.episodeRun(seconds: options.seconds).run(
      &plant, seed: options.seed, name: "manual driving"
    ) { step, states in [driver.command(step: step, angle: states[0])] }
    if let failure = outcome.failure { throw failure }
    return outcome.episode
  }

  /// The reference on the model: rollouts that go on from one goal to the next.
  private static func imagine(
    _ task: ControlTask, _ model: DynamicsModel, _ controller: PolicyController,
    _ goals: [ControlTask.EvaluationOptions.ScheduledGoal], from start: [Double],
    _ options: Figure4Options
  ) throws -> PathBundle {
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let executor = try task.makeExecutor(rollout, device: .host)
    let states = model.stateStandardiser
    let count = options.particles
    var carries = (0..<count).flatMap { _ in
      rollout.layout.atRest(states.standardise(start), action: rollout.restAction)
    }
    var paths = Array(repeating: [start[0]], count: count)
    let ends = goals.dropFirst().map(\.time) + [task.evaluation.seconds]
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
      carries = (0..<count).flatMap { found.state(step: horizon, particle: $0) }
    }
    return PathBundle(paths)
  }

  /// For --json.
  public var json: [String: Any] {
    [
      "transitions": fit.model.processes[0].y.count, "fitSeconds": fit.seconds,
      "optimizeSeconds": policy.seconds, "steps": evaluated.steps.count,
      "stepSuccesses": evaluated.steps.count { $0.isSuccess },
      "steadyStateErrors": evaluated.steps.map(\.steadyStateError),
    ]
  }

  // MARK: The page

  /// Writes figure4.html and figure4.csv to a folder; returns the page's path. Throws: Foundation's file errors.
  public func write(to folder: String) throws -> String {
    let unit = Unit(task.layout.states[0].units)
    let rows = evaluated.steps.map { step in
      "<tr><td>\(number(step.time))</td><td>\(number(unit.convert([step.goal[0]])[0]))</td>"
        + "<td>\(step.riseTime.map(number) ?? "-")</td>"
        + "<td>\(number(unit.convert([step.steadyStateError])[0]))</td>"
        + "<td>\(step.isSuccess ? "yes" : "<b>no</b>")</td></tr>"
    }
    let tolerance = number(unit.convert([task.evaluation.tolerance])[0])
    let page = Page(
      title: "Figure 4: a goal-conditioned policy",
      sections: [
        .init(
          title: nil,
          html: [
            "<p>\(number(options.seconds)) s of driving by hand at two openings of the valve "
              + "(\(options.speeds.map(number).joined(separator: ", "))), two Gaussian processes learnt in "
              + "\(number(fit.seconds)) s, a policy that sees state and goal found in \(number(policy.seconds)) s for "
              + "starts and goals drawn from the data's bounds, then the reference.</p>"
          ]),
        .init(title: nil, plot: manualPlot), .init(title: nil, plot: referencePlot),
        .init(
          title: "Steps of the reference",
          html: [
            "<table><tr><th>from (s)</th><th>goal (\(unit.name))</th><th>rise time (s)</th>"
              + "<th>steady-state error (\(unit.name))</th><th>within \(tolerance) \(unit.name) from "
              + "\(number(task.evaluation.settle)) s on</th></tr>" + rows.joined() + "</table>"
          ]),
        .init(
          title: "The paper, and what is different here",
          html: [
            "<p>The paper shows the same on the real boom: the controller drives it to all reference positions. Here the boom is "
              + "simulated; \(task.model.restPseudoData) pseudo-measurements say that a closed valve holds it, which neither speed shows; and the "
              + "reward has a penalty on changes of the action (weight 1), without which the simulated spool and oil end in a limit cycle.</p>"
          ]),
      ])
    return try page.write("figure4", csv: csv, to: folder)
  }

  private func times(_ count: Int) -> [Double] {
    (0..<count).map { Double($0) * task.layout.timeStep }
  }

  private func angles(_ episode: Episode) -> [Double] {
    Unit(task.layout.states[0].units).convert(episode.states.map { $0[0] })
  }

  private func plot(_ title: String) -> Plot {
    let channel = task.layout.states[0]
    return Plot(
      title: title, xLabel: "time (s)", yLabel: "\(channel.name) (\(Unit(channel.units).name))")
  }

  private var manualPlot: Plot {
    var plot = plot("by hand, at two speeds")
    plot.curves.append(
      .init(
        title: "measured", style: .lines(color: Palette.colors[0], width: 1.2),
        x: times(driving.count), y: angles(driving)))
    return plot
  }

  private var referencePlot: Plot {
    let unit = Unit(task.layout.states[0].units)
    var plot = plot("the policy on the machine, and imagined")
    let (lower, upper) = (imagined.quantile(0), imagined.quantile(1))
    plot.curves.append(
      .init(
        title: "all imagined", style: .band(color: Palette.colors[2]), x: times(lower.count),
        y: unit.convert(lower), upper: unit.convert(upper)))
    for path in imagined.paths.prefix(10) {
      plot.curves.append(
        .init(
          title: nil, style: .lines(color: Palette.colors[2], width: 0.5), x: times(path.count),
          y: unit.convert(path)))
    }
    plot.curves.append(
      .init(
        title: "on the machine", style: .lines(color: Palette.colors[4], width: 1.5),
        x: times(evaluated.episode.count), y: angles(evaluated.episode)))
    let (switches, goals) = evaluated.goals(of: 0, until: task.evaluation.seconds)
    plot.curves.append(
      .init(
        title: "reference", style: .dashes(color: Palette.colors[0], width: 1),
        x: switches, y: unit.convert(goals)))
    return plot
  }

  /// Driving by hand, then the reference; times of the second part begin at 0 again.
  private var csv: String {
    var rows = ["part,time,angle,valve,lowest,mean,highest"]
    for (k, time) in times(driving.count).enumerated() {
      rows.append("manual,\(time),\(driving.states[k][0]),\(driving.actions[k][0]),,,")
    }
    let columns = [imagined.quantile(0), imagined.mean, imagined.quantile(1)]
    let episode = evaluated.episode
    for (k, time) in times(min(episode.count, columns[0].count)).enumerated() {
      rows.append(
        "reference,\(time),\(episode.states[k][0]),\(episode.actions[k][0]),"
          + columns.map { "\($0[k])" }.joined(separator: ","))
    }
    return rows.joined(separator: "\n") + "\n"
  }
}
