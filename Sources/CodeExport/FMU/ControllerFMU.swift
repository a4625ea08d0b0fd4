// SPDX-License-Identifier: Apache-2.0
// A controller as an FMU: measured columns and goals in, actions and status out. It acts at the sample times,
// so its actions hold from the time at which their inputs were measured.

import MachineLogs
import Policies

extension ExportedController {
  /// Throws: `CannotExport`.
  package func fmu() throws -> FMU {
    let (columns, actions) = (layout.measuredColumns.count, layout.actions.count)
    // Where goals and actions begin among the variables.
    let (goal, action) = (columns, columns + goalInputs.count)
    let bits = usedFindings.map { "\($0.bit): \($0.words)" }.joined(separator: "; ")
    return FMU(
      identifier: cName, name: name,
      words:
        "Controller. It acts every \(layout.timeStep) s, from the start time on. Where a communication step begins at such a time, "
        + "its action is computed then, from the inputs that were set before the step, and holds until the next one. "
        + "In a longer step, later actions see the same inputs. Before the first step, actions are at rest.",
      timeStep: layout.timeStep, reals: measuredInputs + goalInputs + actionOutputs,
      integers: [FMU.Integer(name: "status", words: "0, or the sum of what was found. \(bits)")],
      sources: [
        FMU.SourceFile(name: "controller.c", text: try cSource()),
        FMU.SourceFile(name: "controller.h", text: cHeader()),
      ],
      body: FMU.CBody(
        header: "controller.h",
        memory: "\(cName) controller;",
        begin: """
          static const double rest[\(actions)] = {\(numbers(policy.rest))};
          \(cName)_reset(&self->controller);
          for (int j = 0; j < \(actions); ++j) { self->real[\(action) + j] = rest[j]; }
          self->integer[0] = 0;
          """,
        tick: """
          self->integer[0] = (fmu_integer)\(cName)_step(
              &self->controller, &self->real[0], \(goalInputs.isEmpty ? "NULL" : "&self->real[\(goal)]"), &self->real[\(action)]);
          return 1;
          """))
  }

  private var measuredInputs: [FMU.Real] {
    layout.measuredColumns.map { column in
      let state = layout.state(ofColumn: column)
      let disturbs = seenDisturbances.contains { $0.column == column }
      return FMU.Real(
        name: column, words: disturbs ? "measured, a disturbance" : "measured",
        units: state.map { layout.states[$0].units } ?? "", causality: .input,
        start: state.map { controller.stateMean[$0] } ?? 0)
    }
  }

  /// None of a policy that takes no goal.
  private var goalInputs: [FMU.Real] {
    guard policy.inputs.goal != .none else { return [] }
    let means = controller.goals?.mean ?? Array(controller.stateMean.prefix(goals.count))
    return goals.enumerated().map { g, channel in
      FMU.Real(
        name: "goal.\(channel.name)", words: "goal of \(channel.name)", units: channel.units,
        causality: .input, start: means[g])
    }
  }

  private var actionOutputs: [FMU.Real] {
    layout.actions.enumerated().map { j, channel in
      let change = policy.largestChange.isEmpty ? .infinity : policy.largestChange[j]
      return FMU.Real(
        name: channel.name,
        words: "action" + (change.isFinite ? ", at most \(change) from the one before" : ""),
        units: channel.units, causality: .output, range: policy.lower[j]...policy.upper[j])
    }
  }
}
