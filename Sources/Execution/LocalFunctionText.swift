// SPDX-License-Identifier: Apache-2.0
// C functions for the local functions of a rollout: each is emitted once and called from the step.
//
//   interpolation: value, J = interpolate(table, x), W particles at a time; a grid variance likewise
//   weightedSum:   g_i = g(x; Z_i);  y = C^T g;  z = S^T g;  q = ||z||^2
//                  dq/dx = 2 sum_i (S z)_i dg_i/dx;  dy_j/dx = sum_i C_ij dg_i/dx

import Programs

/// The local functions of a kernel and their C names.
struct LocalFunctionNames {
  let functions: [LocalFunction]

  /// All local functions that the programs apply, in order of first use.
  init(of programs: [Program]) {
    var found: [LocalFunction] = []
    for program in programs {
      for instruction in program.instructions {
        switch instruction.operation {
        case .apply(let function, _), .jacobian(let function, _):
          if !found.contains(function) { found.append(function) }
        case .input, .constant, .shared, .normal, .add, .subtract, .multiply, .divide, .minimum,
          .maximum, .negate, .exp, .log, .tanh, .sin, .cos, .sqrt, .select, .concatenate, .slice,
          .broadcast, .sum, .dot, .affine, .transposedProduct, .matrixVector,
          .transposedMatrixVector:
          break
        }
      }
    }
    functions = found
  }

  /// Whether a matrix product over many rows is in it, so that wide tiles pay.
  var hasWeightedSum: Bool {
    functions.contains { if case .weightedSum = $0 { true } else { false } }
  }

  /// Vectors [T] of scratch memory that the largest function needs.
  var scratchVectors: Int {
    functions.map { function in
      switch function {
      case .interpolation, .gridVariance: 0
      case .weightedSum(let f): f.squared.map { f.rows.rows + $0.columns } ?? 0
      }
    }.max() ?? 0
  }

  func name(_ function: LocalFunction) -> String {
    guard let index = functions.firstIndex(of: function) else {
      preconditionFailure("a local function was not collected: \(function)")
    }
    switch function {
    case .interpolation(let f): return "interpolate_\(f.table)_\(index)"
    case .gridVariance(let f): return "grid_variance_\(f.root)_\(index)"
    case .weightedSum(let f): return "weighted_sum_\(f.rows.array)_\(index)"
    }
  }

  /// The call statement; `jacobian` may be nil.
  func call(_ function: LocalFunction, _ x: String, _ value: String, _ jacobian: String?) -> String
  {
    "\(name(function))(a, \(x), active, outside, \(value), \(jacobian ?? "NULL"), scratch, "
      + "function_draw);"
  }

  /// The C definitions.
  var definitions: [String] {
    functions.flatMap { function in
      switch function {
      case .interpolation(let f):
        vectorByVector(
          function,
          "interpolate(\(f.dimensions), \(f.outputs), \(f.basis.rawValue), a->\(f.geometry), a->\(f.table)"
        )
      case .gridVariance(let f):
        vectorByVector(
          function,
          "grid_variance(\(f.dimensions), \(f.rank), a->\(f.geometry), a->\(f.toeplitz), a->\(f.root)"
        )
      case .weightedSum(let f): weightedSum(f, name(function))
      }
    }
  }

  private func signature(_ name: String, _ inline: String, _ f: LocalFunction) -> [String] {
    [
      "\(inline) void \(name)(const struct arguments *a, const vf x[\(f.inputs)][T],",
      "    const int active[T], vi outside[T], vf value[\(f.outputs)][T],",
      "    vf jacobian[\(f.outputs * f.inputs)][T], vf *scratch, const vf (*function_draw)[T]) {",
    ]
  }

