// SPDX-License-Identifier: Apache-2.0
// Programs: a small closed differentiable language for what one particle does in one time step.
// In: Swift closures over `Value`s (ProgramBuilder.swift). Out: a `Program`, straight-line SSA over
// vectors whose lengths are known, and from it its tangent, its adjoint, its text, its numbers.
// Per particle: inputs and normal draws. Shared by all particles: named arrays (parameters, tables).
// Knows nothing of Gaussian processes, policies or time loops. Lengths count scalars; no units here.

/// Index of an instruction; its result is a vector per particle.
package struct ValueID: Hashable, Sendable, Comparable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
  package static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// A contiguous run of a shared array.
package struct SharedSlice: Hashable, Sendable {
  /// Name of the shared array, a key of `Program.shared`.
  package let array: String
  package let offset: Int
  package init(array: String, offset: Int) {
    self.array = array
    self.offset = offset
  }
}

/// A row-major matrix [rows, columns] inside a shared array.
package struct SharedMatrix: Hashable, Sendable {
  package let array: String
  package let offset: Int
  package let rows: Int
  package let columns: Int
  package init(array: String, offset: Int = 0, rows: Int, columns: Int) {
    self.array = array
    self.offset = offset
    self.rows = rows
    self.columns = columns
  }
}

/// One SSA instruction: an operation and the length of its result.
package struct Instruction: Hashable, Sendable {
  package let operation: Operation
  package let length: Int
  /// A word for readers of the printed program and of the emitted text; never affects the result.
  package var name: String?

  package init(operation: Operation, length: Int, name: String? = nil) {
    self.operation = operation
    self.length = length
    self.name = name
  }
}

/// A contribution of one particle to the adjoint of a shared array, summed over particles and steps.
package struct Accumulation: Hashable, Sendable {
  package enum Term: Hashable, Sendable {
    /// adj[offset + i] += value[i]
    case vector(ValueID)
    /// adj[offset + i * columns.length + j] += rows[i] * columns[j]
    case outer(rows: ValueID, columns: ValueID)
  }
  package let target: SharedSlice
  package let term: Term
}

/// A straight-line program for one particle.
package struct Program: Hashable, Sendable {
  package var instructions: [Instruction] = []
  /// Length of each per-particle input, by name.
  package var inputs: [String: Int] = [:]
  /// Count of scalars of each shared array, by name.
  package var shared: [String: Int] = [:]
  /// Results in their order.
  package var outputs: [Output] = []
  /// Additions to adjoints of shared arrays, in their order (adjoint programs only).
  package var accumulations: [Accumulation] = []

  package struct Output: Hashable, Sendable {
    package let name: String
    package let value: ValueID
  }

  package init() {}

  package subscript(_ id: ValueID) -> Instruction { instructions[id.index] }

  /// The value of the output called `name`; a caller's bug if there is none.
  package func output(_ name: String) -> ValueID {
    guard let found = outputs.first(where: { $0.name == name }) else {
      preconditionFailure("no output '\(name)' among \(outputs.map(\.name))")
    }
    return found.value
  }

  /// The same program without the instructions on which neither an output nor an accumulation
  /// depends. Linear in the number of instructions.
  package func removingDeadCode() -> Program {
    var live = [Bool](repeating: false, count: instructions.count)
    for output in outputs { live[output.value.index] = true }
    for accumulation in accumulations {
      for id in accumulation.term.operands { live[id.index] = true }
    }
    for index in instructions.indices.reversed() where live[index] {
      for operand in instructions[index].operation.operands { live[operand.index] = true }
    }
    var result = self
    result.instructions = []
    var renamed = [ValueID](repeating: ValueID(-1), count: instructions.count)
    for index in instructions.indices where live[index] {
      renamed[index] = ValueID(result.instructions.count)
      var instruction = instructions[index]
      instruction = Instruction(
        operation: instruction.operation.mapOperands { renamed[$0.index] },
        length: instruction.length, name: instruction.name)
      result.instructions.append(instruction)
    }
    result.outputs = outputs.map { Output(name: $0.name, value: renamed[$0.value.index]) }
    result.accumulations = accumulations.map {
      Accumulation(target: $0.target, term: $0.term.mapOperands { renamed[$0.index] })
    }
    return result
  }
}

extension Accumulation.Term {
  var operands: [ValueID] {
    switch self {
    case .vector(let value): [value]
    case .outer(let rows, let columns): [rows, columns]
    }
  }

  func mapOperands(_ map: (ValueID) -> ValueID) -> Accumulation.Term {
    switch self {
    case .vector(let value): .vector(map(value))
    case .outer(let rows, let columns): .outer(rows: map(rows), columns: map(columns))
    }
  }
}
