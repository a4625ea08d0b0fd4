// SPDX-License-Identifier: Apache-2.0
// A controller as one C99 file without dependencies but <math.h>: memory for derived rates, past actions, integrals and the watch in a
// struct; normalisation, goal, limits, rate limits and watch inside; no allocation, no recursion, no loop whose length depends on data. It is
// C++ too. A header for its callers stands beside it (`cHeader`); the source does not include it, and may be compiled alone or after it.
//   for each instruction of the program:   static const double or double vK[length] = ...
//   NAME_step:  measured -> states (CausalSignals) -> watch -> program -> limits -> action, status
// It is written to MISRA C:2012 but for the deviations that its README lists.

import Foundation
import GaussianProcesses
import MachineLogs
import Programs
import SafeText

extension ExportedController {
  /// The C identifier that stands before everything.
  var cName: String { String(cIdentifier(name, prefix: "bagel_").prefix(Self.longestName)) }

  /// Of macros, C99 tells the first 63 characters apart.
  private static let longestName = 46

  /// Of macros.
  var cMacro: String { cName.uppercased() }

  /// What a caller must know, above source and header.
  var cComment: String {
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
    let memory =
      policy.memoryLength == 0
      ? ""
      : "\n  double memory[\(policy.memoryLength)];         /* integrals and rates of the policy */"
    let repeats =
      watchesFrozen
      ? "\n  int repeats[\(layout.measuredColumns.count)];           /* rows with the same value */"
      : ""
    let latches = (canStop ? "\n  int stopped;" : "") + (canHold ? "\n  int holding;" : "")
    return """
      typedef struct {
        int rows;                 /* measurements so far, 2 for more */
        double elapsed;           /* s since the last of them */
        double measured[\(layout.measuredColumns.count)];       /* the last ones\(hasTurns ? ", angles without their jumps" : "") */
        double states[\(states)];
        double past[\(pastRows)][\(actions)];        /* actions, newest first */\(memory)\(repeats)\(latches)
      } \(cName);
      """
  }

  /// Rows of past actions, at least one.
  private var pastRows: Int { max(policy.actionMemory, 1) }

  /// Macros that source and header share: bits of the status.
  private var cStatus: String {
    usedFindings.map { "#define \(cMacro)_\($0.cName) \($0.bit)u /* \($0.words) */" }
      .joined(separator: "\n")
  }

  /// The header beside the source: sizes and bits as macros, the struct, prototypes; for C99 and C++.
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

    /* Bits of a step's status. */
    \(cStatus)

