// SPDX-License-Identifier: Apache-2.0
// Each start and goal in a picture of its own: small pictures side by side, on the same axes, one per group of responses with the same
// start and goal. In: an evaluation, and the same episodes with other controllers. Out: panels, each with how it ended and why it failed.

import Formulas
import Foundation
import MachineLogs
import Tasks

/// Responses that begin alike and want the same.
struct ResponseGroup {
  /// Numbers of the episode and of its step.
  var members: [(episode: Int, step: Int)]
  /// Whether they are one step of a reference that all episodes follow.
  var isOfSchedule: Bool
}

/// What panels are of.
struct PanelSubject {
  var name: String
  var unit: Unit
  /// Its index among the tracked; nil for a command.
  var tracked: Int?
  /// Of an episode, by row.
  var values: (EvaluatedEpisode) -> [Double]
}

extension Evaluation {
  /// Its responses by start and goal, in the order of the first of each.
  var groups: [ResponseGroup] {
    guard let first = episodes.first else { return [] }
    // A reference may begin with staying where the machine starts.
    let isSchedule =
      first.steps.count > 1
      && episodes.allSatisfy {
        $0.steps.map(\.time) == first.steps.map(\.time)
          && $0.steps.dropFirst().map(\.goal) == first.steps.dropFirst().map(\.goal)
      }
    if isSchedule {
      return first.steps.indices.map { step in
        ResponseGroup(
          members: episodes.indices.map { (episode: $0, step: step) }, isOfSchedule: true)
      }
    }
    var groups: [ResponseGroup] = []
    let spans = stateSpans
    for (e, episode) in episodes.enumerated() {
      for s in episode.steps.indices {
        let same = groups.firstIndex { group in
          let (other, step) = group.members[0]
          return episode.steps.count == 1
            && episodes[other].steps[step].goal == episode.steps[s].goal
            && episode.startsLike(episodes[other], within: spans)
        }
        if let same {
          groups[same].members.append((episode: e, step: s))
        } else {
          groups.append(ResponseGroup(members: [(episode: e, step: s)], isOfSchedule: false))
        }
      }
    }
    return groups
  }

  /// How far each state moves over all episodes [S].
  private var stateSpans: [Double] {
    let states = episodes.flatMap(\.episode.states)
    guard let first = states.first else { return [] }
    return first.indices.map { i in
      let values = states.lazy.map { $0[i] }
      return (values.max() ?? 0) - (values.min() ?? 0)
    }
  }
}

extension EvaluatedEpisode {
  /// Whether its first state differs by less than a fiftieth of how far each state moves: what sensors' noise makes.
  fileprivate func startsLike(_ other: EvaluatedEpisode, within spans: [Double]) -> Bool {
    guard let a = episode.states.first, let b = other.episode.states.first else { return true }
    return zip(zip(a, b), spans).allSatisfy { abs($0.0 - $0.1) <= 0.02 * $1 }
  }

  /// Rows of one of its steps.
  fileprivate func rows(ofStep index: Int, timeStep: Double) -> Range<Int> {
    let begin = steps.count == 1 ? 0 : Int((steps[index].time / timeStep).rounded())
    let end =
      index + 1 < steps.count
      ? Int((steps[index + 1].time / timeStep).rounded()) + 1 : episode.count
    return min(begin, episode.count)..<max(min(end, episode.count), min(begin, episode.count))
  }
}

extension Report {
  /// Panels of a quantity, at most; those that failed first.
  private static let mostPanels = 12
  private static let ownColor = "#d1661f"
  private static let failedColor = "#a3201d"

  var hasPanels: Bool { (evaluation?.groups.count ?? 0) > 1 }

  /// What is drawn apart: what is tracked, and every command.
  var panelSubjects: [PanelSubject] {
    let tracked = task.evaluation.tracked.enumerated().compactMap { t, tracked -> PanelSubject? in
      let name = task.goalChannels[tracked.goal].name
      guard
        let quantity = task.objective.goalQuantities?.first(where: { $0.name == name })
          ?? task.quantity(name)
      else { return nil }
      return PanelSubject(name: quantity.name, unit: Unit(quantity.units), tracked: t) {
        $0.episode.states.map { quantity.value($0) }
      }
    }
    let commands = task.layout.actions.enumerated().map { j, channel in
      PanelSubject(name: channel.name, unit: Unit(channel.units), tracked: nil) {
        $0.episode.actions.dropLast().map { $0[j] }
      }
    }
    return tracked + commands
  }

