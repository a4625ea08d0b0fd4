// SPDX-License-Identifier: Apache-2.0
// A controller as one C99 file without dependencies but <math.h>: memory for derived rates and past actions in a
// struct, normalisation, goal and limits inside, no allocation. It is C++ too. A header for its callers stands beside it
// (`cHeader`); the source does not include it, and may be compiled alone or after it.
//
//   for each instruction of the program:   static const double or double vK[length] = ...
//   NAME_step:  measured -> states (CausalSignals) -> program -> action -> memory

import Foundation
import GaussianProcesses
import MachineLogs
import Programs
import SafeText

extension ExportedController {
  /// The C identifier that stands before everything.
  var cName: String { cIdentifier(name, prefix: "bagel_") }

  /// Of macros.
  private var cMacro: String { cName.uppercased() }

  /// What a caller must know, above source and header.
  private var cComment: String {
    let actions = layout.actions.count
    return """
      /* Controller '\(escapedForC(name))', written by `bagel export --format c`. C99 and C++, needs <math.h> only.
       *
       * Call every \(layout.timeStep) s:
       *   measured[\(layout.measuredColumns.count)]: \(escapedForC(layout.measuredColumns.joined(separator: ", ")))\(seenDisturbances.isEmpty ? "" : ", of which the last \(seenDisturbances.count) disturb")
       *   goal[\(goals.count)]: \(escapedForC(list(goals)))\(policy.inputs.goal == .none ? " (not used by this policy)" : "")
       *   action[\(actions)]: \(escapedForC(list(layout.actions))), within \(zip(policy.lower, policy.upper).map { "\($0) ... \($1)" }.joined(separator: ", "))
       */
      """
  }

  /// The controller's memory.
  private var cStruct: String {
    let (states, actions) = (layout.states.count, layout.actions.count)
    return """
      typedef struct {
        int rows;                 /* measurements so far */
        double elapsed;           /* s since the last of them */
        double measured[\(layout.measuredColumns.count)];       /* the last ones */
        double states[\(states)];
        double past[\(pastRows)][\(actions)];        /* actions, newest first */
      } \(cName);
      """
  }

  /// Rows of past actions, at least one.
  private var pastRows: Int { max(policy.actionMemory, 1) }

  /// The header beside the source: sizes as macros, the struct, prototypes; for C99 and C++.
  func cHeader() -> String {
    """
    \(cComment)
    #ifndef \(cMacro)_H
    #define \(cMacro)_H

    #define \(cMacro)_MEASURED \(layout.measuredColumns.count)
    #define \(cMacro)_STATES \(layout.states.count)
    #define \(cMacro)_GOALS \(goals.count)
    #define \(cMacro)_ACTIONS \(layout.actions.count)
    #define \(cMacro)_TIME_STEP \(layout.timeStep) /* s */

    #ifdef __cplusplus
    extern "C" {
    #endif

    \(cStruct)

    /* Before the first step, and after every standstill. */
    void \(cName)_reset(\(cName) *self);

    /* Returns 0, or 1 where a measurement, the goal or what comes of them is not finite: the action is then the resting
       one, and such measurements are not remembered. */
    int \(cName)_step(
        \(cName) *self, const double measured[\(cMacro)_MEASURED], const double goal[\(cMacro)_GOALS],
        double action[\(cMacro)_ACTIONS]);

    /* The same where other than a time step has passed since the last call: after a lost sample, or with a clock. */
    int \(cName)_step_after(
        \(cName) *self, double seconds, const double measured[\(cMacro)_MEASURED],
        const double goal[\(cMacro)_GOALS], double action[\(cMacro)_ACTIONS]);

    #ifdef __cplusplus
    }
    #endif

    #endif

    """
  }

