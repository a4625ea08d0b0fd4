// SPDX-License-Identifier: Apache-2.0
// A model as one C99 file without dependencies but <math.h>: no memory, no allocation, no static state but constants. Beside it a header, a
// test with the original's answers, and a README (ModelFolder.swift).
//   NAME_start      present states -> x
//   NAME_step       x, u, w -> x', deviation
//   NAME_jacobian   x, u, w -> J

import Foundation
import MachineLogs
import Programs
import SafeText

extension ExportedModel {
  /// The C identifier that stands before everything. Of macros, C99 tells the first 63 characters apart.
  var cName: String { cIdentifier(name, prefix: "bagel_", longest: 40) + "_model" }
  var cMacro: String { cName.uppercased() }

  /// "angle (rad), rate (rad/s)"
  func list(_ channels: [Channel]) -> String {
    channels.map { $0.name + ($0.units.isEmpty ? "" : " (\($0.units))") }.joined(separator: ", ")
  }

  /// What a caller must know, above source and header.
  private var cComment: String {
    """
    /* Learnt model '\(escapedForC(name))', written by `bagel export`. C99 and C++, needs <math.h> only.
     * One step is \(layout.timeStep) s:
     *   state[\(window.count)]: \(escapedForC(list(window.channels)))
     *   action[\(layout.actions.count)]: \(escapedForC(list(layout.actions)))
     *   disturbance[\(disturbances.count)]: \(disturbances.isEmpty ? "none: may be a null pointer" : escapedForC(list(disturbances)))
     *   deviation[\(layout.states.count)]: standard deviations of the first \(layout.states.count) of the next state
     */
    """
  }

  private var inputs: String {
    "const double state[\(window.count)], const double action[\(layout.actions.count)], const double *disturbance"
  }
  private var jacobianLength: Int { layout.states.count * inputCount }

  private var prototypes: (start: String, step: String, jacobian: String) {
    let (n, k) = (layout.states.count, window.count)
    return (
      "void \(cName)_start(const double present[\(n)], double state[\(k)])",
      "void \(cName)_step(\n    \(inputs),\n    double next_state[\(k)], double deviation[\(n)])",
      "void \(cName)_jacobian(\n    \(inputs),\n    double jacobian[\(jacobianLength)])"
    )
  }

  func cHeader() -> String {
    let prototypes = prototypes
    return """
      \(cComment)
      #ifndef \(cMacro)_H
      #define \(cMacro)_H

      #define \(cMacro)_STATES \(layout.states.count)
      #define \(cMacro)_WINDOW \(window.count) /* present states, and the earlier rows that the model reads */
      #define \(cMacro)_ACTIONS \(layout.actions.count)
      #define \(cMacro)_DISTURBANCES \(disturbances.count)
      #define \(cMacro)_TIME_STEP \(layout.timeStep) /* s */

      #ifdef __cplusplus
      extern "C" {
      #endif

      /* The state of a machine that begins here: commands at rest before, positions as their rates have moved them. */
      \(prototypes.start);

      /* The mean of the next state, and its standard deviation. next_state may be state itself. */
      \(prototypes.step);

      /* d next_state[i] / d (state, action, disturbance), row i of \(inputCount) numbers, of the first \(layout.states.count) states. */
      \(prototypes.jacobian);

      #ifdef __cplusplus
      }
      #endif

      #endif

      """
  }

  /// Throws: `CannotExport`.
  func cSource() throws -> String {
    let sums = CSums(of: [step, jacobian])
    let (n, k) = (layout.states.count, window.count)
    let prototypes = prototypes
    func body(_ program: Program) throws -> String {
      try CProgram(program: program, arrays: arrays, sums: sums).body().joined(separator: "\n")
    }
    func unused(_ program: Program) -> String {
      ["state", "action", "disturbance"].filter { name in
        !program.instructions.contains { $0.operation == .input(name) }
      }.map { "  (void)\($0);\n" }.joined()
    }
    func copied(_ program: Program, _ name: String) -> String {
      let result = program.output(name)
      return
        "  for (int i = 0; i < \(program[result].length); ++i) { \(name)[i] = v\(result.index)[i]; }"
    }
    return """
      \(cComment)
      #include <math.h>

      #ifdef __cplusplus
      extern "C" {
      #endif

      #ifndef \(cMacro)_H /* the header has it too */
      \(prototypes.start);
      \(prototypes.step);
      \(prototypes.jacobian);
      #endif
      \(CProgram.definitions(for: sums.programs + [step, jacobian]))

      \(try sums.definitions(arrays))
      \(prototypes.start)
      {
        static const double weights[\(k)][\(n)] = {
      \(start.weights.map { "    {\(numbers($0))}" }.joined(separator: ",\n"))
        };
        static const double offsets[\(k)] = {\(numbers(start.offsets))};
        for (int i = 0; i < \(k); ++i) {
          state[i] = offsets[i];
          for (int j = 0; j < \(n); ++j) { state[i] += weights[i][j] * present[j]; }
        }
      }

      \(prototypes.step)
      {
      \(unused(step))\(try body(step))
      \(copied(step, "deviation"))
      \(copied(step, "next_state"))
      }

      \(prototypes.jacobian)
      {
      \(unused(jacobian))\(try body(jacobian))
      \(copied(jacobian, "jacobian"))
      }

      #ifdef __cplusplus
      }
      #endif

      """
  }
}
