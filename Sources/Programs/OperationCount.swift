// SPDX-License-Identifier: Apache-2.0
// How many floating-point operations a program asks for, one particle: what benchmarks divide by the time. A
// multiply-add counts two, an elementary function one, a draw 50 (ten rounds of Philox in integers are not
// counted, logarithm, root, sine and cosine are); reading, selecting and index arithmetic nothing.

extension Program {
  /// Operations of one run; local functions with their Jacobian where the program asks for it.
  package var operationCount: Double {
    var total = 0.0
    for instruction in instructions {
      total += count(instruction)
    }
    for accumulation in accumulations {
      switch accumulation.term {
      case .vector(let value): total += Double(self[value].length)
      case .outer(let rows, let columns):
        total += 2 * Double(self[rows].length * self[columns].length)
      }
    }
    return total
  }

  private func count(_ instruction: Instruction) -> Double {
    let n = Double(instruction.length)
    switch instruction.operation {
    case .input, .constant, .shared, .concatenate, .slice, .broadcast, .select: return 0
    case .normal: return 50 * n
    case .unary, .binary: return n
    case .sum(let a): return Double(self[a].length)
    case .dot(let a, _): return 2 * Double(self[a].length)
    case .affine(let weights, _, _), .transposedProduct(let weights, _):
      return 2 * Double(weights.rows * weights.columns)
    case .matrixVector(_, let a), .transposedMatrixVector(_, let a):
      return 2 * n * Double(self[a].length)
    case .apply(let function, let x):
      let hasJacobian = instructions.contains { $0.operation == .jacobian(function, x) }
      return function.operationCount(jacobian: hasJacobian)
    case .jacobian(let function, let x):
      let hasValue = instructions.contains { $0.operation == .apply(function, x) }
      return hasValue ? 0 : function.operationCount(jacobian: true)
    }
  }
}

extension LocalFunction {
  /// Operations of one value, and of its Jacobian with it.
  func operationCount(jacobian: Bool) -> Double {
    func points(_ dimensions: Int) -> Double { Double(1 << (2 * dimensions)) }
    switch self {
    case .interpolation(let f):
      let values = jacobian ? Double(1 + f.dimensions) : 1
      return 2 * points(f.dimensions) * Double(f.outputs) * values
    case .gridVariance(let f):
      let values = jacobian ? Double(1 + f.dimensions) : 1
      return 2 * points(f.dimensions) * Double(f.rank) * values
    case .weightedSum(let f):
      let rows = Double(f.rows.rows)
      let half = f.squaredIsUpperTriangular ? 0.5 : 1
      let squared = f.squared.map { 2 * rows * Double($0.columns) * half } ?? 0
      let value = rows * (f.summand.operationCount + 2 * Double(f.weights.columns)) + squared
      if !jacobian { return value }
      let slopes = f.summandGradient.operationCount
      return value + squared
        + rows
        * (slopes + 2 * Double(f.dimensions * (f.weights.columns + (f.squared == nil ? 0 : 1))))
    }
  }
}

extension RolloutProgram {
  /// Operations of one particle in one step: forward alone, and forward with adjoint. Running steps again
  /// for want of memory is not counted.
  package var operationsPerStep: (forward: Double, gradient: Double) {
    let taped = taped(.expensiveValues)
    return (step.operationCount, taped.forward.operationCount + taped.adjoint.operationCount)
  }
}
