// SPDX-License-Identifier: Apache-2.0
// The report's pictures: predicted particles against real episodes, constraints against their bounds, promises against what came of
// them, the search's returns, and the model's own (ModelPictures.swift).

import Formulas
import Foundation
import GaussianProcesses
import PolicySearch
import Tasks

extension Report {
  /// Episodes of which more are many lines.
  private static let crowd = 3

  /// Of the policy and the episodes.
  var pictures: [Plot] {
    var plots: [Plot] = []
    if let planePicture { plots.append(planePicture) }
    // What has a panel for each start and goal is not drawn in one tangle too; it is where few episodes are none, and against predictions.
    let isTangle = hasPanels && predicted == nil && (evaluation?.episodes.count ?? 0) > Self.crowd
    let apart = isTangle ? Set(panelSubjects.map(\.name)) : []
    plots += reported.filter { !apart.contains($0.name) }.map(responsePlot)
    plots += task.layout.actions.indices.filter { !apart.contains(task.layout.actions[$0].name) }
      .map(actionPlot)
    plots += task.layout.disturbances.indices.compactMap(disturbancePlot)
    plots += task.constraints.map(constraintPlot)
    return plots + promisePlots
  }

  /// Predicted particles, where they went to the goals of the real episodes: not those of a schedule.
  private var predicted: OptimizedPolicy? {
    evaluation == nil || task.evaluation.goalTimes == [0] ? policy : nil
  }

  /// What goals are of beside the states, and the states.
  private var reported: [Quantity] {
    let formulas = task.objective.goalQuantities?.filter { $0.state == nil } ?? []
    return formulas + task.layout.states.compactMap { task.quantity($0.name) }
  }

  /// A state or quantity: mean, 95 % band and a few lines of the predicted particles, against the real episodes and their goal.
  private func responsePlot(_ quantity: Quantity) -> Plot {
    let unit = Unit(quantity.units)
    var particles: [[Double]] = []
    if let policy = predicted {
      particles = policy.predicted.paths(
        of: quantity, mean: policy.best.stateMean, scale: policy.best.stateScale)
    }
    let real = evaluation?.episodes.map { $0.episode.states.map { quantity.value($0) } } ?? []
    var plot = ribbon(
      title: quantity.name, yLabel: unit.axisTitle(quantity.name), particles.map(unit.convert),
      real.map(unit.convert))
    for other in others {
      let paths = other.evaluation.episodes.map { $0.episode.states.map { quantity.value($0) } }
      for (index, path) in paths.map(unit.convert).enumerated() {
        plot.curves.append(
          .init(
            title: index == 0 ? other.name : nil, name: "\(other.name), episode \(index + 1)",
            style: .lines(
              color: paths.count > Self.crowd ? other.faintColor : other.color, width: 1),
            x: path.indices.map { Double($0) * task.layout.timeStep }, y: path))
      }
    }
    let goal = task.goalChannels.firstIndex { $0.name == quantity.name }
    if let (times, goals) = goal.flatMap(commonGoals) {
      plot.curves.append(
        .init(
          title: "goal", style: .dashes(color: "#222222", width: 1), x: times,
          y: unit.convert(goals)))
    }
    return plot
  }

  /// A goal over time as a line, where all real episodes have the same and are judged by it.
  private func commonGoals(_ index: Int) -> (times: [Double], goals: [Double])? {
    guard let first = evaluation?.episodes.first, task.evaluation.measures.isEmpty,
      evaluation?.episodes.allSatisfy({ $0.reference == first.reference }) == true
    else { return nil }
    return first.reference.line(
      of: index, until: Double(first.episode.count) * task.layout.timeStep)
  }

  private func actionPlot(_ action: Int) -> Plot {
    let channel = task.layout.actions[action]
    let unit = Unit(channel.units)
    var particles: [[Double]] = []
    if let predicted = predicted?.predicted {
      particles = (0..<predicted.particles).map { b in
        (0..<predicted.horizon).map { k in
          let actions = predicted.action(step: k, particle: b)
          return actions[actions.startIndex + action]
        }
      }
    }
    let real =
      evaluation?.episodes.map { $0.episode.actions.dropLast().map { $0[action] } } ?? []
    return ribbon(
      title: "\(channel.name) command", yLabel: unit.axisTitle(channel.name),
      particles.map(unit.convert), real.map(unit.convert))
  }

