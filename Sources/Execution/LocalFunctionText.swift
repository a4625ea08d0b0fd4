// SPDX-License-Identifier: Apache-2.0
// C functions for the local functions of a rollout: each is emitted once and called from the step.
//
//   interpolation: value, J = interpolate(table, x), W particles at a time
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
      case .interpolation: 0
      case .weightedSum(let f): f.rows.rows + (f.squared?.columns ?? 0)
      }
    }.max() ?? 0
  }

  func name(_ function: LocalFunction) -> String {
    guard let index = functions.firstIndex(of: function) else {
      preconditionFailure("a local function was not collected: \(function)")
    }
    switch function {
    case .interpolation(let f): return "interpolate_\(f.table)_\(index)"
    case .weightedSum(let f): return "weighted_sum_\(f.rows.array)_\(index)"
    }
  }

  /// The call statement; `jacobian` may be nil.
  func call(_ function: LocalFunction, _ x: String, _ value: String, _ jacobian: String?) -> String
  {
    "\(name(function))(a, \(x), active, outside, \(value), \(jacobian ?? "NULL"), scratch);"
  }

  /// The C definitions.
  var definitions: [String] {
    functions.flatMap { function in
      switch function {
      case .interpolation(let f): interpolation(f, name(function))
      case .weightedSum(let f): weightedSum(f, name(function))
      }
    }
  }

  private func signature(_ name: String, _ inline: String, _ f: LocalFunction) -> [String] {
    [
      "\(inline) void \(name)(const struct arguments *a, const vf x[\(f.inputs)][T],",
      "    const int active[T], vi outside[T], vf value[\(f.outputs)][T],",
      "    vf jacobian[\(f.outputs * f.inputs)][T], vf *scratch) {",
    ]
  }

  private func interpolation(_ f: Interpolation, _ name: String) -> [String] {
    let jacobianLength = f.outputs * f.dimensions
    return signature(name, "INLINE", .interpolation(f)) + [
      "  UNROLL for (int t = 0; t < T; ++t) {",
      "    vf point[\(f.dimensions)], v[\(f.outputs)], j[\(jacobianLength)];",
      "    UNROLL for (int i = 0; i < \(f.dimensions); ++i) point[i] = x[i][t];",
      "    interpolate(\(f.dimensions), \(f.outputs), a->\(f.geometry), a->\(f.table), point, active[t],",
      "                &outside[t], v, jacobian ? j : NULL);",
      "    UNROLL for (int i = 0; i < \(f.outputs); ++i) value[i][t] = v[i];",
      "    if (jacobian) UNROLL for (int i = 0; i < \(jacobianLength); ++i) jacobian[i][t] = j[i];",
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
    let weights = "a->\(f.weights.array) + \(sum(f.weights.offset, "i * \(columns)"))"
    func rowLoop(_ body: [String]) -> [String] {
      [
        "  for (int i = 0; i < \(n); ++i) {",
        "    const float *row = a->\(f.rows.array) + \(sum(f.rows.offset, "i * \(f.rows.columns)"));",
        "    const float *weight = \(weights);",
      ] + body.map { "    " + $0 } + ["  }"]
    }
    var lines = signature(name, "static", .weightedSum(f))
    lines += ["  vf (*g)[T] = (vf (*)[T])scratch;"]
    lines += ["  EACH(c, \(f.outputs)) value[c][t] = splat(0.f);"]
    lines += rowLoop(
      summand.lines + [
        "EACH(c, 1) g[i][t] = \(g);",
        "EACH(c, \(columns)) value[c][t] += weight[c] * g[i][t];",
      ])
    if let s = f.squared {
      let (matrix, upper) = ("a->\(s.array) + \(s.offset)", f.squaredIsUpperTriangular ? 1 : 0)
      lines += [
        "  vf (*z)[T] = g + \(n);",
        "  transposed_product(\(matrix), \(n), \(s.columns), \(upper), g, z);",
        "  for (int j = 0; j < \(s.columns); ++j) "
          + "EACH(c, 1) value[\(columns)][t] += z[j][t] * z[j][t];",
        "  if (!jacobian) return;",
        "  product(\(matrix), \(n), \(s.columns), \(upper), z, g);  // g now holds S z",
      ]
    } else {
      lines += ["  if (!jacobian) return;"]
    }
    lines += ["  EACH(c, \(f.outputs * d)) jacobian[c][t] = splat(0.f);"]
    var body = gradient.lines
    for axis in 0..<d {
      body.append(
        "EACH(c, \(columns)) jacobian[c * \(d) + \(axis)][t] += weight[c] * \(slope(String(axis)));"
      )
      if f.squared != nil {
        body.append(
          "EACH(c, 1) jacobian[\(columns * d + axis)][t] += 2.f * g[i][t] * \(slope(String(axis)));"
        )
      }
    }
    return lines + rowLoop(body) + ["}"]
  }
}
