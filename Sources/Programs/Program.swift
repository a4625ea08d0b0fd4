// SPDX-License-Identifier: Apache-2.0
// Programs: a small closed differentiable language for what one particle does in one time step.
// In: Swift closures over `Value`s (ProgramBuilder.swift). Out: a `Program`, straight-line SSA over
// vectors whose lengths are known, and from it its tangent, its adjoint, its text, its numbers.
// Per particle: inputs and normal draws. Shared by all particles: named arrays (parameters, tables).
// Knows nothing of Gaussian processes, policies or time loops. Lengths count scalars; no units here.

/// Index of an instruction; its result is a vector per particle.
public struct ValueID: Hashable, Sendable, Comparable {
  public let index: Int
  public init(_ index: Int) { self.index = index }
  public static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// A contiguous run of a shared array.
public struct SharedSlice: Hashable, Sendable {
  /// Name of the shared array, a key of `Program.shared`.
  public let array: String
  public let offset: Int
  public init(array: String, offset: Int) {
    self.array = array
    self.offset = offset
  }
}

/// A row-major matrix [rows, columns] inside a shared array.
public struct SharedMatrix: Hashable, Sendable {
  public let array: String
  public let offset: Int
  public let rows: Int
  public let columns: Int
  public init(array: String, offset: Int = 0, rows: Int, columns: Int) {
    self.array = array
    self.offset = offset
    self.rows = rows
    self.columns = columns
  }
}

/// One SSA instruction: an operation and the length of its result.
public struct Instruction: Hashable, Sendable {
  public let operation: Operation
  public let length: Int
  /// A word for readers of the printed program and of the emitted text; never affects the result.
  public var name: String?

  public init(operation: Operation, length: Int, name: String? = nil) {
    self.operation = operation
    self.length = length
    self.name = name
  }
}

/// A contribution of one particle to the adjoint of a shared array, summed over particles and steps.
public struct Accumulation: Hashable, Sendable {
  public enum Term: Hashable, Sendable {
    /// adj[offset + i] += value[i]
    case vector(ValueID)
    /// adj[offset + i * columns.length + j] += rows[i] * columns[j]
    case outer(rows: ValueID, columns: ValueID)
  }
  public let target: SharedSlice
  public let term: Term
}

/// A straight-line program for one particle.
public struct Program: Hashable, Sendable {
  public var instructions: [Instruction] = []
  /// Length of each per-particle input, by name.
  public var inputs: [String: Int] = [:]
  /// Count of scalars of each shared array, by name.
  public var shared: [String: Int] = [:]
  /// Results in their order.
  public var outputs: [Output] = []
  /// Additions to adjoints of shared arrays, in their order (adjoint programs only).
  public var accumulations: [Accumulation] = []

  public struct Output: Hashable, Sendable {
    public let name: String
    public let value: ValueID
  }

  public init() {}

  public subscript(_ id: ValueID) -> Instruction { instructions[id.index] }

  /// The value of the output called `name`; a caller's bug if there is none.
  public func output(_ name: String) -> ValueID {
    guard let found = outputs.first(where: { $0.name == name }) else {
      preconditionFailure("no output '\(name)' among \(outputs.map(\.name))")
    }
    return found.value
  }

  /// The same program without the instructions on which neither an output nor an accumulation
  /// depends. Linear in the number of instructions.
  public func removingDeadCode() -> Program {
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