  /// The number of a constraint over time, against its bounds.
  private func constraintPlot(_ constraint: ControlTask.Constraint) -> Plot {
    func values(_ states: [[Double]], _ actions: [[Double]]) -> [Double] {
      states.indices.dropFirst().map { row in
        task.value(
          of: constraint, state: states[row], action: actions[row - 1],
          previous: row > 1 ? actions[row - 2] : task.safeAction)
      }
    }
    var particles: [[Double]] = []
    if let policy = predicted {
      let count = task.layout.states.count
      particles = (0..<policy.predicted.particles).map { b in
        let states = (0...policy.predicted.horizon).map { k in
          zip(
            policy.predicted.carry(step: k, particle: b).prefix(count),
            zip(policy.best.stateMean, policy.best.stateScale)
          ).map { $1.0 + $1.1 * $0 }
        }
        let actions = (0..<policy.predicted.horizon).map { k in
          Array(policy.predicted.action(step: k, particle: b))
        }
        return values(states, actions)
      }
    }
    let real = evaluation?.episodes.map { values($0.episode.states, $0.episode.actions) } ?? []
    var plot = ribbon(
      title: "constraint: \(constraint.words)", yLabel: constraint.name, particles, real)
    let last = (particles + real).map(\.count).max() ?? 0
    let shown =
      (particles + real).flatMap { $0.filter(\.isFinite) }
      + [constraint.lower, constraint.upper].compactMap { $0 }
    if let least = shown.min(), let most = shown.max(), least < most {
      let margin = 0.05 * (most - least)
      plot.yRange = (least - margin)...(most + margin)
    }
    for (index, bound) in [constraint.lower, constraint.upper].compactMap({ $0 }).enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "bound" : nil, name: "bound",
          style: .dashes(color: "#a3201d", width: 1.4),
          x: [0, Double(last) * task.layout.timeStep], y: [bound, bound]))
    }
    return plot
  }

  /// What disturbed the real episodes; nil where there were none.
  private func disturbancePlot(_ disturbance: Int) -> Plot? {
    guard let evaluation else { return nil }
    let channel = task.layout.disturbances[disturbance].channel
    let unit = Unit(channel.units)
    var plot = ribbon(
      title: "\(channel.name), a disturbance", yLabel: unit.axisTitle(channel.name), [],
      evaluation.episodes.map { unit.convert($0.episode.disturbances.map { $0[disturbance] }) })
    guard let logged = fit?.model.loggedDisturbances.bounds[disturbance] else { return plot }
    let last = evaluation.episodes.map(\.episode.count).max() ?? 0
    for (index, bound) in unit.convert([logged.lowerBound, logged.upperBound]).enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "least and most in the logs" : nil,
          style: .dashes(color: "#222222", width: 1),
          x: [0, Double(last) * task.layout.timeStep], y: [bound, bound]))
    }
    return plot
  }

  /// `particles` [B][T] as a band with a few lines and the mean, `real` [episodes][T] as lines.
  private func ribbon(
    title: String, yLabel: String, _ particles: [[Double]], _ real: [[Double]]
  ) -> Plot {
    let what = [
      particles.isEmpty ? nil : "predicted particles", real.isEmpty ? nil : "real episodes",
    ]
    var plot = Plot(
      title: "\(title): \(what.compactMap { $0 }.joined(separator: " and "))", xLabel: "time (s)",
      yLabel: yLabel)
    func times(_ count: Int) -> [Double] { (0..<count).map { Double($0) * task.layout.timeStep } }
    let bundle = particles.isEmpty ? nil : PathBundle(particles)
    if let bundle, let first = particles.first {
      plot.curves.append(
        .init(
          title: "predicted, 95 %", style: .band(color: "#2f6fb0"), x: times(first.count),
          y: bundle.quantile(0.025), upper: bundle.quantile(0.975)))
      for (index, particle) in particles.prefix(5).enumerated() {
        plot.curves.append(
          .init(
            title: nil, name: "predicted particle \(index + 1)",
            style: .lines(color: "#9cbde0", width: 0.6), x: times(first.count),
            y: particle))
      }
    }
    let isCrowd = real.count > Self.crowd
    for (index, path) in real.enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "real episodes" : nil, name: "episode \(index + 1)",
          style: isCrowd
            ? .lines(color: "#60d1661f", width: 0.8) : .lines(color: "#d1661f", width: 1.6),
          x: times(path.count), y: path))
    }
    if let mean = bundle?.mean {
      plot.curves.append(
        .init(
          title: "predicted mean", style: .lines(color: "#1d4e86", width: 2),
          x: times(mean.count), y: mean))
    }
    return plot
  }

  func returnPlot(_ state: SearchState) -> Plot {
    var plot = Plot(
      title: "return per iteration"
        + (task.constraints.isEmpty ? "" : ", less weighted violations"), xLabel: "iteration",
      yLabel: "mean return")
    plot.curves.append(
      .init(
        title: "return", style: .lines(color: "#1d4e86", width: 1.5),
        x: state.returns.indices.map { Double($0 + 1) }, y: state.returns))
    return plot
  }

  // MARK: Promises

  /// Promises against what came of them: of each tracked error over the responses, of the return over the episodes.
  private var promisePlots: [Plot] {
    guard let evaluation, let (promise, score) = promised else { return [] }
    var plots = promise.errors.indices.map { t -> Plot in
      let tracked = task.evaluation.tracked[t]
      let channel = task.goalChannels[tracked.goal]
      let unit = Unit(channel.units)
      let errors = evaluation.steps.map { $0.tracked[t].steadyStateError }
      var plot = outcomes(
        "error of \(channel.name) from \(number(task.evaluation.settle)) s on",
        "response", unit.axisTitle("mean |\(channel.name) - goal|"), unit.convert(errors),
        within: 0...unit.convert([promise.errors[t]])[0])
      if tracked.tolerance > 0 {
        plot.curves.append(
          .init(
            title: "tolerance (of the largest error)", style: .dashes(color: "#222222", width: 1),
            x: [0, Double(errors.count + 1)],
            y: unit.convert([tracked.tolerance, tracked.tolerance])))
      }
      return plot
    }
    if let range = promise.episodeReturn, !score.episodeReturns.isEmpty {
      plots.append(outcomes("return", "episode", "return", score.episodeReturns, within: range))
    }
    return plots
  }

  /// Values by their number, from 1, over the interval that was promised with 90 %.
  private func outcomes(
    _ title: String, _ xLabel: String, _ yLabel: String, _ values: [Double],
    within range: ClosedRange<Double>
  ) -> Plot {
    var plot = Plot(title: "\(title): promised and real", xLabel: xLabel, yLabel: yLabel)
    plot.curves.append(
      .init(
        title: "promised, 90 %", style: .band(color: "#2f6fb0"),
        x: [0, Double(values.count + 1)], y: [range.lowerBound, range.lowerBound],
        upper: [range.upperBound, range.upperBound]))
    plot.curves.append(
      .init(
        title: "on the plant", style: .crosses(color: "#d1661f"),
        x: values.indices.map { Double($0 + 1) }, y: values))
    return plot
  }
}
