// SPDX-License-Identifier: Apache-2.0
// README.md of a folder of exported C code: information for its integrator.

import Foundation
import MachineLogs
import SafeText

extension ExportedController {
  func cReadme() -> String {
    let (measured, states) = (layout.measuredColumns, layout.states)
    let columns = measured.enumerated().map { c, name -> String in
      let units = layout.state(ofColumn: name).map { states[$0].units } ?? ""
      let seen = seenDisturbances.contains { $0.column == name } ? ", a disturbance" : ""
      return "| `measured[\(c)]` | \(cell(name))\(seen) | \(cell(units)) |"
    }
    let wanted = goals.enumerated().map { g, channel in
      "| `goal[\(g)]` | \(cell(channel.name))\(policy.inputs.goal == .none ? " (not used)" : "") | \(cell(channel.units)) |"
    }
    let actions = layout.actions.enumerated().map { j, channel -> String in
      let change =
        policy.largestChange.isEmpty || !policy.largestChange[j].isFinite
        ? "" : ", at most \(policy.largestChange[j]) from one call to the next"
      return
        "| `action[\(j)]` | \(cell(channel.name)), \(policy.lower[j]) to \(policy.upper[j])\(change); "
        + "at rest \(policy.rest[j]) | \(cell(channel.units)) |"
    }
    let bits = usedFindings.map {
      "| `\(cMacro)_\($0.cName)` | \($0.bit) | \($0.words) | \(consequence($0)) |"
    }
    let limits = guards.limits.map {
      "- \(cell($0.quantity.statement)) within \($0.range.lowerBound) to \($0.range.upperBound)"
    }
    return """
      # Controller \(cell(name))

      Written by `bagel export`. It is not a safety component: protect people and the machine by other means,
      which must not depend on it.

      | file | |
      |---|---|
      | controller.c | the controller: C99 or C++, only `<math.h>`, no allocation, no static state |
      | controller.h | its header |
      | controller_test.c | \(Self.testRows) rows with the original's results: run it on the target |

          cc -std=c99 -o controller_test controller.c controller_test.c -lm && ./controller_test

      Call `\(cName)_reset` before the first step and after every standstill, then `\(cName)_step` every \(layout.timeStep) s;
      `\(cName)_step_after` with the elapsed seconds if a sample was lost, or if calls have a clock.

      | | what | unit |
      |---|---|---|
      \((columns + wanted + actions).joined(separator: "\n"))

          \(cName) c;  double measured[..], goal[..], action[..];      /* with this controller's names and sizes */
          \(cName)_reset(&c);
          for (;;) {                                    /* every \(layout.timeStep) s */
            unsigned int status = \(cName)_step(&c, measured, goal, action);
            if (status != 0u) { /* log it; inform the operator */ }
            /* send action */
          }

      Integrals and rate limits continue from its own last actions: reset it after an operator or another controller has driven.
      Rates of a PID controller and its integral count calls, not seconds.

      ## Status

      A step returns 0, or the sum of:

      | bit | value | what it means | what the controller does |
      |---|---|---|---|
      \(bits.joined(separator: "\n"))

      Actions are always within their limits. \(policy.largestChange.isEmpty ? "The task has no rate limits." : "They keep their rate limits, with two exceptions, which go to the resting action at once: a number that is not finite, and a stop.")

      \(limits.isEmpty ? "The task has no limits of states." : "The controller stops where one of these leaves its limits:\n")
      \(limits.joined(separator: "\n"))

      \(notWatched.isEmpty ? "" : "Checks of the task that this code does not have:\n\n")\(notWatched.map { "- " + cell($0.words) }.joined(separator: "\n"))

      ## Size

      \(Int(program.operationCount)) floating-point operations in double precision per step, besides derived rates and the watch, always in the
      same order; \(programConstants) constants (\(8 * programConstants) bytes); the struct has `sizeof(\(cName))` bytes.

      ## Origin

      \(provenance.map { "- \(cell($0))" }.joined(separator: "\n"))

      ## MISRA C:2012

      `cppcheck --addon=misra --enable=style controller.c` finds deviations only from these rules:

      | rule | why |
      |---|---|
      \(Self.deviations.map { "| \($0.rule) | \($0.why) |" }.joined(separator: "\n"))

      """
  }

  /// Rules that generated code deviates from, as `cppcheck --addon=misra` finds them.
  static let deviations: [(rule: String, why: String)] = [
    ("8.7", "reset and the steps are called from other files, which the check does not see")
  ]

  /// What follows a finding.
  private func consequence(_ finding: ControllerFinding) -> String {
    switch finding {
    case .notFinite: return "the resting action in this row"
    case .leftLimits: return "it stops"
    case .stopped, .holding: return "until the next reset"
    case .beyondData, .frozen, .late:
      let matter = ExportedGuards.watched.first { $0.finding == finding }?.matter
      return switch matter.map({ guards.responses[$0] }) ?? .warn {
      case .stop: "it stops"
      case .fallback: "it holds"
      case .warn, .off: "nothing: it is only reported"
      }
    }
  }

  /// Numbers of the program that are constants.
  private var programConstants: Int {
    program.instructions.reduce(0) { total, instruction in
      switch instruction.operation {
      case .constant, .shared: total + instruction.length
      case .affine(let weights, let bias, _):
        total + weights.rows * weights.columns + (bias == nil ? 0 : weights.rows)
      case .transposedProduct(let weights, _): total + weights.rows * weights.columns
      case .input, .unary, .binary, .select, .slice, .broadcast, .concatenate, .sum, .dot, .normal,
        .matrixVector, .transposedMatrixVector, .apply, .jacobian:
        total
      }
    }
  }

  private func cell(_ text: String) -> String { markdownCell(text) }
}

/// Words of a user in a table or list of Markdown.
func markdownCell(_ text: String) -> String {
  escapedForC(text).replacing("|", with: "\\|").replacing("\n", with: " ")
}
