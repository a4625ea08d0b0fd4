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
  /// In place of driving the simulated boom; the reference is then followed on the model only.
  public var logs: OwnLogs?
  /// Imagined rollouts.
  public var particles = 100
  public var seed: UInt64 = 0

  public init() {}
}

/// Figure 4, measured.
public struct Figure4 {
  private let options: Figure4Options
  private let task: ControlTask
  private let fit: FittedModel
  private let policy: OptimizedPolicy
  /// The reference on the machine, if there is one.
  private let evaluated: EvaluatedEpisode?
  private let reference: [ControlTask.EvaluationOptions.ScheduledGoal]
  /// First states of the imagined rollouts [B][T], physical units.
  private let imagined: PathBundle

  /// Drives, learns, optimises, drives.
  ///
  /// - Parameters:
  ///   - options: how much to run.
  ///   - progress: hears what begins; false ends the search (and throws `SearchError`).
  /// - Throws: what these throw.
  public init(_ options: Figure4Options, _ progress: (String) -> Bool = { _ in true }) throws {
    self.options = options
    var task = try Self.task(options)
    _ = progress("getting data")
    let training =
      options.logs == nil ? [try Self.drive(task, options)] : try task.trainingEpisodes()
    _ = progress("learning")
    fit = try task.fit(training)
    if options.logs != nil { task.evaluation.schedule = Self.scaled(task, to: fit.model) }
    self.task = task
    let policy = try task.optimize(fit.model, device: .host) { _ in progress("optimising") }
    guard policy.isFinished else { throw SearchError(description: "interrupted") }
    self.policy = policy
    _ = progress("following the reference")
    if task.plant != nil {
      evaluated = try Self.follow(task, fit.model, policy.best, options)
    } else {
      evaluated = nil
    }
    let start = evaluated?.episode.states[0] ?? fit.model.restingState(at: 0.1)
    reference =
      evaluated?.reference ?? [.init(time: 0, goal: start)] + task.evaluation.schedule
    imagined = try Self.imagine(task, fit.model, policy.best, reference, from: start, options)
  }

  private static func task(_ options: Figure4Options) throws -> ControlTask {
    var task = try ControlTask("boom-goals")
    task.search.seed = options.seed
    if let logs = options.logs {
      task = logs.applied(to: task)
      task.goal = .bounds(states: [true, false])
    } else {
      let largest = options.speeds.max() ?? 1
      task.actionLimits = [-largest...largest]
    }
    // Neither driver ever stops: that a closed valve holds the boom is told to the model.
    task.model.restPseudoData = 100
    // At a fifth of the valve's opening the longest step takes six seconds.
    task.evaluation.settle = 10
    return task
  }

  /// The boom's reference, from the range that the boom is driven over to that of the data.
  private static func scaled(
    _ task: ControlTask, to model: DynamicsModel
  ) -> [ControlTask.EvaluationOptions.ScheduledGoal] {
    let range = task.exploration.turningPoints ?? -0.6...0.8
    return task.evaluation.schedule.map { scheduled in
      let fraction = (scheduled.goal[0] - range.lowerBound) / (range.upperBound - range.lowerBound)
      return .init(time: scheduled.time, goal: model.restingState(at: fraction))
    }
  }

