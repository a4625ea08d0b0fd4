// SPDX-License-Identifier: Apache-2.0
// controller_test.c: rows of a random walk and what this controller answers to them, as a C program that feeds the rows to the C code on the
// user's own target and compares. Exit code 0 if all agree.

import Foundation

extension ExportedController {
  /// Rows of the test.
  static let testRows = 1_000
  /// |difference| allowed, of 1 or the value where that is larger: compilers may fuse multiply-adds, and libraries differ in the last
  /// digit of exp and tanh.
  private static let tolerance = 1e-9

  func cTest() -> String {
    let (measured, goals, actions) = (
      layout.measuredColumns.count, self.goals.count, layout.actions.count
    )
    func text(_ values: [Double]) -> String {
      values.map { value -> String in
        if value.isNaN { return "NAN" }
        if value.isInfinite { return value < 0 ? "-INFINITY" : "INFINITY" }
        return "\(value)"
      }.joined(separator: ", ")
    }
    let rows = vectors(Self.testRows).map { row in
      "  {\(row.isFirst ? 1 : 0), \(text([row.seconds])), {\(text(row.measured))}, {\(text(row.goal))}, "
        + "{\(text(row.action))}, \(row.status)u},"
    }
    return """
      /* Test of the controller in this folder: \(Self.testRows) rows and the original's results.
       *   cc -std=c99 -o controller_test controller.c controller_test.c -lm && ./controller_test
       * Run it on the target: it finds differences due to compiler, library or processor. */
      #include <math.h>
      #include <stdio.h>

      #include "controller.h"

      typedef struct {
        int reset;
        double seconds;
        double measured[\(measured)];
        double goal[\(goals)];
        double action[\(actions)];
        unsigned int status;
      } row_type;

      static const row_type rows[\(Self.testRows)] = {
      \(rows.joined(separator: "\n"))
      };

      int main(void)
      {
        \(cName) controller;
        double worst = 0.0;
        int failed = 0;
        for (int k = 0; k < \(Self.testRows); ++k) {
          double action[\(actions)];
          unsigned int status;
          if (rows[k].reset != 0) { \(cName)_reset(&controller); }
          status = \(cName)_step_after(
              &controller, rows[k].seconds, rows[k].measured, rows[k].goal, action);
          if (status != rows[k].status) {
            (void)printf("row %d: status %u, expected %u\\n", k, status, rows[k].status);
            failed += 1;
          }
          for (int j = 0; j < \(actions); ++j) {
            const double expected = rows[k].action[j];
            const double size = (fabs(expected) > 1.0) ? fabs(expected) : 1.0;
            const double difference = fabs(action[j] - expected) / size;
            if (!(difference <= \(Self.tolerance))) {
              (void)printf("row %d: action %d is %.17g, expected %.17g\\n", k, j, action[j], expected);
              failed += 1;
            }
            if (difference > worst) { worst = difference; }
          }
        }
        (void)printf("%d rows, largest difference %g: %s\\n", \(Self.testRows), worst, (failed == 0) ? "passed" : "FAILED");
        return (failed == 0) ? 0 : 1;
      }

      """
  }
}