  func responsePanels(_ evaluation: Evaluation) -> [Block] {
    let groups = evaluation.groups
    guard groups.count > 1 else { return [] }
    let failed = groups.indices.filter { !failures(of: groups[$0], evaluation).isEmpty }
    let held = groups.indices.filter { !failed.contains($0) }
    let shown = (failed + held).prefix(Self.mostPanels).sorted()
    var blocks: [Block] = [
      .heading(groups[0].isOfSchedule ? "Each goal apart" : "Each start and goal apart", level: 3)
    ]
    if shown.count < groups.count {
      blocks.append(
        .words("\(shown.count) of \(groups.count) are shown, those that failed first.", mood: .soft)
      )
    }
    for subject in panelSubjects {
      var panels = shown.map { panel(groups[$0], number: $0 + 1, subject, evaluation) }
      shareAxes(&panels)
      blocks.append(
        .panels(panels, title: subject.name, key: key(subject, hasFailed: !failed.isEmpty)))
    }
    return blocks
  }

  private func key(_ subject: PanelSubject, hasFailed: Bool) -> [ReportPage.KeyEntry] {
    let controllers =
      [ReportPage.KeyEntry(name: "this policy", color: Self.ownColor)]
      + (hasFailed ? [.init(name: "where it fails", color: Self.failedColor)] : [])
      + others.map { ReportPage.KeyEntry(name: $0.name, color: $0.color) }
    guard let tracked = subject.tracked else { return controllers }
    return controllers + [.init(name: "goal", color: "#222222")]
      + (tolerance(tracked) > 0 ? [.init(name: "tolerance", color: "#c9ced6")] : [])
  }

  /// 0 where measures judge.
  private func tolerance(_ tracked: Int) -> Double {
    task.evaluation.measures.isEmpty ? task.evaluation.tracked[tracked].tolerance : 0
  }

  /// Why members failed, by episode.
  private func failures(
    of group: ResponseGroup, _ evaluation: Evaluation
  ) -> [(episode: Int, reason: String)] {
    group.members.compactMap { e, s in
      evaluation.episodes[e].reason(ofStep: s, task).map { (episode: e, reason: $0) }
    }
  }

  private func panel(
    _ group: ResponseGroup, number: Int, _ subject: PanelSubject, _ evaluation: Evaluation
  ) -> ReportPage.Panel {
    let (e, s) = group.members[0]
    let episode = evaluation.episodes[e]
    let failed = failures(of: group, evaluation)
    let members = group.members.map { "\($0.episode + 1)" }
    let several = members.count > 1
    let listed = members.prefix(4).joined(separator: ", ") + (members.count > 4 ? " ..." : "")
    let name =
      group.isOfSchedule
      ? "goal \(number), from \(Bagel.number(episode.steps[s].time)) s"
      : (members.count > 1 ? "episodes \(listed)" : "episode \(e + 1)")
        + (episode.steps.count > 1 ? ", goal \(s + 1)" : "")
    var plot = Plot(
      title: name, xLabel: "time (s)", yLabel: subject.unit.axisTitle(subject.name))
    (plot.hasKey, plot.width, plot.height, plot.fontSize) = (false, 320, 240, 11)
    if let tracked = subject.tracked {
      plot.title = title(group, subject, tracked, evaluation)
      plot.curves = goalCurves(episode, s, tracked, subject.unit)
    }
    for other in others {
      plot.curves += curves(group, other.evaluation, subject, other.name, other.color, 1.2)
    }
    let own = curves(group, evaluation, subject, "this policy", Self.ownColor, 1.8)
    // What failed is seen at once.
    plot.curves += zip(own, group.members).map { curve, member in
      guard failed.contains(where: { $0.episode == member.episode }) else { return curve }
      return Plot.Curve(
        title: nil, name: curve.name + ", fails",
        style: .lines(color: Self.failedColor, width: 1.8), x: curve.x, y: curve.y)
    }
    // A command's picture is told apart by its title; why it failed stands below the others.
    guard subject.tracked != nil else { return .init(plot: plot, caption: "", mood: .plain) }
    let verdict =
      several
      ? "\(members.count - failed.count) of \(members.count) succeed"
      : failed.isEmpty ? "succeeds" : "fails"
    let reasons = failed.prefix(2).map {
      several ? "episode \($0.episode + 1), \($0.reason)" : $0.reason
    }
    return .init(
      plot: plot, caption: "\(name): " + ([verdict] + reasons).joined(separator: "; "),
      mood: failed.isEmpty ? .good : .bad)
  }

