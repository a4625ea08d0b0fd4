// SPDX-License-Identifier: Apache-2.0
// A program's instructions as statements of C99, in double precision: vK is instruction K's result, shared arrays are constants.

import Programs
import SafeText

extension ExportedController {
  /// A program's instructions as statements.
  func cBody(_ program: Program) throws -> [String] {
    var lines: [String] = []
    for (index, instruction) in program.instructions.enumerated() {
      let comment = instruction.name.map { "  /* \(escapedForC($0)) */" } ?? ""
      lines += try statement("v\(index)", instruction, in: program).map { "  " + $0 }
      if !comment.isEmpty { lines[lines.count - 1] += comment }
    }
    return lines
  }

  /// Declares `name` and gives it its value.
  private func statement(
    _ name: String, _ instruction: Instruction, in program: Program
  ) throws -> [String] {
    let n = instruction.length
    func v(_ id: ValueID) -> String { "v\(id.index)[i]" }
    func each(_ expression: String) -> [String] {
      ["double \(name)[\(n)];", loop("i", n, "\(name)[i] = \(expression);")]
    }
    func fixed(_ values: [Double]) -> [String] {
      ["static const double \(name)[\(n)] = {\(numbers(values))};"]
    }
    switch instruction.operation {
    case .input(let input): return ["const double *\(name) = \(input);"]
    case .constant(let values): return fixed(values)
    case .shared(let slice): return fixed(values(slice.array, offset: slice.offset, count: n))
    case .unary(let function, let a): return each(function.row.word.cText(v(a)))
    case .binary(let function, let a, let b): return each(function.row.word.cText(v(a), v(b)))
    case .select(let condition, let a, let b):
      return each("(\(v(condition)) >= 0.0) ? \(v(a)) : \(v(b))")
    case .slice(let a, let start): return each("v\(a.index)[\(index("i", plus: start))]")
    case .broadcast(let a): return each("v\(a.index)[0]")
    case .concatenate(let parts):
      var (lines, offset) = (["double \(name)[\(n)];"], 0)
      for part in parts {
        let count = program[part].length
        lines.append(loop("i", count, "\(name)[\(index("i", plus: offset))] = \(v(part));"))
        offset += count
      }
      return lines
    case .sum(let a): return sum(name, count: program[a].length, v(a))
    case .dot(let a, let b): return sum(name, count: program[a].length, "\(v(a)) * \(v(b))")
    case .affine(let weights, let bias, let a):
      let start =
        bias.map { slice in values(slice.array, offset: slice.offset, count: n) }
        ?? Array(repeating: 0, count: n)
      return product(name, n, weights.columns, start: start, weights, "[i][j]", a)
    case .transposedProduct(let weights, let a):
      return product(
        name, n, weights.rows, start: Array(repeating: 0, count: n), weights, "[j][i]", a)
    case .normal, .matrixVector, .transposedMatrixVector, .apply, .jacobian:
      throw CannotExport(instruction.operation, "C")
    }
  }

  private func index(_ name: String, plus offset: Int) -> String {
    offset == 0 ? name : "\(name) + \(offset)"
  }

  private func loop(_ index: String, _ count: Int, _ body: String) -> String {
    "for (int \(index) = 0; \(index) < \(count); ++\(index)) { \(body) }"
  }

  private func sum(_ name: String, count: Int, _ term: String) -> [String] {
    ["double \(name)[1] = {0.0};", loop("i", count, "\(name)[0] += \(term);")]
  }

  /// name_i = start_i + sum over j of W times x_j.
  private func product(
    _ name: String, _ rows: Int, _ terms: Int, start: [Double], _ weights: SharedMatrix,
    _ element: String, _ x: ValueID
  ) -> [String] {
    let all = values(
      weights.array, offset: weights.offset, count: weights.rows * weights.columns)
    let text = (0..<weights.rows).map { row in
      "{" + numbers(Array(all[row * weights.columns..<(row + 1) * weights.columns])) + "}"
    }
    return [
      "static const double \(name)_w[\(weights.rows)][\(weights.columns)] = {"
    ] + text.map { "  \($0)," } + [
      "};", "double \(name)[\(rows)] = {\(numbers(start))};",
      "for (int i = 0; i < \(rows); ++i) {",
      "  " + loop("j", terms, "\(name)[i] += \(name)_w\(element) * v\(x.index)[j];"), "}",
    ]
  }

  /// Shortest decimals that read back as the same numbers.
  func numbers(_ values: [Double]) -> String {
    values.map { "\($0)" }.joined(separator: ", ")
  }
}
