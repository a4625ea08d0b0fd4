// SPDX-License-Identifier: Apache-2.0
// A machine in its plane: the poses in the logs, the paths of the quantities with goals, the goals, and the links of the machine at
// some times. For tasks that give the positions of the joints (`picture:`).

import Formulas
import Foundation
import GaussianProcesses
import Tasks

extension Report {
  /// Rows that the reached area shows: more only grow the file.
  private static let areaDots = 1_500
  /// Episodes whose paths are drawn.
  private static let mostPaths = 3
  private static let mostArms = 12

  /// The picture of the last episodes on the plant; nil where the task says of no links.
  var planePicture: Plot? {
    guard let links = task.picture, let last = links.last, let evaluation,
      let first = evaluation.episodes.first
    else { return nil }
    func unit(_ coordinates: [ControlTask.PictureCoordinate]) -> Unit {
      Unit(coordinates.lazy.compactMap(\.quantity).first?.units ?? "")
    }
    let (xUnit, yUnit) = (unit(links.map(\.x)), unit(links.map(\.y)))
    func axis(_ coordinate: ControlTask.PictureCoordinate, _ unit: Unit) -> String {
      unit.axisTitle(coordinate.quantity?.name ?? "").trimmingCharacters(in: .whitespaces)
    }
    var plot = Plot(
      title: "\(task.name): paths of \(last.words)", xLabel: axis(last.x, xUnit),
      yLabel: axis(last.y, yUnit))
    (plot.hasEqualScales, plot.height) = (
      xUnit.name == yUnit.name || xUnit.name.isEmpty || yUnit.name.isEmpty, 640
    )
    func curve(
      _ title: String?, _ style: Plot.Style, _ points: [(x: Double, y: Double)], name: String = ""
    ) {
      plot.curves.append(
        .init(
          title: title, name: name, style: style, x: xUnit.convert(points.map(\.x)),
          y: yUnit.convert(points.map(\.y))))
    }
    let rows = fit?.training.flatMap(\.states) ?? []
    let reached =
      rows.isEmpty
      ? loggedGoals.compactMap { last.goal($0, task) }
      : evenlySpreadRows(count: rows.count, wanted: Self.areaDots).map { last.position(rows[$0]) }
    if !reached.isEmpty { curve("reached in the logs", .dots(color: "#9fb8d6"), reached) }
    for (index, episode) in evaluation.episodes.prefix(Self.mostPaths).enumerated() {
      curve(
        index == 0 ? "path on the plant" : nil, .lines(color: "#d1661f", width: 1.2),
        episode.episode.states.map(last.position), name: "path of episode \(index + 1)")
    }
    // The first episode's arm as goals end, or along a path.
    let ends = first.reference.ends(until: Double(first.episode.count - 1) * task.layout.timeStep)
    let shown = evenlySpreadRows(count: ends.count, wanted: Self.mostArms).map { ends[$0] }
    for (index, end) in shown.enumerated() {
      let row = min(Int((end / task.layout.timeStep).rounded()), first.episode.count - 1)
      let arm = links.map { $0.position(first.episode.states[row]) }
      curve(
        index == 0 ? "the machine as a goal ends" : nil, .lines(color: "#8a8f98", width: 1), arm,
        name: "the machine at \(number(end)) s")
    }
    for (index, episode) in evaluation.episodes.prefix(Self.mostPaths).enumerated() {
      let goals = episode.reference.compactMap { last.goal($0.goal, task) }
      curve(
        index == 0 ? "goals" : nil,
        task.evaluation.isPath
          ? .dashes(color: "#a3201d", width: 1) : .crosses(color: "#a3201d"), goals,
        name: "a goal of episode \(index + 1)")
    }
    return plot
  }
}

extension ControlTask.PicturePoint {
  /// The names of its coordinates.
  fileprivate var words: String {
    [x, y].compactMap(\.quantity?.name).joined(separator: ", ")
  }

  /// Where it is at a state [S].
  fileprivate func position(_ state: [Double]) -> (x: Double, y: Double) {
    (x: x.value(state), y: y.value(state))
  }

  /// Where a goal [G] wants it; nil where goals are not of both coordinates.
  fileprivate func goal(_ goal: [Double], _ task: ControlTask) -> (x: Double, y: Double)? {
    func coordinate(_ part: ControlTask.PictureCoordinate) -> Double? {
      task.goalChannels.firstIndex { $0.name == part.quantity?.name }.map { goal[$0] }
    }
    guard let x = coordinate(x), let y = coordinate(y) else { return nil }
    return (x: x, y: y)
  }
}
