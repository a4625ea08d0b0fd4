// SPDX-License-Identifier: Apache-2.0
// The page of figure 2.

import Bagel
import Execution
import Foundation
import LinearAlgebra
import SafeText

extension Figure2 {
  package var page: Page? {
    guard outcomes.contains(where: { !$0.curves.isEmpty }) else { return nil }
    return Page(
      title: "Figure 2: policy optimisation against wall-clock time",
      sections: [
        .init(title: nil, html: [introduction]), .init(title: nil, plot: plot),
        .init(title: "Measured", html: [table]),
        .init(title: "The paper, and what is different here", html: [comparison]),
      ])
  }

  private var plot: Plot {
    var plot = Plot(
      title: options.trials == 1
        ? "return of one trial"
        : "mean return of \(outcomes.map(\.curves.count).max() ?? 0) trials, 95 % interval of the mean",
      xLabel: "time of searching (s), without learning, caching, compiling",
      yLabel: "return (mean of 100 rollouts)")
    plot.hasLogarithmicX = true
    // Rewards are from 0 to 1: an interval of few trials reaches beyond.
    let largest = Double(experiment.task.search.horizon + 1)
    let first = outcomes.flatMap { $0.curves.compactMap { $0.seconds.dropFirst().first } }.min()
    var lines: [Plot.Curve] = []
    for (index, outcome) in outcomes.enumerated() where !outcome.curves.isEmpty {
      let curve = MeanCurve(outcome.curves, from: first ?? 1e-3, to: outcome.budget)
      if outcome.curves.count > 1 {
        plot.curves.append(
          .init(
            title: nil, style: .band(color: Palette.color(index)), x: curve.seconds,
            y: zip(curve.mean, curve.halfWidth).map { max($0 - $1, 0) },
            upper: zip(curve.mean, curve.halfWidth).map { min($0 + $1, largest) }))
      }
      lines.append(
        .init(
          title: outcome.method.name,
          style: .dashes(color: Palette.color(index), width: 2, kind: index), x: curve.seconds,
          y: curve.mean))
    }
    // Above all intervals.
    plot.curves += lines
    return plot
  }

  private var introduction: String {
    """
    <p>\(experiment.words) The reward is equation 8 with Q = diag(10, 0.1), the policy a network [8, 8]; gradients longer than \
    \(number(experiment.task.search.gradientNorm)) are shortened, and followed by Adam at 0.01 all the time (CMA-ES has no rate; its first \
    step size is 0.5). Judging, learning, filling caches and compiling kernels are not in the seconds.</p>
    """
  }

  private var table: String {
    let target = 0.9 * bestReturn
    let rows = outcomes.map { outcome -> String in
      let ended =
        outcome.failures.first.map {
          "; <b>\(outcome.failures.count) of \(outcome.curves.count) ended early: \(escapedForHTML($0))</b>"
        } ?? ""
      let stopped =
        outcome.curves.isEmpty
        ? "" : outcome.reason.map { "; <b>no further trials: \(escapedForHTML($0))</b>" } ?? ""
      let name =
        "<td>\(escapedForHTML(outcome.method.name))\(outcome.method.isInPaper ? "" : " *")</td><td>\(escapedForHTML(outcome.method.description(sampler: experiment.samplerWords)))\(ended)\(stopped)</td>"
      guard !outcome.curves.isEmpty else {
        return
          "<tr>\(name)<td colspan=\"5\">skipped: \(escapedForHTML(outcome.reason ?? ""))</td></tr>"
      }
      let (time, count) = outcome.time(to: target)
      let reached =
        (time.isFinite ? number(time) : "not in \(number(outcome.budget))")
        + " (\(count) of \(outcome.curves.count))"
      return "<tr>\(name)<td>\(number(outcome.secondsPerIteration))</td>"
        + "<td>\(number(outcome.budget))</td><td>\(number(outcome.iterations))</td>"
        + "<td>\(number(outcome.lastReturn))</td><td>\(reached)</td></tr>"
    }
    return """
      <table class="words"><tr><th>method</th><th>what it is here</th><th>seconds per iteration</th>\
      <th>budget (s)</th><th>iterations in it</th><th>return at the end (mean)</th>\
      <th>seconds to 90 % of the best, \(number(target)) (trials that get there)</th></tr>
      \(rows.joined(separator: "\n"))
      </table>
      <p>Seconds and iterations are medians over the trials; where no more than half get there, there is no median time. * is not in \
      the paper's figure 2, but named beside it, or what separates two effects.</p>
      """
  }

  /// The paper's facts beside ours.
  private var comparison: String {
    func outcome(_ method: ComparedMethod) -> MethodOutcome? {
      outcomes.first { $0.method == method && !$0.curves.isEmpty }
    }
    var ours: [String] = []
    if let batch = outcome(.cpuBatch) {
      ours.append("20 iterations take \(number(20 * batch.secondsPerIteration)) s on the CPU")
      if let gpu = outcome(.gpuBatch) {
        ours.append(
          "the GPU is \(number(batch.secondsPerIteration / gpu.secondsPerIteration)) times as fast as the CPU"
        )
      }
      if let sequential = outcome(.cpuSequential) {
        ours.append(
          "one rollout an iteration ends at \(number(sequential.lastReturn)), the batch at \(number(batch.lastReturn))"
        )
      }
    }
    for method in [ComparedMethod.exact, .pilco] {
      guard let found = outcome(method) else { continue }
      ours.append(
        "\(method.name) takes \(number(found.secondsPerIteration)) s an iteration and after \(number(found.budget)) s ends at "
          + number(found.lastReturn))
    }
    ours.append(
      "learning took \(number(experiment.fitSeconds)) s, caching \(number(experiment.samplerSeconds)) s"
    )
    return """
      <p>The paper reports, on a laptop with a 10750H and a Quadro T2000: batch versions reach the highest return in all trials, \
      the GPU about five times faster than the CPU, 20 iterations in about 30 s; one rollout an iteration updates often but ends lower, stuck \
      in local optima for want of a description of the uncertainty; exact methods run out of memory, or take hours and end lower. \
      Learning the Gaussian processes takes about 20 s, caching about 0.6 s.</p>
      <p>Here: \(ours.joined(separator: "; ")).</p>
      <p>Different: \(ProcessInfo.processInfo.activeProcessorCount) cores of another machine compute; noise varies with the state (hyperparameters by the marginal \
      likelihood with that noise, lengthscales kept from the length of single movements); a rollout is one fused kernel that keeps nothing but states and a few values a step; PILCO's double sums are computed \
      with their derivatives in one pass on all cores.\(experiment.task.plant == nil ? "" : " The boom is simulated.")</p>
      """
  }
}
