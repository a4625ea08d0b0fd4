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
  var cName: String { cIdentifier(name, prefix: "bagel_", longest: Self.longestName) }

  /// Of macros, C99 tells the first 63 characters apart.
  private static let longestName = 46

  /// Of macros.
  var cMacro: String { cName.uppercased() }

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

      \(CProgram.definitions(for: [program, limitsProgram], and: [.minimum, .maximum]))

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

  /// A program as statements.
  func cBody(_ program: Program) throws -> [String] {
    try CProgram(program: program, arrays: controller.sharedArrays).body()
  }

  /// "  for (int i = 0; i < n; ++i) { ... }"
  func each(_ index: String, _ count: Int, _ body: String) -> String {
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