  /// A function of one vector of particles, called for each of a tile's; `call` lacks its last arguments.
  private func vectorByVector(_ function: LocalFunction, _ call: String) -> [String] {
    let (d, outputs) = (function.inputs, function.outputs)
    return signature(name(function), "INLINE", function) + [
      "  UNROLL for (int t = 0; t < T; ++t) {",
      "    vf point[\(d)], v[\(outputs)], j[\(outputs * d)];",
      "    UNROLL for (int i = 0; i < \(d); ++i) point[i] = x[i][t];",
      "    \(call),",
      "        point, active[t], &outside[t], v, jacobian ? j : NULL);",
      "    UNROLL for (int i = 0; i < \(outputs); ++i) value[i][t] = v[i];",
      "    if (jacobian) UNROLL for (int i = 0; i < \(outputs * d); ++i) jacobian[i][t] = j[i];",
      "  }",
      "}",
    ]
  }

  private func weightedSum(_ f: WeightedSum, _ name: String) -> [String] {
    let (n, columns, d) = (f.rows.rows, f.weights.columns, f.dimensions)
    let input = { (name: String, i: String) -> String in
      switch name {
      case "x": "x[\(i)][t]"
      case "adj_g": "splat(1.f)"
      default: "splat(row[\(i)])"
      }
    }
    let summand = ProgramText(f.summand, functions: self, input: input)
    let gradient = ProgramText(f.summandGradient, functions: self, input: input)
    let g = summand.element(f.summand.output("g"), "0")
    func slope(_ i: String) -> String { gradient.element(f.summandGradient.output("adj_x"), i) }
    let isOwn = f.weights.array == RolloutProgram.functionDraw
    let weights = sum(f.weights.offset, "i * \(columns)")
    let weight = isOwn ? "weight[c][t]" : "weight[c]"
    func rowLoop(_ body: [String]) -> [String] {
      [
        "  for (int i = 0; i < \(n); ++i) {",
        "    const float *row = a->\(f.rows.array) + \(sum(f.rows.offset, "i * \(f.rows.columns)"));",
        isOwn
          ? "    const vf (*weight)[T] = function_draw + \(weights);"
          : "    const float *weight = a->\(f.weights.array) + \(weights);",
      ] + body.map { "    " + $0 } + ["  }"]
    }
    let values = "EACH(c, \(columns)) value[c][t] += \(weight) * "
    let slopes = (0..<d).map { axis in
      "EACH(c, \(columns)) jacobian[c * \(d) + \(axis)][t] += \(weight) * \(slope(String(axis)));"
    }
    var lines = signature(name, "static", .weightedSum(f))
    lines += ["  EACH(c, \(f.outputs)) value[c][t] = splat(0.f);"]
    let clear = "EACH(c, \(f.outputs * d)) jacobian[c][t] = splat(0.f);"
    guard let s = f.squared else {
      // Value and slopes in one pass: they share the summand.
      lines += ["  if (!jacobian) {"] + rowLoop(summand.lines + ["\(values)\(g);"])
      return lines + ["    return;", "  }", "  \(clear)"]
        + rowLoop(summand.lines + ["\(values)\(g);", "{"] + gradient.lines + slopes + ["}"]) + ["}"]
    }
    lines += ["  vf (*g)[T] = (vf (*)[T])scratch;"]
    lines += rowLoop(summand.lines + ["EACH(c, 1) g[i][t] = \(g);", "\(values)g[i][t];"])
    let (matrix, upper) = ("a->\(s.array) + \(s.offset)", f.squaredIsUpperTriangular ? 1 : 0)
    lines += [
      "  vf (*z)[T] = g + \(n);",
      "  transposed_product(\(matrix), \(n), \(s.columns), \(upper), g, z);",
      "  for (int j = 0; j < \(s.columns); ++j) "
        + "EACH(c, 1) value[\(columns)][t] += z[j][t] * z[j][t];",
      "  if (!jacobian) return;",
      "  product(\(matrix), \(n), \(s.columns), \(upper), z, g);  // g now holds S z",
      "  \(clear)",
    ]
    let squaredSlopes = (0..<d).map { axis in
      "EACH(c, 1) jacobian[\(columns * d + axis)][t] += 2.f * g[i][t] * \(slope(String(axis)));"
    }
    return lines + rowLoop(gradient.lines + slopes + squaredSlopes) + ["}"]
  }
}