    #ifdef __cplusplus
    extern "C" {
    #endif

    \(cStruct)

    /* Before the first step, and after every standstill. */
    void \(cName)_reset(\(cName) *self);

    /* Returns 0, or the bits of what was found in the row. */
    unsigned int \(cName)_step(
        \(cName) *self, const double measured[\(cMacro)_MEASURED], const double goal[\(cMacro)_GOALS],
        double action[\(cMacro)_ACTIONS]);

    /* The same where other than a time step has passed since the last call: after a lost sample, or with a clock. Seconds that are not
       positive or not finite count as a time step. */
    unsigned int \(cName)_step_after(
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
    let columns = layout.measuredColumns.count
    let policyMemory = policy.memoryLength
    return """
      \(cComment)
      #include <math.h>

      #ifdef __cplusplus
      extern "C" {
      #endif

      #ifndef \(cMacro)_H /* the header has it too */
      \(cStatus)

      \(cStruct)

      void \(cName)_reset(\(cName) *self);
      unsigned int \(cName)_step(
          \(cName) *self, const double measured[\(columns)], const double goal[\(goals.count)], double action[\(actions)]);
      unsigned int \(cName)_step_after(
          \(cName) *self, double seconds, const double measured[\(columns)], const double goal[\(goals.count)],
          double action[\(actions)]);
      #endif

      static double smaller(double a, double b) { return (a < b) ? a : b; }
      static double larger(double a, double b) { return (a > b) ? a : b; }\(definitions)

      \(try cPolicy())\(try cCausalRate())\(try cFindings())
      void \(cName)_reset(\(cName) *self)
      {
        static const double rest[\(actions)] = {\(numbers(policy.rest))};
        self->rows = 0;
        self->elapsed = 0.0;
      \(each("i", columns, "self->measured[i] = 0.0;"))
      \(each("i", states, "self->states[i] = 0.0;"))
      \(each("k", pastRows, "for (int j = 0; j < \(actions); ++j) { self->past[k][j] = rest[j]; }"))
      \(memoryReset)}

      unsigned int \(cName)_step_after(
          \(cName) *self, double seconds, const double measured[\(columns)], const double goal[\(goals.count)],
          double action[\(actions)])
      {
        static const double rest[\(actions)] = {\(numbers(policy.rest))};
        static const double lower[\(actions)] = {\(numbers(policy.lower))};
        static const double upper[\(actions)] = {\(numbers(policy.upper))};
        unsigned int status = 0u;
        int sound = 1;
        self->elapsed += ((seconds > 0.0) && (isfinite(seconds) != 0)) ? seconds : \(layout.timeStep);
      \(each("i", columns, "if (isfinite(measured[i]) == 0) { sound = 0; }"))
      \(goalLines)  if (sound != 0) {
          double states[\(states)];
      \(positionLines)\(memoryLines)\(timeLine)\(stateLines)\(findingLine)    for (int i = 0; i < \(states); ++i) { self->states[i] = states[i]; }
          for (int i = 0; i < \(columns); ++i) { self->measured[i] = position[i]; }
          if (self->rows < 2) { self->rows += 1; }
          self->elapsed = 0.0;
          policy(states, goal, &self->past[0][0]\(policyMemory > 0 ? ", self->memory, memory" : ""), action);
          for (int j = 0; j < \(actions); ++j) { if (isfinite(action[j]) == 0) { sound = 0; } }
      \(policyMemory > 0 ? "    for (int i = 0; i < \(policyMemory); ++i) { if (isfinite(memory[i]) == 0) { sound = 0; } }\n" : "")\(policyMemory > 0 ? "    for (int i = 0; (sound != 0) && (i < \(policyMemory)); ++i) { self->memory[i] = memory[i]; }\n" : "")  }
        if (sound == 0) { status |= \(bit(.notFinite)); }
        for (int j = 0; j < \(actions); ++j) {
          double next = (sound != 0) ? action[j] : rest[j];
      \(latchLines)    next = smaller(larger(next, lower[j]), upper[j]);
      \(pastLines)    self->past[0][j] = next;
          action[j] = next;
        }
      \(latchStatus)  return status;
      }

      unsigned int \(cName)_step(
          \(cName) *self, const double measured[\(columns)], const double goal[\(goals.count)], double action[\(actions)])
      {
        return \(cName)_step_after(self, \(layout.timeStep), measured, goal, action);
      }

      #ifdef __cplusplus
      }
      #endif

      """
  }

  /// "  for (int i = 0; i < n; ++i) { ... }"
  private func each(_ index: String, _ count: Int, _ body: String) -> String {
    "  for (int \(index) = 0; \(index) < \(count); ++\(index)) { \(body) }"
  }

  func bit(_ finding: ControllerFinding) -> String { "\(cMacro)_\(finding.cName)" }

  private var goalLines: String {
    policy.inputs.goal == .none
      ? "  (void)goal;\n"
      : each("i", goals.count, "if (isfinite(goal[i]) == 0) { sound = 0; }") + "\n"
  }

  private var memoryReset: String {
    var lines = ""
    if policy.memoryLength > 0 {
      lines +=
        "  {\n    static const double memory[\(policy.memoryLength)] = {\(numbers(policy.memoryStart))};\n"
      lines += "  " + each("i", policy.memoryLength, "self->memory[i] = memory[i];") + "\n  }\n"
    }
    if watchesFrozen {
      lines += each("i", layout.measuredColumns.count, "self->repeats[i] = 0;") + "\n"
    }
    if canStop { lines += "  self->stopped = 0;\n" }
    if canHold { lines += "  self->holding = 0;\n" }
    return lines
  }

  private var memoryLines: String {
    policy.memoryLength == 0 ? "" : "    double memory[\(policy.memoryLength)];\n"
  }

  /// What a controller that has stopped or holds does in place of its own action.
  private var latchLines: String {
    var lines: [String] = []
    if canHold {
      let changes = policy.largestChange
      if changes.isEmpty {
        lines.append("if (self->holding != 0) { next = rest[j]; }")
      } else {
        // The action's whole range for none.
        let limits = zip(changes, zip(policy.lower, policy.upper)).map {
          $0.isFinite ? $0 : $1.1 - $1.0
        }
        lines += [
          "static const double change[\(changes.count)] = {\(numbers(limits))};",
          "if (self->holding != 0) { next = smaller(larger(rest[j], self->past[0][j] - change[j]), self->past[0][j] + change[j]); }",
        ]
      }
    }
    if canStop { lines.append("if (self->stopped != 0) { next = rest[j]; }") }
    return lines.map { "    \($0)\n" }.joined()
  }

  private var latchStatus: String {
    (canStop ? "  if (self->stopped != 0) { status |= \(bit(.stopped)); }\n" : "")
      + (canHold ? "  if (self->holding != 0) { status |= \(bit(.holding)); }\n" : "")
  }

  /// Moves past actions one row back.
  private var pastLines: String {
    let memory = policy.actionMemory
    guard memory > 1 else { return "" }
    return
      "    for (int k = \(memory - 1); k > 0; --k) { self->past[k][j] = self->past[k - 1][j]; }\n"
  }

  /// The seconds by which rates are derived: a call that is nearly on time is on time, as `CausalSignals` has it.
  private var timeLine: String {
    guard hasRates else { return "" }
    let (step, tolerance) = (layout.timeStep, CausalSignals.timeTolerance * layout.timeStep)
    return
      "    const double passed = (fabs(self->elapsed - \(step)) <= \(tolerance)) ? \(step) : self->elapsed;\n"
  }

  /// Functions that the program calls and <math.h> does not have.
  private var definitions: String {
    let called = (program.instructions + limitsProgram.instructions).compactMap {
      instruction -> BinaryFunction? in
      if case .binary(let function, _, _) = instruction.operation { function } else { nil }
    }
    return BinaryFunction.allCases.filter(called.contains).compactMap(\.row.cDefinition).map {
      "\n" + $0
    }.joined()
  }

  private var hasTurns: Bool {
    layout.measuredColumns.contains { layout.turn(ofColumn: $0) != nil }
  }

  /// position[c] = measured[c], of angles that turn within half a turn of the one before, as `CausalSignals` has them.
  private var positionLines: String {
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
  private var stateLines: String {
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
    for (output, port) in [("action", "action"), ("next_memory", "next_memory")] {
      guard program.outputs.contains(where: { $0.name == output }) else { continue }
      let result = program.output(output)
      lines.append(
        "  for (int i = 0; i < \(program[result].length); ++i) { \(port)[i] = v\(result.index)[i]; }"
      )
    }
    let unused = ["state", "goal", "past"].filter { program.inputs[$0] == nil }
    let memory = policy.memoryLength > 0 ? ", const double *memory, double *next_memory" : ""
    return """
      static void policy(
          const double *state, const double *goal, const double *past\(memory), double *action)
      {
      \(unused.map { "  (void)\($0);\n" }.joined())\(lines.joined(separator: "\n"))
      }

      """
  }
}
