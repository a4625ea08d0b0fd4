// SPDX-License-Identifier: Apache-2.0
// Ordinary Swift over `Value`s writes a program: operators append instructions, equal instructions
// are shared (hash-consing), scalars are broadcast. In: closures. Out: a verified `Program`.

/// Collects instructions. Not for use from several threads.
package final class ProgramBuilder {
  private(set) var program = Program()
  private var known: [Key: ValueID] = [:]

  private struct Key: Hashable {
    let operation: Operation
    let length: Int
  }

  package init() {}

  /// A per-particle input vector.
  package func input(_ name: String, length: Int) -> Value {
    precondition(
      program.inputs[name] == nil || program.inputs[name] == length,
      "input '\(name)' has length \(program.inputs[name] ?? 0), not \(length)")
    program.inputs[name] = length
    return append(.input(name), length: length, name: name)
  }

  /// Declares a shared array of `count` scalars (a second declaration may only enlarge it).
  package func declareShared(_ name: String, count: Int) {
    program.shared[name] = max(program.shared[name] ?? 0, count)
  }

  /// `length` scalars of a shared array as a value, the same for every particle.
  package func shared(_ array: String, offset: Int = 0, length: Int) -> Value {
    declareShared(array, count: offset + length)
    return append(.shared(SharedSlice(array: array, offset: offset)), length: length, name: array)
  }

  package func constant(_ values: [Double]) -> Value {
    append(.constant(values), length: values.count)
  }

  package func zeros(_ count: Int) -> Value { constant(Array(repeating: 0, count: count)) }

  /// Standard normal draws of dimensions first ..< first + length of this particle and step.
  package func normal(first: Int = 0, length: Int) -> Value {
    append(.normal(first: first), length: length, name: "draw")
  }

  /// W x + b. `weights` and `bias` are row-major in shared arrays.
  package func affine(_ weights: SharedMatrix, bias: SharedSlice?, _ x: Value) -> Value {
    declare(weights)
    if let bias { declareShared(bias.array, count: bias.offset + weights.rows) }
    return append(.affine(weights: weights, bias: bias, x.id), length: weights.rows)
  }

  /// f(x) for a function with shared data.
  package func apply(_ function: LocalFunction, _ x: Value) -> Value {
    declareData(of: function)
    return append(.apply(function, x.id), length: function.outputs)
  }

  package func concatenate(_ parts: [Value]) -> Value {
    if parts.count == 1 { return parts[0] }
    return append(
      .concatenate(parts.map(\.id)), length: parts.reduce(0) { $0 + $1.length })
  }

  /// Declares `value` a result called `name`.
  package func output(_ name: String, _ value: Value) {
    program.outputs.append(.init(name: name, value: value.id))
  }

  func accumulate(_ accumulation: Accumulation) { program.accumulations.append(accumulation) }

  /// The program without dead code. A malformed one is a caller's bug.
  package func finish() -> Program {
    let result = program.removingDeadCode()
    if let problem = result.firstProblem() { preconditionFailure("malformed program: \(problem)") }
    return result
  }

  /// Appends one instruction, or returns the equal one that is already there.
  func append(_ operation: Operation, length: Int, name: String? = nil) -> Value {
    let key = Key(operation: operation, length: length)
    if let id = known[key] { return Value(builder: self, id: id, length: length) }
    let id = ValueID(program.instructions.count)
    program.instructions.append(Instruction(operation: operation, length: length, name: name))
    known[key] = id
    return Value(builder: self, id: id, length: length)
  }

  /// From now on `operation` means `value`, which is known to be its result.
  func register(_ operation: Operation, as value: Value) {
    known[Key(operation: operation, length: value.length)] = value.id
  }

  func setName(_ id: ValueID, _ name: String) { program.instructions[id.index].name = name }

  /// Copies the declarations of another program's shared arrays.
  func declareShared(of other: Program) {
    for (name, count) in other.shared { declareShared(name, count: count) }
  }

  func declareInput(_ name: String, length: Int) { program.inputs[name] = length }

  private func declare(_ matrix: SharedMatrix) {
    declareShared(matrix.array, count: matrix.offset + matrix.rows * matrix.columns)
  }

  private func declareData(of function: LocalFunction) {
    switch function {
    case .interpolation(let f):
      // The table's size is data: the geometry says how much of it is read.
      declareShared(f.table, count: 0)
      declareShared(f.geometry, count: 3 * f.dimensions)
    case .gridVariance(let f):
      declareShared(f.root, count: 0)
      declareShared(f.toeplitz, count: 4 * f.dimensions)
      declareShared(f.geometry, count: 3 * f.dimensions)
    case .weightedSum(let f):
      for matrix in [f.rows, f.weights] + (f.squared.map { [$0] } ?? []) { declare(matrix) }
      declareShared(of: f.summand)
    }
  }

  /// The outputs of `other` at the given inputs, by name.
  package func call(_ other: Program, inputs: [String: Value]) -> [String: Value] {
    let values = inline(other, inputs: inputs)
    return Dictionary(
      uniqueKeysWithValues: other.outputs.map { ($0.name, values[$0.value.index]) })
  }

  /// Inlines `other`: its inputs become the given values. Returns the new value of each of its
  /// instructions.
  func inline(_ other: Program, inputs: [String: Value]) -> [Value] {
    declareShared(of: other)
    var values: [Value] = []
    for instruction in other.instructions {
      if case .input(let name) = instruction.operation, let given = inputs[name] {
        values.append(given)
      } else {
        if case .input(let name) = instruction.operation {
          declareInput(name, length: instruction.length)
        }
        values.append(
          append(
            instruction.operation.mapOperands { values[$0.index].id }, length: instruction.length,
            name: instruction.name))
      }
    }
    return values
  }
}

