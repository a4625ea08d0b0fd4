// SPDX-License-Identifier: Apache-2.0
// The page of figure 5.

import Bagel
import Execution
import SafeText

extension Figure5 {
  package var page: Page? {
    if costs.isEmpty { return nil }
    return Page(
      title: "Figure 5: seconds and memory of an iteration",
      sections: [
        .init(
          title: nil,
          html: [
            "<p>One iteration of Experiment 1 (rollouts, their gradient, Adam) through the posterior of \(options.points) transitions"
              + "\(sampler.map { " as <code>sampler: automatic</code> takes it: \($0)" } ?? ""), for batches of B rollouts of H steps and networks of two hidden "
              + "layers. Each configuration is a process of its own. Memory is that of the whole process on the host at its peak, "
              + "learning the model included, and that of the rollouts alone, on the GPU where they run there.</p>"
          ]),
        .init(title: nil, plot: plot("time of an iteration", "s", seconds)),
        .init(title: nil, plot: plot("memory", "MB", megabytes)),
        .init(title: "Measured", html: [table]),
        .init(title: "The paper, and what is different here", html: [comparison]),
      ])
  }

  /// Names in the order in which they first come.
  private func distinct(_ names: [String]) -> [String] {
    names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// A box in a picture: whose it is, and how tall.
  private struct Bar {
    let name: String
    let configuration: Figure5Options.Configuration
    let value: Double
  }

  private var seconds: [Bar] {
    costs.map { Bar(name: $0.name, configuration: $0.configuration, value: $0.seconds) }
  }

  private var megabytes: [Bar] {
    costs.flatMap { cost in
      [("process", cost.processBytes), ("rollouts", cost.rolloutBytes)].compactMap { what, bytes in
        bytes.map {
          Bar(name: "\(cost.name): \(what)", configuration: cost.configuration, value: $0 / 1e6)
        }
      }
    }
  }

  private func plot(_ title: String, _ units: String, _ bars: [Bar]) -> Plot {
    var plot = Plot(title: title, xLabel: "B, H, policy", yLabel: "\(title) (\(units))")
    plot.hasLogarithmicY = true
    plot.xNames = options.configurations.map(\.name)
    let names = distinct(bars.map(\.name))
    let width = 0.8 / Double(names.count)
    for (index, name) in names.enumerated() {
      let shift = width * (Double(index) - 0.5 * Double(names.count - 1))
      let places = bars.filter { $0.name == name }.compactMap { bar in
        options.configurations.firstIndex(of: bar.configuration).map { ($0, bar.value) }
      }
      plot.curves.append(
        .init(
          title: name, style: .boxes(color: Palette.color(1 + index), width: width),
          x: places.map { Double($0.0) + shift }, y: places.map(\.1)))
    }
    return plot
  }

  private var table: String {
    let rows = costs.map { cost in
      "<tr><td>\(escapedForHTML(cost.name))</td><td>\(cost.configuration.name)</td>"
        + "<td>\(number(cost.seconds))</td>"
        + [cost.processBytes, cost.rolloutBytes].map {
          "<td>\($0.map { number($0 / 1e6) } ?? "")</td>"
        }.joined() + "</tr>"
    }
    let left = skipped.map {
      "<p>Left out: \(escapedForHTML($0.what)): \(escapedForHTML($0.reason))</p>"
    }
    return
      "<table><tr><th>on</th><th>B, H, policy</th><th>seconds</th><th>megabytes of the process</th>"
      + "<th>of the rollouts</th></tr>"
      + rows.joined() + "</table>" + left.joined()
  }

  /// Seconds of one configuration over those of another; nil where one is missing.
  private func ratio(
    _ name: String, _ a: Figure5Options.Configuration, _ b: Figure5Options.Configuration
  ) -> Double? {
    func seconds(_ wanted: Figure5Options.Configuration) -> Double? {
      costs.first { $0.name == name && $0.configuration == wanted }?.seconds
    }
    guard let x = seconds(a), let y = seconds(b) else { return nil }
    return x / y
  }

  private var comparison: String {
    let sentences = distinct(costs.map(\.name)).flatMap { name -> [String] in
      [
        ratio(name, .init(1_000, 300, [8, 8]), .init(100, 300, [8, 8])).map {
          "\(escapedForHTML(name)): ten times the batch (100 to 1,000) takes \(number($0)) times as long."
        },
        ratio(name, .init(1_000, 300, [64, 64]), .init(1_000, 300, [8, 8])).map {
          "\(escapedForHTML(name)): 42 times the parameters ([8, 8] to [64, 64]) take \(number($0)) times as long."
        },
        ratio(name, .init(1_000, 1_000, [64, 64]), .init(1_000, 300, [64, 64])).map {
          "\(escapedForHTML(name)): 3.33 times the horizon takes \(number($0)) times as long."
        },
      ].compactMap { $0 }
    }
    return """
      <p>The paper, on a Tesla V100: sublinear in the batch and in the size of the policy, near-linear in the horizon; the larger \
      configurations only with KeOps, out of memory without.</p>
      <p>Here: \(sentences.isEmpty ? "too few configurations to say." : sentences.joined(separator: " ")) Nothing but states and a \
      few values a step is kept.</p>
      """
  }
}
