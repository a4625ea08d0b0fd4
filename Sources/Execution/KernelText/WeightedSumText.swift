// SPDX-License-Identifier: Apache-2.0
// A weighted sum as a function in the text:
//
//   g_i = g(x; Z_i);  y = C^T g;  z = S^T g;  q = ||z||^2
//   dq/dx = 2 sum_i (S z)_i dg_i/dx;  dy_j/dx = sum_i C_ij dg_i/dx
//
// ROWS(i, n) goes through all rows; where a particle has several lanes each takes its share of them, and
// team_sum adds their parts. g and z lie in scratch memory [rows + columns of S][T].

import Programs

struct WeightedSumText {
  let function: WeightedSum
  let functions: LocalFunctionNames
  private let summand: ProgramText
  private let gradient: ProgramText

  init(_ function: WeightedSum, _ functions: LocalFunctionNames) {
    self.function = function
    self.functions = functions
    let input = { (name: String, i: String) -> String in
      switch name {
      case "x": "x[\(i)][t]"
      case "adj_g": "splat(1.f)"
      default: "splat(row[\(i)])"
      }
    }
    // Lanes hold different rows here, so nothing of the summand is spread over them.
    summand = ProgramText(function.summand, functions: functions, spreads: false, input: input)
    gradient = ProgramText(
      function.summandGradient, functions: functions, spreads: false, input: input)
  }

  var lines: [String] {
    let (outputs, d) = (function.outputs, function.dimensions)
    let body = function.squared.map(squaredBody) ?? plainBody
    return functions.signature(
      functions.name(.weightedSum(function)), "FUNCTION", .weightedSum(function)) + [
        "  EACH(c, \(outputs)) value[c][t] = splat(0.f);",
        "  if (jacobian) EACH(c, \(outputs * d)) jacobian[c][t] = splat(0.f);",
      ] + body + [
        "  team_sum(value, \(outputs));",
        "  if (jacobian) team_sum(jacobian, \(outputs * d));",
        "}",
      ]
  }

  /// Value and slopes in one pass: they share the summand.
  private var plainBody: [String] {
    let value = "EACH(c, \(function.weights.columns)) value[c][t] += \(weight) * \(g);"
    return ["  if (!jacobian) {"] + rows(summand.lines + [value]) + ["  } else {"]
      + rows(summand.lines + [value, "{"] + gradient.lines + slopes + ["}"]) + ["  }"]
  }

  private func squaredBody(_ s: SharedMatrix) -> [String] {
    let (n, columns, d) = (function.rows.rows, function.weights.columns, function.dimensions)
    let matrix =
      "MATRIX(\(s.array), \(s.offset)), \(n), \(s.columns), \(function.squaredIsUpperTriangular ? 1 : 0)"
    let squaredSlopes = (0..<d).map { axis in
      "EACH(c, 1) jacobian[\(columns * d + axis)][t] += 2.f * g[i][t] * \(slope(axis));"
    }
    return ["  vf (*g)[T] = SCRATCH(scratch), (*z)[T] = g + \(n);"]
      + rows(
        summand.lines + [
          "EACH(c, 1) g[i][t] = \(g);", "EACH(c, \(columns)) value[c][t] += \(weight) * g[i][t];",
        ]) + [
        "  team_sync();",
        "  transposed_product(\(matrix), g, z);",
        "  ROWS(j, \(s.columns)) EACH(c, 1) value[\(columns)][t] += z[j][t] * z[j][t];",
        "  if (jacobian) {",
        "    product(\(matrix), z, g);  // g now holds S z",
      ] + rows(gradient.lines + slopes + squaredSlopes) + ["  }", "  team_sync();"]
  }

  private var g: String { summand.element(function.summand.output("g"), "0") }

  private func slope(_ axis: Int) -> String {
    gradient.element(function.summandGradient.output("adj_x"), String(axis))
  }

  private var slopes: [String] {
    (0..<function.dimensions).map { axis in
      "EACH(c, \(function.weights.columns)) jacobian[c * \(function.dimensions) + \(axis)][t] += "
        + "\(weight) * \(slope(axis));"
    }
  }

  /// C_ic: every particle's own, or shared.
  private var weight: String {
    let index = plus(function.weights.offset, "i * \(function.weights.columns) + c")
    return function.weights.array == RolloutProgram.functionDraw
      ? "KEPT(function_draw, \(index))" : "SHARED(\(function.weights.array), \(index))"
  }

  private func rows(_ body: [String]) -> [String] {
    let start = plus(function.rows.offset, "i * \(function.rows.columns)")
    return [
      "  ROWS(i, \(function.rows.rows)) {",
      "    const float *row = a->\(function.rows.array) + \(start);",
    ] + body.map { "    " + $0 } + ["  }"]
  }
}
