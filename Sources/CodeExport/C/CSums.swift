// SPDX-License-Identifier: Apache-2.0
// Sums over a model's data as functions of C99: y_j = sum_i g(x, Z_i) C_ij, and ||S^T g||^2 after them (`WeightedSum`); and their
// jacobian [outputs, D]. The data are arrays of the file, which all its functions share.

import Programs
import SafeText

/// The sums of some programs, each once.
struct CSums {
  private var all: [(sum: WeightedSum, hasValue: Bool, hasJacobian: Bool)] = []

  init(of programs: [Program] = []) {
    for instruction in programs.flatMap(\.instructions) {
      switch instruction.operation {
      case .apply(.weightedSum(let sum), _): note(sum) { $0.hasValue = true }
      case .jacobian(.weightedSum(let sum), _): note(sum) { $0.hasJacobian = true }
      case .input, .constant, .shared, .normal, .unary, .binary, .select, .concatenate, .slice,
        .broadcast, .sum, .dot, .affine, .transposedProduct, .matrixVector, .transposedMatrixVector,
        .apply, .jacobian:
        break
      }
    }
  }

  private mutating func note(
    _ sum: WeightedSum,
    _ change: (inout (sum: WeightedSum, hasValue: Bool, hasJacobian: Bool)) -> Void
  ) {
    let index = all.firstIndex { $0.sum == sum } ?? all.count
    if index == all.count { all.append((sum, false, false)) }
    change(&all[index])
  }

  /// The function of a sum, or of its Jacobian; nil where it is none of these.
  func name(of sum: WeightedSum, jacobian: Bool) -> String? {
    all.firstIndex { $0.sum == sum }.map { "\(jacobian ? "jacobian" : "sum")_\($0)" }
  }

  /// Programs that the functions are made of.
  var programs: [Program] { all.flatMap { [$0.sum.summand, $0.sum.summandGradient] } }

  /// The data, and a function for each sum and its Jacobian where they are called. Throws: `CannotExport`.
  func definitions(_ arrays: [String: [Double]]) throws -> String {
    let matrices = all.flatMap {
      [$0.sum.rows, $0.sum.weights] + [$0.sum.squared].compactMap(\.self)
    }
    let names = Set(matrices.filter { $0.rows * $0.columns > 0 }.map(\.array)).sorted()
    // Outputs of one group have the same rows.
    var firsts: [[Double]: String] = [:]
    let data = names.map { name -> String in
      let values = arrays[name] ?? []
      if let first = firsts[values] { return "#define \(Self.word(name)) \(Self.word(first))\n" }
      firsts[values] = name
      let lines = stride(from: 0, to: values.count, by: 8).map {
        "  " + numbers(Array(values[$0..<min($0 + 8, values.count)]))
      }
      return "static const double \(Self.word(name))[\(values.count)] = {\n"
        + lines.joined(separator: ",\n") + "\n};\n"
    }
    var functions: [String] = []
    for (k, entry) in all.enumerated() {
      let text = CSum(sum: entry.sum, arrays: arrays)
      if entry.hasValue { functions.append(try text.value("sum_\(k)")) }
      if entry.hasJacobian { functions.append(try text.jacobian("jacobian_\(k)")) }
    }
    return (data + functions).joined(separator: "\n")
  }

  fileprivate static func word(_ array: String) -> String { cIdentifier(array, prefix: "data_") }
}

/// One sum as functions.
private struct CSum {
  let sum: WeightedSum
  let arrays: [String: [Double]]

  private var outputs: Int { sum.outputs }
  private var weighted: Int { sum.weights.columns }

  /// static void NAME(const double *x, double *y)
  func value(_ name: String) throws -> String {
    let squares = sum.squared.map { root -> String in
      "\n  y[\(weighted)] = 0.0;\n  for (int c = 0; c < \(root.columns); ++c) { y[\(weighted)] += z[c] * z[c]; }"
    }
    return """
      static void \(name)(const double *x, double *y)
      {
      \(start)  for (int c = 0; c < \(outputs); ++c) { y[c] = 0.0; }
        for (int r = 0; r < \(sum.rows.rows); ++r) {
      \(try summand())
      \(weightedLine("y[c] += \(element(sum.weights)) * g;"))\(projection)  }\(squares ?? "")
      }

      """
  }

  /// static void NAME(const double *x, double *j): [outputs, D]
  func jacobian(_ name: String) throws -> String {
    let d = sum.dimensions
    var first = ""
    var squared = ""
    if let root = sum.squared {
      first = """
          for (int r = 0; r < \(sum.rows.rows); ++r) {
        \(try summand())
        \(projection)  }

        """
      squared = """
            {
              double factor = 0.0;
              for (int c = \(sum.squaredIsUpperTriangular ? "r" : "0"); c < \(root.columns); ++c) { factor += \(element(root)) * z[c]; }
              for (int i = 0; i < \(d); ++i) { jacobian[\(weighted * d) + i] += 2.0 * factor * gradient[i]; }
            }

        """
    }
    let gradient = CProgram(program: sum.summandGradient, arrays: arrays)
    let body = try gradient.body().map { "    " + $0 }.joined(separator: "\n")
    let result = sum.summandGradient.output("adj_x").index
    return """
      static void \(name)(const double *x, double *jacobian)
      {
        static const double adj_g[1] = {1.0};
      \(start)  for (int i = 0; i < \(outputs * d); ++i) { jacobian[i] = 0.0; }
      \(first)  for (int r = 0; r < \(sum.rows.rows); ++r) {
          double gradient[\(d)];
          {
            const double *row = &\(row);
      \(body)
            for (int i = 0; i < \(d); ++i) { gradient[i] = v\(result)[i]; }
          }
      \(weightedLine("for (int i = 0; i < \(d); ++i) { jacobian[(c * \(d)) + i] += \(element(sum.weights)) * gradient[i]; }"))\(squared)  }
      }

      """
  }

  private var start: String {
    sum.squared.map {
      "  double z[\($0.columns)];\n  for (int c = 0; c < \($0.columns); ++c) { z[c] = 0.0; }\n"
    } ?? ""
  }

  /// g of row r.
  private func summand() throws -> String {
    let program = CProgram(program: sum.summand, arrays: arrays)
    let body = try program.body().map { "    " + $0 }.joined(separator: "\n")
    return """
          double g;
          {
            const double *row = &\(row);
      \(body)
            g = v\(sum.summand.output("g").index)[0];
          }
      """
  }

  private func weightedLine(_ line: String) -> String {
    weighted == 0 ? "" : "    for (int c = 0; c < \(weighted); ++c) { \(line) }\n"
  }

  /// z += S_r g
  private var projection: String {
    guard let root = sum.squared else { return "" }
    let from = sum.squaredIsUpperTriangular ? "r" : "0"
    return "    for (int c = \(from); c < \(root.columns); ++c) { z[c] += \(element(root)) * g; }\n"
  }

  /// The first element of Z_r.
  private var row: String {
    "\(CSums.word(sum.rows.array))[\(offset(sum.rows))(r * \(sum.rows.columns))]"
  }

  /// Element [r, c].
  private func element(_ matrix: SharedMatrix) -> String {
    "\(CSums.word(matrix.array))[\(offset(matrix))(r * \(matrix.columns)) + c]"
  }

  private func offset(_ matrix: SharedMatrix) -> String {
    matrix.offset == 0 ? "" : "\(matrix.offset) + "
  }
}
