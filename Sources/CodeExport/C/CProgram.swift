// SPDX-License-Identifier: Apache-2.0
// A program's instructions as statements of C99, in double precision: vK is instruction K's result, shared arrays are constants. Sums
// over data are functions of their own (CSums.swift).

import Programs
import SafeText

/// A program on its way to C.
struct CProgram {
  let program: Program
  /// Values of its shared arrays.
  let arrays: [String: [Double]]
  /// The functions that sums over data have become.
  var sums = CSums()

  /// The instructions as statements. Throws: `CannotExport`.
  func body() throws -> [String] {
    var lines: [String] = []
    for (index, instruction) in program.instructions.enumerated() {
      let comment = instruction.name.map { "  /* \(escapedForC($0)) */" } ?? ""
      lines += try statement("v\(index)", instruction).map { "  " + $0 }
      if !comment.isEmpty { lines[lines.count - 1] += comment }
    }
    return lines
  }

  /// Functions that its statements call and <math.h> does not have.
  static func definitions(
    for programs: [Program], and others: [BinaryFunction] = []
  ) -> String {
    var unary: Set<UnaryFunction> = []
    var binary = Set(others)
    for instruction in programs.flatMap(\.instructions) {
      if case .unary(let function, _) = instruction.operation { unary.insert(function) }
      if case .binary(let function, _, _) = instruction.operation { binary.insert(function) }
    }
    let definitions =
      UnaryFunction.allCases.filter(unary.contains).compactMap(\.row.cDefinition)
      + BinaryFunction.allCases.filter(binary.contains).compactMap(\.row.cDefinition)
    return definitions.map { "\n" + $0 }.joined()
  }

  /// Declares `name` and gives it its value.
  private func statement(_ name: String, _ instruction: Instruction) throws -> [String] {
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
    case .matrixVector(let m, let a):
      let columns = program[a].length
      return ["double \(name)[\(n)];"]
        + rows(
          n, columns, "\(name)[i] += v\(m.index)[(i * \(columns)) + j] * v\(a.index)[j];", name)
    case .transposedMatrixVector(let m, let a):
      return ["double \(name)[\(n)];"]
        + rows(
          n, program[a].length, "\(name)[i] += v\(m.index)[(j * \(n)) + i] * v\(a.index)[j];", name)
    case .apply(let function, let a):
      return try called(name, n, function, a, instruction, jacobian: false)
    case .jacobian(let function, let a):
      return try called(name, n, function, a, instruction, jacobian: true)
    case .normal: throw CannotExport(instruction.operation, "C")
    }
  }

  /// A call of a sum over data, or of its Jacobian.
  private func called(
    _ name: String, _ count: Int, _ function: LocalFunction, _ x: ValueID,
    _ instruction: Instruction, jacobian: Bool
  ) throws -> [String] {
    guard case .weightedSum(let sum) = function, let word = sums.name(of: sum, jacobian: jacobian)
    else {
      throw CannotExport(instruction.operation, "C")
    }
    return ["double \(name)[\(count)];", "\(word)(v\(x.index), \(name));"]
  }

  /// name_i = sum over j of what a line adds.
  private func rows(_ rows: Int, _ terms: Int, _ line: String, _ name: String) -> [String] {
    [
      "for (int i = 0; i < \(rows); ++i) {", "  \(name)[i] = 0.0;", "  " + loop("j", terms, line),
      "}",
    ]
  }

  /// What a shared array holds at an instruction's slice.
  private func values(_ array: String, offset: Int, count: Int) -> [Double] {
    Array((arrays[array] ?? [])[offset..<offset + count])
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

}

/// Shortest decimals of C that read back as the same numbers.
func numbers(_ values: [Double]) -> String {
  values.map { "\($0)" }.joined(separator: ", ")
}
