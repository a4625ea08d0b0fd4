// SPDX-License-Identifier: Apache-2.0
// Checks the invariants of a program: operands come earlier, lengths agree, shared runs fit.
// In: a program. Out: nil, or one sentence about the first thing that is wrong.

extension Program {
  /// The first violated invariant, or nil. Linear in the number of instructions.
  package func firstProblem() -> String? {
    for (index, instruction) in instructions.enumerated() {
      for operand in instruction.operation.operands
      where operand.index < 0 || operand.index >= index {
        return "%\(index) reads %\(operand.index), which is not computed before it"
      }
      if let problem = lengthProblem(of: instruction) { return "%\(index): \(problem)" }
    }
    for output in outputs where !instructions.indices.contains(output.value.index) {
      return "output '\(output.name)' is no instruction"
    }
    return nil
  }

  private func lengthProblem(of instruction: Instruction) -> String? {
    let length = instruction.length
    func expect(_ found: Int, _ expected: Int, _ what: String) -> String? {
      found == expected ? nil : "\(what) has length \(found), not \(expected)"
    }
    func size(_ id: ValueID) -> Int { self[id].length }
    func fits(_ array: String, _ end: Int) -> String? {
      guard let count = shared[array] else { return "shared array '\(array)' is not declared" }
      return end <= count ? nil : "shared array '\(array)' has \(count) scalars, needs \(end)"
    }
    switch instruction.operation {
    case .input(let name):
      return inputs[name].flatMap { expect($0, length, "input '\(name)'") }
        ?? (inputs[name] == nil ? "input '\(name)' is not declared" : nil)
    case .constant(let values): return expect(values.count, length, "constant")
    case .shared(let slice): return fits(slice.array, slice.offset + length)
    case .normal: return nil
    case .binary(_, let a, let b):
      return expect(size(a), length, "left operand")
        ?? expect(size(b), length, "right operand")
    case .unary(_, let a): return expect(size(a), length, "operand")
    case .select(let condition, let a, let b):
      return expect(size(condition), length, "condition")
        ?? expect(size(a), length, "first choice")
        ?? expect(size(b), length, "second choice")
    case .concatenate(let parts):
      return expect(parts.reduce(0) { $0 + size($1) }, length, "concatenation")
    case .slice(let a, let start):
      return start >= 0 && start + length <= size(a)
        ? nil : "slice \(start)..<\(start + length) of length \(size(a))"
    case .broadcast(let a): return expect(size(a), 1, "broadcast operand")
    case .sum: return expect(length, 1, "sum")
    case .dot(let a, let b):
      return expect(length, 1, "dot") ?? expect(size(a), size(b), "left operand")
    case .affine(let weights, let bias, let a):
      return expect(size(a), weights.columns, "operand")
        ?? expect(length, weights.rows, "result")
        ?? fits(weights.array, weights.offset + weights.rows * weights.columns)
        ?? bias.flatMap { fits($0.array, $0.offset + weights.rows) }
    case .transposedProduct(let weights, let a):
      return expect(size(a), weights.rows, "operand")
        ?? expect(length, weights.columns, "result")
        ?? fits(weights.array, weights.offset + weights.rows * weights.columns)
    case .matrixVector(let m, let a), .transposedMatrixVector(let m, let a):
      return expect(size(m), length * size(a), "matrix")
    case .apply(let function, let a):
      return expect(size(a), function.inputs, "argument")
        ?? expect(length, function.outputs, "result")
    case .jacobian(let function, let a):
      return expect(size(a), function.inputs, "argument")
        ?? expect(length, function.outputs * function.inputs, "Jacobian")
    }
  }
}
