// SPDX-License-Identifier: Apache-2.0
// The part of a program's text that multiplies by matrices and calls local functions. Small products with shared
// matrices are unrolled; large ones are calls of `layer` and `transposed_layer`.

import Programs

extension ProgramText {
  mutating func emitMatrixVector(
    _ id: ValueID, columns: Int, _ operand: ValueID, _ entry: (String) -> String
  ) {
    define(id, "\(loop(over: id)) \(name(id))[i][t] = splat(0.f);")
    lines.append(
      "\(loop(over: id)) UNROLL for (int j = 0; j < \(columns); ++j) "
        + "\(name(id))[i][t] += \(entry("j")) * \(element(operand, "j"));")
  }

  /// y = W x + b: unrolled when small, else a call of `layer`.
  mutating func emitAffine(
    _ id: ValueID, _ weights: SharedMatrix, _ bias: SharedSlice?, _ operand: ValueID
  ) {
    let start = bias.map { "splat(SHARED(\($0.array), \(plus($0.offset, "i"))))" }
    if weights.isLarge {
      let x = materialized(operand)
      define(id, "layer(\(x.arguments), \(weights.arguments), \(name(id)));")
      if let start { lines.append("\(loop(over: id)) \(at(id))[t] += \(start);") }
    } else {
      emitSmallProduct(id, columns: weights.columns, start: start, operand) { i, j in
        "SHARED(\(weights.array), \(plus(weights.offset, "\(i) * \(weights.columns) + \(j)")))"
      }
    }
  }

  /// y = W^T x
  mutating func emitTransposedProduct(
    _ id: ValueID, _ weights: SharedMatrix, _ operand: ValueID
  ) {
    if weights.isLarge {
      let x = materialized(operand)
      define(id, "transposed_layer(\(x.arguments), \(weights.arguments), \(name(id)));")
    } else {
      emitSmallProduct(id, columns: weights.rows, start: nil, operand) { i, j in
        "SHARED(\(weights.array), \(plus(weights.offset, "\(j) * \(weights.columns) + \(i)")))"
      }
    }
  }

  /// y_i = start_i + sum_j m_ij x_j. A whole y of a spread x is summed over the lanes.
  mutating func emitSmallProduct(
    _ id: ValueID, columns: Int, start: String?, _ operand: ValueID,
    _ entry: (String, String) -> String
  ) {
    let zero = "splat(0.f)"
    if !isSpread[id.index] && isSpread[operand.index] {
      define(id, "\(loop(over: id)) \(name(id))[i][t] = \(zero);")
      let n = program[id].length
      let term = "\(entry("i", "j")) * \(own(operand, "j"))"
      lines.append(
        "SPREAD(j, \(columns)) UNROLL for (int i = 0; i < \(n); ++i) \(name(id))[i][t] += "
          + "OWNED(j, \(columns), \(term));")
      lines.append(
        "\(loop(over: id)) \(name(id))[i][t] = lanes_sum(\(name(id))[i][t])\(start.map { " + \($0)" } ?? "");"
      )
      return
    }
    define(id, "\(loop(over: id)) \(at(id))[t] = \(start ?? zero);")
    lines.append(
      "\(loop(over: id)) UNROLL for (int j = 0; j < \(columns); ++j) \(at(id))[t] += "
        + "\(entry("i", "j")) * \(element(operand, "j"));")
  }

  /// An array in the text that holds the value, and whether it is spread there.
  struct TextArray {
    let name: String
    let isSpread: Bool
    /// As the products take it.
    var arguments: String { "\(name), \(isSpread ? 1 : 0)" }
  }

  mutating func materialized(_ id: ValueID) -> TextArray {
    let (n, isSpread) = (program[id].length, isSpread[id.index])
    if own(id, "i") == at(id) + "[t]" { return TextArray(name: name(id), isSpread: isSpread) }
    let copy = "\(name(id))_copy\(lines.count)"
    lines.append("vf \(copy)[\(isSpread ? "SLOTS(\(n))" : "\(n)")][T];")
    lines.append(
      "\(loop(over: id)) \(copy)[\(isSpread ? "AT(i)" : "i")][t] = \(own(id, "i"));")
    return TextArray(name: copy, isSpread: isSpread)
  }

  /// The name of an array that holds the whole value.
  mutating func whole(_ id: ValueID) -> String {
    let array = materialized(id)
    if !array.isSpread { return array.name }
    let n = program[id].length
    let copy = "\(name(id))_copy\(lines.count)"
    lines.append("vf \(copy)[\(n)][T];")
    lines.append("\(loop(n)) \(copy)[i][t] = \(element(id, "i"));")
    return copy
  }

  /// Value, and the Jacobian too where the program asks for it: they come from one pass.
  mutating func emitApply(_ id: ValueID, _ function: LocalFunction, _ x: ValueID) {
    define(id)
    let partner = program.instructions.firstIndex { $0.operation == .jacobian(function, x) }
    let jacobian = partner.map { ValueID($0) }
    if let jacobian { define(jacobian) }
    let argument = whole(x)
    lines.append(functions.call(function, argument, name(id), jacobian.map { name($0) }))
  }

  mutating func emitJacobian(_ id: ValueID, _ function: LocalFunction, _ x: ValueID) {
    if program.instructions.contains(where: { $0.operation == .apply(function, x) }) { return }
    define(id)
    let value = "value_of_\(name(id))"
    lines.append("vf \(value)[\(function.outputs)][T];")
    let argument = whole(x)
    lines.append(functions.call(function, argument, value, name(id)))
  }
}

extension SharedMatrix {
  /// Whether products with it are blocked loops rather than unrolled ones.
  var isLarge: Bool { rows * columns > 8 * ProgramText.longestUnrolled }

  /// As the products take it: where it is, rows, columns.
  fileprivate var arguments: String { "MATRIX(\(array), \(offset)), \(rows), \(columns)" }
}
