// SPDX-License-Identifier: Apache-2.0
// Measurements -> states in exported C code, as `CausalSignals` has them: angles without their jumps, derived rates.

import GaussianProcesses
import MachineLogs
import Programs

extension ExportedController {
  /// The seconds by which rates are derived: a call that is nearly on time is on time, as `CausalSignals` has it.
  var timeLine: String {
    guard hasRates else { return "" }
    let (step, tolerance) = (layout.timeStep, CausalSignals.timeTolerance * layout.timeStep)
    return
      "    const double passed = (fabs(self->elapsed - \(step)) <= \(tolerance)) ? \(step) : self->elapsed;\n"
  }

  var hasTurns: Bool {
    layout.measuredColumns.contains { layout.turn(ofColumn: $0) != nil }
  }

  /// position[c] = measured[c], of angles that turn within half a turn of the one before, as `CausalSignals` has them.
  var positionLines: String {
    let columns = layout.measuredColumns
    let lines = columns.enumerated().compactMap { c, column in
      layout.turn(ofColumn: column).map { turn in
        "    if (self->rows > 0) { position[\(c)] -= \(turn) * floor(((position[\(c)] - self->measured[\(c)]) / \(turn)) + 0.5); }\n"
      }
    }
    return "    double position[\(columns.count)];\n  "
      + each("i", columns.count, "position[i] = measured[i];") + "\n" + lines.joined()
  }

  private var hasRates: Bool { layout.states.contains { $0.source != .column } }

  /// states[i] = ..., as `CausalSignals` has them.
  var stateLines: String {
    let columns = layout.measuredColumns
    return layout.states.enumerated().map { i, channel -> String in
      let c = columns.firstIndex(of: channel.column) ?? 0
      guard case .rate(_, let filterTime) = channel.source else {
        return "    states[\(i)] = position[\(c)];\n"
      }
      let gain =
        filterTime > 0 ? "(self->rows < 2) ? 1.0 : (1.0 - exp(-passed / \(filterTime)))" : "1.0"
      return """
            {
              const double inverse = 1.0 / passed;
              const double gain = \(gain);
              const double change = position[\(c)] - self->measured[\(c)];
              states[\(i)] = (self->rows == 0) ? 0.0 : causal_rate(&change, &inverse, &self->states[\(i)], &gain);
            }

        """
    }.joined()
  }

  /// The next rate of a measured position.
  func cCausalRate() throws -> String {
    guard hasRates else { return "" }
    let inputs = ["change", "inverse_seconds", "rate", "gain"]
    let builder = ProgramBuilder()
    let values = inputs.map { builder.input($0, length: 1) }
    builder.output(
      "next",
      causalRate(
        change: values[0], inverseSeconds: values[1], rate: values[2], gain: values[3]))
    let program = builder.finish()
    return """

      static double causal_rate(\(inputs.map { "const double *\($0)" }.joined(separator: ", ")))
      {
      \(try cBody(program).joined(separator: "\n"))
        return v\(program.output("next").index)[0];
      }

      """
  }
}
