// SPDX-License-Identifier: Apache-2.0
// The folder of a model as C: source, header, a test with the original's results, and a README.

import Draws
import Foundation
import MachineLogs
import SafeText

extension ExportedModel: Exportable {
  package var kind: String { "model" }

  package func cFolder() throws -> [(name: String, data: Data)] {
    let texts = [
      ("model.c", try cSource()), ("model.h", cHeader()), ("model_test.c", cTest()),
      ("README.md", cReadme()),
    ]
    return texts.map { ($0, Data($1.utf8)) }
  }

  package func data(_ format: ExportFormat) throws -> Data {
    switch format {
    case .c: return Data(try cSource().utf8)
    case .onnx: return try onnxModel()
    case .fmu: return try fmu().archive(.two).data
    case .safetensors:
      throw CannotExport("a model's own file is safetensors already: model.safetensors")
    }
  }

  package var header: Data { Data(cHeader().utf8) }

  /// Points of the test.
  private static let testPoints = 50
  /// |difference| allowed, of the value or of 1e-3 of its largest: compilers may fuse multiply-adds, libraries differ in the last digits.
  private static let tolerance = 1e-6

  /// Points near the logged states, with commands within their limits and disturbances as they were logged: [x, u, w].
  package func testPoints(_ count: Int) -> [(
    state: [Double], action: [Double], disturbance: [Double]
  )] {
    let key = DrawKey(seed: 1, stream: .exportedVectors)
    let (k, a, logged) = (window.count, layout.actions.count, window.loggedDisturbances)
    let scales = model.stateStandardiser.scale
    let ranges = window.places(
      states: scales.map { _ in -Double.infinity...Double.infinity }, actions: actionLimits,
      disturbances: logged)
    let sizes = window.places(
      states: scales, actions: actionLimits.map(\.halfLength),
      disturbances: logged.map(\.halfLength))
    return (0..<count).map { p in
      let present = model.loggedStates[p * model.loggedStates.count / count]
      let draws = key.normals(particle: p, step: 0, count: k + a + disturbances.count)
      func drawn(_ ranges: [ClosedRange<Double>], from first: Int) -> [Double] {
        ranges.indices.map { i in
          ranges[i].nearest(to: ranges[i].middle + 0.5 * ranges[i].halfLength * draws[first + i])
        }
      }
      let state = (0..<k).map { i -> Double in
        let value = zip(start.weights[i], present).reduce(start.offsets[i]) { $0 + $1.0 * $1.1 }
        return ranges[i].nearest(to: value + 0.1 * sizes[i] * draws[i])
      }
      return (state, drawn(actionLimits, from: k), drawn(logged, from: k + a))
    }
  }