/// A vector per particle inside a program under construction.
public struct Value {
  package let builder: ProgramBuilder
  package let id: ValueID
  package let length: Int

  /// Element i as a scalar value.
  public subscript(_ i: Int) -> Value { self[i..<i + 1] }

  package subscript(_ range: Range<Int>) -> Value {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= length,
      "slice \(range) of a value of length \(length)")
    if range == 0..<length { return self }
    return builder.append(.slice(id, start: range.lowerBound), length: range.count)
  }

  /// Gives the value a name for readers of the program and the kernel.
  @discardableResult package func named(_ name: String) -> Value {
    builder.setName(id, name)
    return self
  }

  package func broadcast(to count: Int) -> Value {
    if length == count { return self }
    precondition(length == 1, "only a scalar can be broadcast, not length \(length) to \(count)")
    return builder.append(.broadcast(id), length: count)
  }

  package var sum: Value { length == 1 ? self : builder.append(.sum(id), length: 1) }
}

// MARK: Arithmetic with numbers, which are constants

extension Value {
  package static func + (a: Value, b: Double) -> Value { a + a.builder.constant([b]) }
  package static func - (a: Value, b: Double) -> Value { a - a.builder.constant([b]) }
  package static func * (a: Value, b: Double) -> Value { a * a.builder.constant([b]) }
  package static func / (a: Value, b: Double) -> Value { a * (1 / b) }
  package static func + (a: Double, b: Value) -> Value { b.builder.constant([a]) + b }
  package static func - (a: Double, b: Value) -> Value { b.builder.constant([a]) - b }
  package static func * (a: Double, b: Value) -> Value { b.builder.constant([a]) * b }

  /// factor * self; nothing is computed for 1.
  package func scaled(by factor: Double) -> Value { factor == 1 ? self : factor * self }
  package static func / (a: Double, b: Value) -> Value { b.builder.constant([a]) / b }

  /// min(max(self, lower), upper); the adjoint is zero where a bound holds.
  package func clamped(lower: Value, upper: Value) -> Value { minimum(maximum(self, lower), upper) }
}

/// sum_i a_i b_i
package func dot(_ a: Value, _ b: Value) -> Value {
  precondition(a.length == b.length, "dot of lengths \(a.length) and \(b.length)")
  return a.builder.append(.dot(a.id, b.id), length: 1)
}

/// condition[i] >= 0 ? a[i] : b[i]
package func select(_ condition: Value, _ a: Value, _ b: Value) -> Value {
  let count = max(condition.length, a.length, b.length)
  return a.builder.append(
    .select(
      condition: condition.broadcast(to: count).id, a.broadcast(to: count).id,
      b.broadcast(to: count).id),
    length: count)
}