  /// From where to where, as far as it is the same for all members.
  private func title(
    _ group: ResponseGroup, _ subject: PanelSubject, _ tracked: Int, _ evaluation: Evaluation
  ) -> String {
    let (e, s) = group.members[0]
    let episode = evaluation.episodes[e]
    let goals = Set(group.members.map { evaluation.episodes[$0.episode].steps[$0.step].goal })
    let index = task.evaluation.tracked[tracked].goal
    let wanted =
      task.evaluation.isPath
      ? "its path"
      : goals.count > 1 ? "where it starts" : subject.unit.shown(episode.steps[s].goal[index])
    let rows = episode.rows(ofStep: s, timeStep: task.layout.timeStep)
    guard let first = rows.first, !group.isOfSchedule || group.members.count == 1 else {
      return "to \(wanted)"
    }
    let about = group.members.count > 1 ? "about " : ""
    return "\(about)\(subject.unit.shown(subject.values(episode)[first])) to \(wanted)"
  }

  /// The responses of a group's members with one controller, from each switch of the goal on.
  private func curves(
    _ group: ResponseGroup, _ evaluation: Evaluation, _ subject: PanelSubject, _ name: String,
    _ color: String, _ width: Double
  ) -> [Plot.Curve] {
    group.members.compactMap { e, s in
      guard evaluation.episodes.indices.contains(e),
        evaluation.episodes[e].steps.indices.contains(s)
      else { return nil }
      let episode = evaluation.episodes[e]
      let rows = episode.rows(ofStep: s, timeStep: task.layout.timeStep)
      let values = subject.values(episode)
      // A state's last row is where the next goal begins; a command's already follows that goal.
      let isLast = s + 1 == episode.steps.count
      let shown = subject.tracked == nil && !isLast ? rows.dropLast() : rows
      let own = shown.clamped(to: 0..<values.count)
      return .init(
        title: nil, name: group.members.count > 1 ? "\(name), episode \(e + 1)" : name,
        style: .lines(color: color, width: width),
        x: own.map { Double($0 - rows.lowerBound) * task.layout.timeStep },
        y: subject.unit.convert(Array(values[own])))
    }
  }

  /// The goal over a step, and from the settling time on what is allowed around it.
  private func goalCurves(
    _ episode: EvaluatedEpisode, _ step: Int, _ tracked: Int, _ unit: Unit
  ) -> [Plot.Curve] {
    let timeStep = task.layout.timeStep
    let rows = episode.rows(ofStep: step, timeStep: timeStep)
    // A reference holds goals of the start too, where it begins with staying.
    let index = task.evaluation.tracked[tracked].goal
    let begin = Double(rows.lowerBound) * timeStep
    let values = rows.indices.map { episode.reference.goal(at: Double($0) * timeStep)[index] }
    let times = rows.indices.map { Double($0) * timeStep - begin }
    // The goal's last row is already the next one's.
    let own = values.dropLast(step + 1 < episode.steps.count && values.count > 1 ? 1 : 0)
    let line = Plot.Curve(
      title: nil, name: "goal", style: .dashes(color: "#222222", width: 1),
      x: Array(times.prefix(own.count)), y: unit.convert(Array(own)))
    let ramp = episode.reference.first { $0.time == episode.steps[step].time }?.ramp ?? 0
    let settled = task.evaluation.settle + (task.evaluation.isPath ? 0 : ramp)
    let held = own.indices.filter { times[$0] >= settled }
    let tolerance = tolerance(tracked)
    guard tolerance > 0, !held.isEmpty else { return [line] }
    let band = Plot.Curve(
      title: nil, name: "tolerance", style: .band(color: "#8a8f98"), x: held.map { times[$0] },
      y: unit.convert(held.map { own[$0] - tolerance }),
      upper: unit.convert(held.map { own[$0] + tolerance }))
    return [band, line]
  }

  /// The same axes for all, so that panels can be compared.
  private func shareAxes(_ panels: inout [ReportPage.Panel]) {
    let curves = panels.flatMap(\.plot.curves)
    let values = curves.flatMap { ($0.y + $0.upper).filter(\.isFinite) }
    let last = curves.compactMap(\.x.last).max() ?? 0
    guard let least = values.min(), let most = values.max(), least < most, last > 0 else { return }
    let margin = 0.05 * (most - least)
    for index in panels.indices {
      panels[index].plot.xRange = 0...last
      panels[index].plot.yRange = (least - margin)...(most + margin)
    }
  }
}
