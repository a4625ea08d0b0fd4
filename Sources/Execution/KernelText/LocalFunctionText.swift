// SPDX-License-Identifier: Apache-2.0
// Functions in the text for the local functions of a rollout: each is emitted once and called from the step.
//
//   interpolation: value, J = interpolate(table, x), one vector of particles at a time; a grid variance likewise
//   weightedSum:   WeightedSumText.swift

import Programs

/// The local functions of a kernel and their names in the text.
struct LocalFunctionNames {
  let functions: [LocalFunction]

  /// All local functions that the programs apply, in order of first use.
  init(of programs: [Program]) {
    var found: [LocalFunction] = []
    for case let function? in programs.flatMap(\.instructions).map(\.operation.localFunction)
    where !found.contains(function) {
      found.append(function)
    }
    functions = found
  }

  /// Whether a matrix product over many rows is in it, so that wide tiles pay.
  var hasWeightedSum: Bool {
    functions.contains { if case .weightedSum = $0 { true } else { false } }
  }

  var hasGridVariance: Bool {
    functions.contains { if case .gridVariance = $0 { true } else { false } }
  }

  /// Rows [T] of scratch memory that the largest function needs.
  var scratchRows: Int {
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

  /// Their definitions.
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
      case .weightedSum(let f): WeightedSumText(f, self).lines
      }
    }
  }

  func signature(_ name: String, _ inline: String, _ f: LocalFunction) -> [String] {
    [
      "\(inline) void \(name)(const struct arguments *a, const vf x[\(f.inputs)][T],",
      "    const int active[T], vi outside[T], vf value[\(f.outputs)][T],",
      "    vf jacobian[\(f.outputs * f.inputs)][T], vf *scratch, kept_row function_draw) {",
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
}
