// SPDX-License-Identifier: Apache-2.0
// The policy beside other controllers in the same episodes: a PID controller, and its own former version. In: an evaluation of each. Out:
// a table of figures beside each other.

import Foundation
import LinearAlgebra
import Tasks

/// Another controller in the same episodes.
package struct ComparedController: Sendable {
  package enum Kind: Sendable { case pid, former }

  package let kind: Kind
  /// For people: "PID controller", "version 3".
  package let name: String
  package let evaluation: Evaluation
  /// nil where nobody counted it.
  package let meanReturn: Double?

  package init(_ kind: Kind, name: String, evaluation: Evaluation, meanReturn: Double?) {
    (self.kind, self.name) = (kind, name)
    (self.evaluation, self.meanReturn) = (evaluation, meanReturn)
  }

  var color: String {
    switch kind {
    case .pid: "#2e8b57"
    case .former: "#8a2f8f"
    }
  }

  /// Of many lines.
  var faintColor: String { "#70" + color.dropFirst() }
}

extension Report {
  /// The policy and the others; nothing where there are none.
  func comparison(_ evaluation: Evaluation) -> [Block] {
    guard !others.isEmpty else { return [] }
    let tracked = task.evaluation.measures.isEmpty ? Array(task.evaluation.tracked.indices) : []
    let names = tracked.map { task.goalChannels[task.evaluation.tracked[$0].goal] }
    let hasSteps = evaluation.steps.count > evaluation.episodes.count
    func row(_ name: String, _ evaluation: Evaluation, _ meanReturn: Double?) -> [Cell] {
      let steps = evaluation.whole.steps
      let own = [
        name, meanReturn.map(number) ?? "-",
        "\(evaluation.successes) of \(evaluation.episodes.count)",
      ]
      let errors = zip(tracked, names).flatMap { t, channel -> [String] in
        let (mean, largest) = evaluation.whole.errors(ofTracked: t)
        let rises = steps.compactMap { $0.tracked[t].riseTime }
        return Unit(channel.units).convert([mean, largest]).map { $0.isFinite ? number($0) : "-" }
          + [rises.isEmpty ? "-" : number(median(rises))]
      }
      let changes = steps.map(\.actionChange)
      let change = changes.isEmpty ? "-" : number(changes.reduce(0, +) / Double(changes.count))
      let all =
        own + (hasSteps ? ["\(evaluation.stepSuccesses) of \(evaluation.steps.count)"] : [])
        + errors + [change]
      return all.map { Cell($0) }
    }
    let heads = names.flatMap { channel -> [String] in
      let suffix = Unit(channel.units).suffix
      return [
        "steady-state error of \(channel.name)\(suffix)", "largest error\(suffix)", "rise time (s)",
      ]
    }
    let isReturned = meanReturn != nil || others.contains { $0.meanReturn != nil }
    return [
      .heading("Beside other controllers", level: 3),
      .words(
        "All drove the same episodes: the same starts, goals and noise."
          + (others.contains { $0.kind == .pid }
            ? " The PID controller was found by the same search on the same model." : "")
          + " Steady-state errors and action changes are means from the settling time on, the largest error is that of all episodes, rise times are medians"
          + (isReturned ? ", returns are means." : ".")),
      .table(
        head: ["controller", "return", "episodes that succeed"]
          + (hasSteps ? ["goals held"] : []) + heads + ["action change per step"],
        rows: [row("this policy", evaluation, meanReturn)]
          + others.map { row($0.name, $0.evaluation, $0.meanReturn) }),
    ] + failures
  }

  private static let mostReasons = 12

  /// Which episodes of the others failed, and why: those of the policy stand below its own pictures.
  private var failures: [Block] {
    let lines = others.flatMap { other -> [String] in
      let all = other.evaluation.reasons(task).map { "\(other.name): \($0)" }
      let left = all.count - Self.mostReasons
      return all.prefix(Self.mostReasons) + (left > 0 ? ["\(other.name): and \(left) more"] : [])
    }
    return lines.isEmpty ? [] : [.list(lines)]
  }
}