  private func cTest() -> String {
    let (n, k, a, w) = (
      layout.states.count, window.count, layout.actions.count, disturbances.count
    )
    let rows = testPoints(Self.testPoints).map { point -> String in
      let found = evaluate(point.state, point.action, point.disturbance)
      let disturbance = w == 0 ? "0.0" : numbers(point.disturbance)
      return
        "  {{\(numbers(point.state))}, {\(numbers(point.action))}, {\(disturbance)},\n   {\(numbers(found.next))}, {\(numbers(found.deviation))},\n   {\(numbers(found.jacobian))}},"
    }
    return """
      /* Test of the model in this folder: \(Self.testPoints) points and the original's results.
       *   cc -std=c99 -o model_test model.c model_test.c -lm && ./model_test */
      #include <math.h>
      #include <stdio.h>

      #include "model.h"

      typedef struct {
        double state[\(k)];
        double action[\(a)];
        double disturbance[\(max(w, 1))];
        double next_state[\(k)];
        double deviation[\(n)];
        double jacobian[\(n * inputCount)];
      } row_type;

      static const row_type rows[\(Self.testPoints)] = {
      \(rows.joined(separator: "\n"))
      };

      static double worst = 0.0;

      static int compare(int row, const char *what, int count, const double *found, const double *expected)
      {
        int failed = 0;
        double largest = 0.0;
        for (int i = 0; i < count; ++i) { if (fabs(expected[i]) > largest) { largest = fabs(expected[i]); } }
        for (int i = 0; i < count; ++i) {
          const double size = (fabs(expected[i]) > (1e-3 * largest)) ? fabs(expected[i]) : (1e-3 * largest);
          const double difference = fabs(found[i] - expected[i]) / ((size > 0.0) ? size : 1.0);
          if (!(difference <= \(Self.tolerance))) {
            (void)printf("row %d: %s %d is %.17g, expected %.17g\\n", row, what, i, found[i], expected[i]);
            failed = 1;
          }
          if (difference > worst) { worst = difference; }
        }
        return failed;
      }

      int main(void)
      {
        int failed = 0;
        for (int r = 0; r < \(Self.testPoints); ++r) {
          double next_state[\(k)];
          double deviation[\(n)];
          double jacobian[\(n * inputCount)];
          \(cName)_step(rows[r].state, rows[r].action, rows[r].disturbance, next_state, deviation);
          \(cName)_jacobian(rows[r].state, rows[r].action, rows[r].disturbance, jacobian);
          failed += compare(r, "next_state", \(k), next_state, rows[r].next_state);
          failed += compare(r, "deviation", \(n), deviation, rows[r].deviation);
          failed += compare(r, "jacobian", \(n * inputCount), jacobian, rows[r].jacobian);
        }
        (void)printf("%d points, largest difference %g: %s\\n", \(Self.testPoints), worst, (failed == 0) ? "passed" : "FAILED");
        return (failed == 0) ? 0 : 1;
      }

      """
  }

  private func cReadme() -> String {
    func rows(_ name: String, _ channels: [Channel]) -> [String] {
      channels.enumerated().map { "| `\(name)[\($0)]` | \(cell($1.name)) | \(cell($1.units)) |" }
    }
    let table =
      rows("state", window.channels) + rows("action", layout.actions)
      + rows("disturbance", disturbances)
    return """
      # Model \(cell(name))

      Written by `bagel export`: the learnt dynamics of the machine, for planning, filtering and simulation without BAGEL.

      | file | |
      |---|---|
      | model.c | the model: C99 or C++, only `<math.h>`, no allocation, no memory between calls |
      | model.h | its header |
      | model_test.c | \(Self.testPoints) points with the original's results |

          cc -std=c99 -O2 -o model_test model.c model_test.c -lm && ./model_test

      One step is \(layout.timeStep) s. `\(cName)_step` gives the mean of the next state, and the standard deviation of its first \(layout.states.count)
      entries: the uncertainty from few logs, and the effect of unmeasured influences. `\(cName)_jacobian` gives the derivatives of the
      mean. Earlier rows that the model reads are part of `state`: pass `next_state` to the next call; there is no other memory.
      `\(cName)_start` makes a state from present measurements.

      | | what | unit |
      |---|---|---|
      \(table.joined(separator: "\n"))

      \(accuracy.prefix(1).uppercased() + accuracy.dropFirst()). \(constantCount) constants (\(8 * constantCount) bytes).

      Outside the range of the logs the model extrapolates: it stays near its last known values, and the deviation grows to its usual
      size in the logs. Keep a plan near the data, or add a cost of the deviation.

      ## Origin

      \(provenance.map { "- \(cell($0))" }.joined(separator: "\n"))

      """
  }

  private func cell(_ text: String) -> String { markdownCell(text) }
}

extension ClosedRange<Double> {
  fileprivate var middle: Double { 0.5 * (lowerBound + upperBound) }
  fileprivate var halfLength: Double { 0.5 * (upperBound - lowerBound) }
  fileprivate func nearest(to value: Double) -> Double {
    Swift.min(Swift.max(value, lowerBound), upperBound)
  }
}
