// SPDX-License-Identifier: Apache-2.0
// fmu.c: the C between a simulator and the task's code. In: the FMU. Out: one file of C99, which is C++ too, without headers but the
// standard library's and the task's. All that changes is in an instance, so a process may have many.
//
//   variables, memory, code     here
//   what both versions do       FMUInstance, FMUStepping
//   types and functions of a version   FMUFunctions2, FMUFunctions3

import Foundation
import SafeText

extension FMU {
  /// The text of sources/fmu.c.
  func source(_ version: FMIVersion) -> String {
    """
    /* '\(escapedForC(Self.plain(name)))' as an FMU for co-simulation, FMI \(version.rawValue), written by `bagel export`.
     * C99 and C++, only the standard library, no static variables.
     */
    #include <math.h>
    #include <stdarg.h>
    \(version == .three ? "#include <stdbool.h>\n" : "")#include <stddef.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>

    #include "\(body.header)"

    \(version == .three ? Self.types3 : Self.types2)
    \(tables(version))
    \(memory)
    \(Self.instance)
    \(Self.values)
    \(Self.stepping)
    \(version == .three ? Self.functions3 : Self.functions2)

    """
  }

  /// What the variables are.
  private func tables(_ version: FMIVersion) -> String {
    let names = (reals.map(\.name) + integers.map(\.name)).map { "  \"\(Self.cWords($0))\"" }
    return """

      /* Variables: numbers of double precision have the references 1 to FMU_REALS, integers the next ones. */
      enum { FMU_REALS = \(reals.count), FMU_INTEGERS = \(integers.count) };
      enum { FMU_INPUT, FMU_OUTPUT, FMU_PARAMETER };
      static const int fmu_causality[\(reals.count)] = {\(reals.map { "FMU_\($0.causality.rawValue.uppercased())" }.joined(separator: ", "))};
      static const double fmu_start[\(reals.count)] = {\(numbers(reals.map(\.start)))};
      static const char *const fmu_name[\(reals.count + integers.count)] = {
      \(names.joined(separator: ",\n"))
      };
      static const char fmu_token[] = "\(token(version))";
      #define FMU_HAS_TIME \(version == .three ? 1 : 0) /* as the variable of reference 0 */
      #define FMU_TIME_STEP \(timeStep) /* s */
      """
  }

  /// What an instance remembers, and the task's code.
  private var memory: String {
    """

    enum { FMU_INSTANTIATED, FMU_INITIALIZATION, FMU_STEPPING, FMU_TERMINATED };

    /* All that changes. */
    typedef struct {
      int mode;
      int stop_is_known;
      int is_waiting;              /* whether a result belongs to the next sample time */
      double start_time;           /* s */
      double stop_time;            /* s */
      double time;                 /* s */
      double ticks;                /* sample times that were acted at */
      double real[FMU_REALS];
      fmu_integer integer[\(max(integers.count, 1))];
    \(indented(body.memory))
    } fmu_memory;

    /* Where the start time begins. */
    static void fmu_begin(fmu_memory *self)
    {
    \(indented(body.begin))
    }

    /* At a sample time. Returns 0 if what it computes is not finite. */
    static int fmu_tick(fmu_memory *self)
    {
    \(indented(body.tick))
    }

    /* At the sample time after it. */
    static void fmu_arrive(fmu_memory *self)
    {
    \(indented(body.arrive.isEmpty ? "(void)self;" : body.arrive))
    }
    """
  }

  private func indented(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
      .joined(separator: "\n")
  }

  /// A name within a string of C that goes through formats: letters, digits and few marks.
  private static func cWords(_ name: String) -> String {
    String(
      name.unicodeScalars.prefix(80).map { scalar -> Character in
        let isPlain =
          scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
        return isPlain || " .-+/()[]".unicodeScalars.contains(scalar) ? Character(scalar) : "_"
      })
  }
}