  /// Throws: `CannotExport`.
  func cSource() throws -> String {
    let (states, actions) = (layout.states.count, layout.actions.count)
    let (columns, memory) = (layout.measuredColumns.count, policy.actionMemory)
    return """
      \(cComment)
      #include <math.h>

      #ifdef __cplusplus
      extern "C" {
      #endif

      #ifndef \(cMacro)_H /* the header has it too */
      \(cStruct)
      #endif

      /* Before the first step, and after every standstill. */
      void \(cName)_reset(\(cName) *self)
      {
        self->rows = 0;
        self->elapsed = 0;
        for (int i = 0; i < \(columns); ++i) self->measured[i] = 0;
        for (int i = 0; i < \(states); ++i) self->states[i] = 0;
        for (int k = 0; k < \(pastRows); ++k)
          for (int j = 0; j < \(actions); ++j) self->past[k][j] = 0;
      \(restLines(memory))}

      static double smaller(double a, double b) { return a < b ? a : b; }
      static double larger(double a, double b) { return a > b ? a : b; }\(definitions)

      \(try cPolicy())\(try cCausalRate())
      /* Returns 0, or 1 where a measurement, the goal or what comes of them is not finite: the action is then the resting
         one, and such measurements are not remembered. */
      int \(cName)_step_after(
          \(cName) *self, double seconds, const double measured[\(columns)], const double goal[\(goals.count)],
          double action[\(actions)])
      {
        static const double rest[\(actions)] = {\(numbers(policy.rest))};
        double states[\(states)];
        int sound = 1;
        self->elapsed += seconds > 0 && isfinite(seconds) ? seconds : \(layout.timeStep);
        for (int i = 0; i < \(columns); ++i) sound = sound && isfinite(measured[i]);
      \(goalLine)  if (sound) {
      \(timeLine)      \(stateLines)    for (int i = 0; i < \(states); ++i) self->states[i] = states[i];
          for (int i = 0; i < \(columns); ++i) self->measured[i] = measured[i];
          if (self->rows < 2) ++self->rows;
          self->elapsed = 0;
          policy(states, goal, &self->past[0][0], action);
          for (int j = 0; j < \(actions); ++j) sound = sound && isfinite(action[j]);
        }
        for (int j = 0; j < \(actions); ++j) {
          static const double lower[\(actions)] = {\(numbers(policy.lower))};
          static const double upper[\(actions)] = {\(numbers(policy.upper))};
          action[j] = sound ? smaller(larger(action[j], lower[j]), upper[j]) : rest[j];
          for (int k = \(memory) - 1; k > 0; --k) self->past[k][j] = self->past[k - 1][j];
          self->past[0][j] = action[j];
        }
        return !sound;
      }

      int \(cName)_step(
          \(cName) *self, const double measured[\(columns)], const double goal[\(goals.count)], double action[\(actions)])
      {
        return \(cName)_step_after(self, \(layout.timeStep), measured, goal, action);
      }

      #ifdef __cplusplus
      }
      #endif

      """
  }

  private var goalLine: String {
    policy.inputs.goal == .none
      ? ""
      : "  for (int i = 0; i < \(goals.count); ++i) sound = sound && isfinite(goal[i]);\n"
  }

  /// Past actions at rest.
  private func restLines(_ memory: Int) -> String {
    policy.rest.enumerated().filter { $1 != 0 && memory > 0 }.map { j, value in
      "  for (int k = 0; k < \(memory); ++k) self->past[k][\(j)] = \(value);\n"
    }.joined()
  }

  /// The seconds by which rates are derived: a call that is nearly on time is on time, as `CausalSignals` has it.
  private var timeLine: String {
    guard hasRates else { return "" }
    let (step, tolerance) = (layout.timeStep, CausalSignals.timeTolerance * layout.timeStep)
    return """
          double passed = fabs(self->elapsed - \(step)) <= \(tolerance) ? \(step) : self->elapsed;

      """
  }

  /// Functions that the program calls and <math.h> does not have.
  private var definitions: String {
    let called = program.instructions.compactMap { instruction -> BinaryFunction? in
      if case .binary(let function, _, _) = instruction.operation { function } else { nil }
    }
    return BinaryFunction.allCases.filter(called.contains).compactMap(\.row.cDefinition).map {
      "\n" + $0
    }.joined()
  }

  private var hasRates: Bool { layout.states.contains { $0.source != .column } }

  /// states[i] = ..., as `CausalSignals` has them.
  private var stateLines: String {
    let columns = layout.measuredColumns
    return layout.states.enumerated().map { i, channel -> String in
      let c = columns.firstIndex(of: channel.column) ?? 0
      guard case .rate(_, let filterTime) = channel.source else {
        return "    states[\(i)] = measured[\(c)];\n"
      }
      let gain = filterTime > 0 ? "self->rows < 2 ? 1 : 1 - exp(-passed / \(filterTime))" : "1"
      // The shorter way between two angles.
      let turn = layout.turn(ofColumn: channel.column)
      let unwrapped =
        turn.map { "\n              change -= \($0) * floor(change / \($0) + 0.5);" } ?? ""
      return """
            {
              double change = measured[\(c)] - self->measured[\(c)], inverse = 1 / passed, gain = \(gain);\(unwrapped)
              states[\(i)] = self->rows == 0 ? 0 : causal_rate(&change, &inverse, &self->states[\(i)], &gain);
            }

        """
    }.joined()
  }

  /// The next rate of a measured position.
  private func cCausalRate() throws -> String {
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

  private func cPolicy() throws -> String {
    var lines = try cBody(program)
    let result = program.output("action")
    lines.append(
      "  for (int i = 0; i < \(program[result].length); ++i) action[i] = v\(result.index)[i];")
    return """
      static void policy(const double *state, const double *goal, const double *past, double *action)
      {
        (void)goal; (void)past;
      \(lines.joined(separator: "\n"))
      }

      """
  }
}
