// SPDX-License-Identifier: Apache-2.0
// Figure 3 of the paper: what the policy imagines early, midway and late in its training, and what it does on the machine
// then; BAGEL beside autodiff through the exact posterior.

import Bagel
import Foundation
import MachineLogs

/// How much of figure 3 to run.
package struct Figure3Options: Sendable {
  /// Iterations at which BAGEL, and autodiff + exact GP, are looked at (the paper trains them for 20 and for 100; both
  /// for 100 here).
  package var batchStages = [2, 7, 20, 100]
  package var exactStages = [2, 20, 100]
  /// Of manual driving behind the model; nil for the paper's 110 s.
  package var drivingSeconds: Double?
  /// In place of the simulated boom's.
  package var logs: OwnLogs?
  /// Of driving and searching.
  package var seed: UInt64 = 0

  package init() {}

  /// Few iterations of the slow method, on a small model.
  package static var quick: Figure3Options {
    var options = Figure3Options()
    (options.exactStages, options.drivingSeconds) = ([2, 5, 10], 15)
    return options
  }
}

/// Figure 3, measured.
package struct Figure3: ReproducedFigure {
  /// A policy in training.
  private struct Snapshot {
    let method: ComparedMethod
    let iteration: Int
    /// Of searching.
    let seconds: Double
    let meanReturn: Double
    /// The first state, physical units.
    let imagined: PathBundle
    /// On the plant, where there is one.
    let driven: Episode?
  }

  private let options: Figure3Options
  private let experiment: Experiment1
  private var snapshots: [Snapshot] = []
  package let name = "figure3"

  /// Learns the model. Throws: `LogError`, `FactorizationError`.
  package init(_ options: Figure3Options) throws {
    self.options = options
    experiment = try Experiment1(
      logs: options.logs, seconds: options.drivingSeconds, seed: options.seed)
  }

  package mutating func run(_ tell: @escaping Progress) throws {
    let plan = [(ComparedMethod.cpuBatch, options.batchStages), (.exact, options.exactStages)]
    let total = Double(plan.reduce(0) { $0 + ($1.1.last ?? 0) })
    var done = 0
    for (method, stages) in plan {
      let search = try method.searches(experiment)(options.seed)
      var (iteration, seconds) = (0, 0.0)
      for stage in stages {
        while iteration < stage {
          guard tell(Double(done + iteration) / total, "\(method.name), iteration \(iteration)")
          else { return }
          let start = ContinuousClock.now
          iteration += try search.step()
          seconds += start.duration(to: .now).seconds
        }
        let driven = try experiment.task.plant.map { _ in
          try experiment.driven(search.parameters, seed: options.seed)
        }
        snapshots.append(
          Snapshot(
            method: method, iteration: iteration, seconds: seconds,
            meanReturn: try experiment.meanReturn(search.parameters),
            imagined: PathBundle(try experiment.imagined(search.parameters)), driven: driven))
      }
      done += iteration
    }
  }

  package var isComplete: Bool {
    snapshots.count == options.batchStages.count + options.exactStages.count
  }

  package var json: [String: Any] {
    [
      "snapshots": snapshots.map { snapshot -> [String: Any] in
        let last = snapshot.imagined.paths.compactMap(\.last)
        let driven = snapshot.driven?.states.last?[0]
        return [
          "method": snapshot.method.name, "iteration": snapshot.iteration,
          "seconds": snapshot.seconds, "meanReturn": snapshot.meanReturn,
          "lastAngle": last.reduce(0, +) / Double(last.count),
          "lastAngleOnPlant": driven ?? NSNull(),
        ]
      }
    ]
  }

  // MARK: The page

  package var page: Page? {
    if snapshots.isEmpty { return nil }
    let machine =
      experiment.task.plant == nil
      ? "The logs' machine is not driven here" : "Here the boom is simulated"
    return Page(
      title: "Figure 3: imagined behaviour during training",
      sections: [
        .init(
          title: nil,
          html: [
            "<p>\(experiment.words) Below, imagined rollouts of the policy after so many iterations: all of them, 95 % of them, their "
              + "mean\(experiment.task.plant == nil ? "" : "; and the same policy on the machine").</p>"
          ])
      ] + snapshots.map { .init(title: nil, plot: plot($0)) } + [
        .init(
          title: "The paper, and what is different here",
          html: [
            "<p>The paper shows BAGEL after about 30 s (20 iterations) and autodiff + exact GP after 5 hours (100 iterations) on a laptop: "
              + "the batch's variance shrinks as it learns, the exact method's actuation stays slow. \(machine). Here \(outcome). With a rate "
              + "that never falls, the return of a method goes up and down from one iteration to the next.</p>"
          ])
      ])
  }

  /// What became of both methods.
  private var outcome: String {
    [ComparedMethod.cpuBatch, .exact].compactMap { method -> String? in
      guard let last = snapshots.last(where: { $0.method == method }) else { return nil }
      let unit = Unit(channel.units)
      let ends = last.imagined.paths.compactMap(\.last)
      let bundle = PathBundle(ends.map { [$0] })
      let spread = unit.convert([bundle.quantile(0.975)[0] - bundle.quantile(0.025)[0]])[0]
      return
        "\(method.name) has a return of \(number(last.meanReturn)) after \(last.iteration) iterations and "
        + "\(number(last.seconds)) s, and 95 % of its rollouts end in a band of \(number(spread))"
        + (unit.name.isEmpty ? "" : " \(unit.name)")
    }.joined(separator: "; ")
  }

  private var channel: Channel { experiment.task.layout.states[0] }

  private func times(_ count: Int) -> [Double] {
    (0..<count).map { Double($0) * experiment.task.layout.timeStep }
  }

  private func plot(_ snapshot: Snapshot) -> Plot {
    let unit = Unit(channel.units)
    let bundle = snapshot.imagined
    var plot = Plot(
      title:
        "\(snapshot.method.name): \(snapshot.iteration) iterations, \(number(snapshot.seconds)) s, "
        + "return \(number(snapshot.meanReturn))",
      xLabel: "time (s)", yLabel: unit.axisTitle(channel.name))
    func band(_ title: String, _ share: Double, _ color: String) {
      let (lower, upper) = (bundle.quantile(0.5 - 0.5 * share), bundle.quantile(0.5 + 0.5 * share))
      plot.curves.append(
        .init(
          title: title, style: .band(color: color), x: times(lower.count), y: unit.convert(lower),
          upper: unit.convert(upper)))
    }
    band("all imagined", 1, Palette.sky)
    band("95 % of them", 0.95, Palette.blue)
    let mean = bundle.mean
    plot.curves.append(
      .init(
        title: "their mean", style: .lines(color: Palette.blue, width: 2),
        x: times(mean.count), y: unit.convert(mean)))
    if let driven = snapshot.driven?.states.map({ $0[0] }) {
      plot.curves.append(
        .init(
          title: "on the machine", style: .dashes(color: Palette.vermilion, width: 2),
          x: times(driven.count), y: unit.convert(driven)))
    }
    return plot
  }

  /// One row a snapshot and time.
  package var csv: String {
    let columns = ["lowest", "lower95", "mean", "upper95", "highest", "machine"]
    var rows = [
      (["method", "iteration", "time_s"] + columns.map { column($0, channel.units) })
        .joined(separator: ",")
    ]
    for snapshot in snapshots {
      let bundle = snapshot.imagined
      let columns = [
        bundle.quantile(0), bundle.quantile(0.025), bundle.mean, bundle.quantile(0.975),
        bundle.quantile(1),
      ]
      for (k, time) in times(columns[0].count).enumerated() {
        let driven = snapshot.driven?.states
        let machine = driven.flatMap { k < $0.count ? "\($0[k][0])" : nil } ?? ""
        rows.append(
          "\"\(snapshot.method.name)\",\(snapshot.iteration),\(time),"
            + columns.map { "\($0[k])" }.joined(separator: ",") + ",\(machine)")
      }
    }
    return rows.joined(separator: "\n") + "\n"
  }
}
