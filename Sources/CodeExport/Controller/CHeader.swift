// SPDX-License-Identifier: Apache-2.0
// The header of exported C code, and what source and header share: the comment for callers, the struct, the bits of a status.

import MachineLogs
import SafeText

extension ExportedController {
  /// What a caller must know, above source and header.
  var cComment: String {
    let actions = layout.actions.count
    return """
      /* Controller '\(escapedForC(name))', written by `bagel export`. C99 and C++, needs <math.h> only.
       *
       * Call every \(layout.timeStep) s:
       *   measured[\(layout.measuredColumns.count)]: \(escapedForC(layout.measuredColumns.joined(separator: ", ")))\(seenDisturbances.isEmpty ? "" : ", of which the last \(seenDisturbances.count) are disturbances")
       *   goal[\(goals.count)]: \(escapedForC(list(goals)))\(policy.inputs.goal == .none ? " (not used by this policy)" : "")
       *   action[\(actions)]: \(escapedForC(list(layout.actions))), within \(zip(policy.lower, policy.upper).map { "\($0) ... \($1)" }.joined(separator: ", "))
       */
      """
  }

  /// The controller's memory.
  var cStruct: String {
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
  var pastRows: Int { max(policy.actionMemory, 1) }

  /// Macros that source and header share: bits of the status.
  var cStatus: String {
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

    /* Call it before the first step, and after every standstill. */
    void \(cName)_reset(\(cName) *self);

    /* Returns 0, or the bits of what was found in the row. */
    unsigned int \(cName)_step(
        \(cName) *self, const double measured[\(cMacro)_MEASURED], const double goal[\(cMacro)_GOALS],
        double action[\(cMacro)_ACTIONS]);

    /* The same if the time since the last call is not one time step: after a lost sample, or with a clock. Seconds that are not
       positive or not finite count as one time step. */
    unsigned int \(cName)_step_after(
        \(cName) *self, double seconds, const double measured[\(cMacro)_MEASURED],
        const double goal[\(cMacro)_GOALS], double action[\(cMacro)_ACTIONS]);

    #ifdef __cplusplus
    }
    #endif

    #endif

    """
  }
}
