// SPDX-License-Identifier: Apache-2.0
// The program as text, one instruction a line: `%3 [8] = tanh %2   ; hidden 1`.

extension Program: CustomStringConvertible {
  package var description: String {
    var lines: [String] = []
    for (name, count) in inputs.sorted(by: { $0.key < $1.key }) {
      lines.append("input \(name) [\(count)]")
    }
    for (name, count) in shared.sorted(by: { $0.key < $1.key }) {
      lines.append("shared \(name) [\(count)]")
    }
    for (index, instruction) in instructions.enumerated() {
      let comment = instruction.name.map { "   ; \($0)" } ?? ""
      lines.append("%\(index) [\(instruction.length)] = \(instruction.operation.text)\(comment)")
    }
    for output in outputs { lines.append("output \(output.name) = %\(output.value.index)") }
    for accumulation in accumulations {
      let target = "adj_\(accumulation.target.array)[\(accumulation.target.offset)...]"
      switch accumulation.term {
      case .vector(let value): lines.append("\(target) += %\(value.index)")
      case .outer(let rows, let columns):
        lines.append("\(target) += %\(rows.index) %\(columns.index)^T")
      }
    }
    return lines.joined(separator: "\n")
  }
}

extension Operation {
  /// Its name in the text: "tanh", "affine".
  package var word: String { String(text.prefix { $0 != " " }) }

  /// The instruction's right-hand side.
  var text: String {
    func list(_ word: String) -> String {
      ([word] + operands.map { "%\($0.index)" }).joined(separator: " ")
    }
    switch self {
    case .input(let name): return "input \(name)"
    case .constant(let values): return "constant \(values)"
    case .shared(let slice): return "shared \(slice.array)[\(slice.offset)...]"
    case .normal(let first): return "normal \(first)..."
    case .unary(let function, _): return list(function.rawValue)
    case .binary(let function, _, _): return list(function.rawValue)
    case .select: return list("select")
    case .concatenate: return list("concatenate")
    case .slice(_, let start): return list("slice") + " from \(start)"
    case .broadcast: return list("broadcast")
    case .sum: return list("sum")
    case .dot: return list("dot")
    case .affine(let weights, let bias, _):
      return list("affine \(weights.array)[\(weights.offset)...]") + (bias == nil ? "" : " + bias")
    case .transposedProduct(let weights, _):
      return list("transposedProduct \(weights.array)[\(weights.offset)...]")
    case .matrixVector: return list("matrixVector")
    case .transposedMatrixVector: return list("transposedMatrixVector")
    case .apply(let function, _): return list("apply \(function.text)")
    case .jacobian(let function, _): return list("jacobian \(function.text)")
    }
  }
}

extension LocalFunction {
  var text: String {
    switch self {
    case .interpolation(let f): "interpolation(\(f.table))"
    case .gridVariance(let f): "gridVariance(\(f.root))"
    case .weightedSum(let f): "weightedSum(\(f.rows.array))"
    }
  }
}