  private static func follow(
    _ task: ControlTask, _ model: DynamicsModel, _ controller: PolicyController,
    _ options: Figure4Options
  ) throws -> EvaluatedEpisode {
    var plant = try task.makePlant()
    defer { plant.close(safeAction: task.safeAction) }
    let (outcome, goals) = try task.drive(
      &plant, controller, index: 0, seed: options.seed, bounds: model.stateBounds,
      name: "reference")
    if let failure = outcome.failure { throw failure }
    return task.judge(outcome.episode, goals: goals, earlyEnd: outcome.earlyEnd)
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
      carries = (0..<count).flatMap { found.state(step: horizon, particle: $0) }
    }
    return PathBundle(paths)
  }

  /// For --json.
  public var json: [String: Any] {
    let steps = evaluated?.steps ?? []
    return [
      "transitions": fit.model.processes[0].y.count, "fitSeconds": fit.seconds,
      "optimizeSeconds": policy.seconds, "steps": steps.count,
      "stepSuccesses": steps.count { $0.isSuccess },
      "steadyStateErrors": steps.map(\.steadyStateError),
      "imaginedErrors": imaginedErrors,
    ]
  }

  // MARK: The page

  /// Writes figure4.html and figure4.csv to a folder, with `png` its pictures too; returns the page's path. Throws: Foundation's file errors.
  public func write(to folder: String, png: Bool = false) throws -> String {
    let page = Page(
      title: "Figure 4: a goal-conditioned policy",
      sections: [
        .init(title: nil, html: [introduction]), .init(title: nil, plot: trainingPlot),
        .init(title: nil, plot: referencePlot),
        .init(title: "Steps of the reference", html: [stepTable]),
        .init(title: "The paper, and what is different here", html: [comparison]),
      ])
    return try page.write("figure4", csv: csv, to: folder, png: png)
  }

  /// Mean distance of the imagined rollouts' means from the reference, over the last second of each step, physical units.
  private var imaginedErrors: [Double] {
    let mean = imagined.mean
    return zip(reference, reference.ends(until: task.evaluation.seconds)).map { scheduled, end in
      let last = min(Int((end / task.layout.timeStep).rounded()), mean.count)
      let rows = mean[max(0, last - Int((1 / task.layout.timeStep).rounded()))..<last]
      return rows.reduce(0) { $0 + abs($1 - scheduled.goal[0]) } / Double(rows.count)
    }
  }

  private var introduction: String {
    let data =
      options.logs.map { "\(escaped($0.files.joined(separator: ", ")))" }
      ?? "\(number(options.seconds)) s of driving by hand at two openings of the valve "
      + "(\(options.speeds.map(number).joined(separator: ", ")))"
    let end =
      evaluated == nil
      ? "The reference is imagined only: `bagel run` drives your machine." : "Then the reference."
    return
      "<p>\(data); two Gaussian processes learnt in \(number(fit.seconds)) s, a policy that sees state and goal found in "
      + "\(number(policy.seconds)) s for starts and goals drawn from the data's bounds. \(end)</p>"
  }

  private var stepTable: String {
    let unit = Unit(task.layout.states[0].units)
    func cell(_ value: Double) -> String { "<td>\(number(unit.convert([value])[0]))</td>" }
    let tolerance = number(unit.convert([task.evaluation.tolerance])[0])
    let rows = zip(reference, imaginedErrors).enumerated().map { index, step in
      let driven = evaluated.map { evaluated -> String in
        let figures = evaluated.steps[index]
        return "<td>\(figures.riseTime.map(number) ?? "-")</td>" + cell(figures.steadyStateError)
          + "<td>\(figures.isSuccess ? "yes" : "<b>no</b>")</td>"
      }
      return "<tr><td>\(number(step.0.time))</td>" + cell(step.0.goal[0]) + cell(step.1)
        + (driven ?? "") + "</tr>"
    }
    let driven =
      evaluated == nil
      ? ""
      : "<th>rise time (s)</th><th>steady-state error\(unit.suffix)</th><th>within \(tolerance) "
        + "\(unit.name) from \(number(task.evaluation.settle)) s on</th>"
    return "<table><tr><th>from (s)</th><th>goal\(unit.suffix)</th>"
      + "<th>imagined error at its end\(unit.suffix)</th>\(driven)</tr>" + rows.joined()
      + "</table>"
  }

  private var comparison: String {
    let machine =
      options.logs == nil
      ? "the boom is simulated" : "the machine is that of the logs, and is not driven"
    return
      "<p>The paper shows the same on the real boom: the controller drives it to all reference positions. Here \(machine); "
      + "\(task.model.restPseudoData) pseudo-measurements say that a closed valve holds it, which neither speed of the paper's "
      + "driver shows; and the reward has a penalty on changes of the action (weight 1), without which a simulated spool and oil "
      + "end in a limit cycle.</p>"
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
      title: title, xLabel: "time (s)", yLabel: "\(channel.name)\(Unit(channel.units).suffix)")
  }

  private var trainingPlot: Plot {
    var plot = plot(options.logs == nil ? "by hand, at two speeds" : "the logs")
    for (index, episode) in fit.training.enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "measured" : nil,
          style: .lines(color: Palette.colors[index % Palette.colors.count], width: 1.2),
          x: times(episode.count), y: angles(episode)))
    }
    return plot
  }

  private var referencePlot: Plot {
    let unit = Unit(task.layout.states[0].units)
    var plot = plot("the policy \(evaluated == nil ? "" : "on the machine, and ")imagined")
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
    if let evaluated {
      plot.curves.append(
        .init(
          title: "on the machine", style: .lines(color: Palette.colors[4], width: 1.5),
          x: times(evaluated.episode.count), y: angles(evaluated.episode)))
    }
    let (switches, goals) = reference.staircase(of: 0, until: task.evaluation.seconds)
    plot.curves.append(
      .init(
        title: "reference", style: .dashes(color: Palette.colors[0], width: 1),
        x: switches, y: unit.convert(goals)))
    return plot
  }

  /// What was learnt from, then the reference; times of every part begin at 0 again.
  private var csv: String {
    var rows = ["part,time,angle,valve,lowest,mean,highest"]
    for episode in fit.training {
      for (k, time) in times(episode.count).enumerated() {
        rows.append(
          "\"\(episode.name)\",\(time),\(episode.states[k][0]),\(episode.actions[k][0]),,,")
      }
    }
    let columns = [imagined.quantile(0), imagined.mean, imagined.quantile(1)]
    let episode = evaluated?.episode
    for (k, time) in times(columns[0].count).enumerated() {
      let driven = episode.flatMap { k < $0.count ? "\($0.states[k][0]),\($0.actions[k][0])" : nil }
      rows.append(
        "reference,\(time),\(driven ?? ","),"
          + columns.map { "\($0[k])" }.joined(separator: ","))
    }
    return rows.joined(separator: "\n") + "\n"
  }
}
