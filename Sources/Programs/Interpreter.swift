// SPDX-License-Identifier: Apache-2.0
// Runs a program in double precision for one particle: the definition of what a program means, and
// the reference that executors are compared with. In: named inputs, shared arrays, a source of
// draws. Out: named outputs and accumulated adjoints. Slow, plain, complete.

/// One evaluation of a program.
package struct Interpretation {
  /// Results by output name.
  package var outputs: [String: [Double]] = [:]
  /// Sums added to the adjoints of shared arrays, by array name.
  package var sharedAdjoints: [String: [Double]] = [:]
  /// How many interpolations had an argument outside their table's box.
  package var outsideCount = 0

  /// The output of a name, which the program must have.
  package subscript(name: String) -> [Double] {
    guard let output = outputs[name] else {
      preconditionFailure("no output '\(name)' among \(outputs.keys.sorted())")
    }
    return output
  }
}

/// Evaluates programs.
package struct Interpreter: Sendable {
  /// Values of the shared arrays, by name.
  package let shared: [String: [Double]]

  package init(shared: [String: [Double]]) { self.shared = shared }

  /// Evaluates `program`.
  ///
  /// - Parameters:
  ///   - program: what to evaluate.
  ///   - inputs: every declared input, by name.
  ///   - draws: standard normal draws of dimensions (first, count); zeros if omitted.
  package func run(
    _ program: Program, inputs: [String: [Double]],
    draws: (_ first: Int, _ count: Int) -> [Double] = { Array(repeating: 0, count: $1) }
  ) -> Interpretation {
    var result = Interpretation()
    var values: [[Double]] = []
    values.reserveCapacity(program.instructions.count)
    for instruction in program.instructions {
      values.append(
        evaluate(
          instruction, inputs: inputs, value: { values[$0.index] }, draws: draws,
          outside: &result.outsideCount))
    }
    for output in program.outputs { result.outputs[output.name] = values[output.value.index] }
    for accumulation in program.accumulations {
      accumulate(accumulation, values: values, into: &result.sharedAdjoints)
    }
    return result
  }

  private func evaluate(
    _ instruction: Instruction, inputs: [String: [Double]], value: (ValueID) -> [Double],
    draws: (Int, Int) -> [Double], outside: inout Int
  ) -> [Double] {
    func map(_ a: ValueID, _ f: (Double) -> Double) -> [Double] { value(a).map(f) }
    func zip2(_ a: ValueID, _ b: ValueID, _ f: (Double, Double) -> Double) -> [Double] {
      zip(value(a), value(b)).map(f)
    }
    let length = instruction.length
    switch instruction.operation {
    case .input(let name):
      guard let given = inputs[name], given.count == length else {
        preconditionFailure("input '\(name)' needs \(length) scalars, got \(inputs[name] ?? [])")
      }
      return given
    case .constant(let values): return values
    case .shared(let slice): return run(of: slice, count: length)
    case .normal(let first): return draws(first, length)
    case .unary(let function, let a): return map(a, function.row.value)
    case .binary(let function, let a, let b): return zip2(a, b, function.row.value)
    case .select(let condition, let a, let b):
      return zip(value(condition), zip(value(a), value(b))).map { $0 >= 0 ? $1.0 : $1.1 }
    case .concatenate(let parts): return parts.flatMap(value)
    case .slice(let a, let start): return Array(value(a)[start..<start + length])
    case .broadcast(let a): return Array(repeating: value(a)[0], count: length)
    case .sum(let a): return [value(a).reduce(0, +)]
    case .dot(let a, let b): return [zip2(a, b, *).reduce(0, +)]
    case .affine(let weights, let bias, let a):
      let product = matrixVector(matrix(weights), value(a), rows: weights.rows)
      guard let bias else { return product }
      return zip(product, run(of: bias, count: length)).map(+)
    case .transposedProduct(let weights, let a):
      return transposedMatrixVector(matrix(weights), value(a), columns: weights.columns)
    case .matrixVector(let m, let a): return matrixVector(value(m), value(a), rows: length)
    case .transposedMatrixVector(let m, let a):
      return transposedMatrixVector(value(m), value(a), columns: length)
    case .apply(let function, let a):
      let evaluation = evaluate(function, at: value(a))
      if evaluation.isOutside { outside += 1 }
      return evaluation.value
    case .jacobian(let function, let a): return evaluate(function, at: value(a)).jacobian
    }
  }

  private func run(of slice: SharedSlice, count: Int) -> [Double] {
    Array(array(slice.array)[slice.offset..<slice.offset + count])
  }

  func matrix(_ matrix: SharedMatrix) -> [Double] {
    run(
      of: SharedSlice(array: matrix.array, offset: matrix.offset),
      count: matrix.rows * matrix.columns)
  }

  func array(_ name: String) -> [Double] {
    guard let values = shared[name] else {
      preconditionFailure("shared array '\(name)' is not bound; bound: \(shared.keys.sorted())")
    }
    return values
  }

  private func accumulate(
    _ accumulation: Accumulation, values: [[Double]], into sums: inout [String: [Double]]
  ) {
    let name = accumulation.target.array
    let terms: [Double]
    switch accumulation.term {
    case .vector(let id): terms = values[id.index]
    case .outer(let rows, let columns):
      terms = values[rows.index].flatMap { r in values[columns.index].map { r * $0 } }
    }
    var sum = sums[name] ?? Array(repeating: 0, count: array(name).count)
    for (i, term) in terms.enumerated() { sum[accumulation.target.offset + i] += term }
    sums[name] = sum
  }
}

/// M x, M [rows, x.count] row-major.
func matrixVector(_ m: [Double], _ x: [Double], rows: Int) -> [Double] {
  (0..<rows).map { i in x.indices.reduce(0) { $0 + m[i * x.count + $1] * x[$1] } }
}

/// M^T y, M [y.count, columns] row-major.
func transposedMatrixVector(_ m: [Double], _ y: [Double], columns: Int) -> [Double] {
  (0..<columns).map { j in y.indices.reduce(0) { $0 + m[$1 * columns + j] * y[$1] } }
}
