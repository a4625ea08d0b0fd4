// SPDX-License-Identifier: Apache-2.0
// Reverse-mode derivative: a program -> its adjoint program (J^T applied to output adjoints).
// In: the original inputs and "adj_OUTPUT". Out: "adj_INPUT", and accumulations into the adjoints of
// shared arrays. One rule an operation, its formula beside it; ybar is the result's adjoint.

extension Program {
  /// The adjoint program with respect to the named inputs and shared arrays; recomputes all primal
  /// values it needs. An input on which no output depends gets an adjoint of zeros.
  package func adjoint(
    withRespectTo inputs: Set<String>, sharedArrays: Set<String> = []
  ) -> Program {
    AdjointTransform(self, inputs: inputs, sharedArrays: sharedArrays).build(storing: [])
  }
}

/// Builds adjoint programs of one primal program.
struct AdjointTransform {
  let primal: Program
  let inputs: Set<String>
  let sharedArrays: Set<String>
  /// Whether each instruction depends on something differentiated.
  private var active: [Bool] = []

  init(_ primal: Program, inputs: Set<String>, sharedArrays: Set<String>) {
    self.primal = primal
    self.inputs = inputs
    self.sharedArrays = sharedArrays
    for instruction in primal.instructions {
      active.append(isActive(instruction.operation))
    }
  }

  private func isActive(_ operation: Operation) -> Bool {
    switch operation {
    case .input(let name): return inputs.contains(name)
    case .shared(let slice): return sharedArrays.contains(slice.array)
    case .constant, .normal: return false
    case .affine(let weights, let bias, let a):
      return active[a.index] || sharedArrays.contains(weights.array)
        || bias.map { sharedArrays.contains($0.array) } ?? false
    case .transposedProduct(let weights, let a):
      return active[a.index] || sharedArrays.contains(weights.array)
    case .unary, .binary, .select, .concatenate, .slice, .broadcast, .sum, .dot, .matrixVector,
      .transposedMatrixVector, .apply, .jacobian:
      return operation.operands.contains { active[$0.index] }
    }
  }

  /// The adjoint program in which the primal values `stored` are inputs "stored_INDEX".
  func build(storing stored: Set<ValueID>) -> Program {
    builder(storing: stored).builder.finish()
  }

  /// Primal values that the adjoint rules read, and that are not cheap to recompute from inputs and
  /// from each other.
  func valuesWorthStoring() -> [ValueID] {
    let (builder, values) = builder(storing: [])
    let primalIDs = Set(values.map(\.id))
    var read: Set<ValueID> = []
    for (index, instruction) in builder.program.instructions.enumerated()
    where !primalIDs.contains(ValueID(index)) {
      read.formUnion(instruction.operation.operands)
    }
    for accumulation in builder.program.accumulations {
      read.formUnion(accumulation.term.operands)
    }
    var stored: [ValueID] = []
    var available = [Bool](repeating: false, count: primal.instructions.count)
    for (index, instruction) in primal.instructions.enumerated() {
      let operation = instruction.operation
      available[index] = operation.isCheap && operation.operands.allSatisfy { available[$0.index] }
      if !available[index] && read.contains(values[index].id) {
        stored.append(ValueID(index))
        available[index] = true
      }
    }
    return stored
  }

  private func builder(storing stored: Set<ValueID>) -> (
    builder: ProgramBuilder, values: [Value]
  ) {
    let builder = ProgramBuilder()
    builder.declareShared(of: primal)
    var values: [Value] = []
    for (index, instruction) in primal.instructions.enumerated() {
      let operation = instruction.operation.mapOperands { values[$0.index].id }
      if stored.contains(ValueID(index)) {
        let value = builder.input("stored_\(index)", length: instruction.length)
        // Rules that ask for the same operation get what is stored, not a second computation.
        builder.register(operation, as: value)
        values.append(value)
        continue
      }
      if case .input(let name) = instruction.operation {
        builder.declareInput(name, length: instruction.length)
      }
      values.append(
        builder.append(operation, length: instruction.length, name: instruction.name))
    }
    let reverse = ReverseSweep(
      builder: builder, values: values, active: active, sharedArrays: sharedArrays)
    for output in primal.outputs where active[output.value.index] {
      let seed = builder.input("adj_" + output.name, length: primal[output.value].length)
      reverse.add(seed, to: output.value)
    }
    for index in primal.instructions.indices.reversed() where active[index] {
      guard let ybar = reverse.adjoints[index] else { continue }
      reverse.propagate(ybar, through: primal.instructions[index], result: values[index])
    }
    outputAdjoints(reverse, builder)
    return (builder, values)
  }

  private func outputAdjoints(_ reverse: ReverseSweep, _ builder: ProgramBuilder) {
    for (index, instruction) in primal.instructions.enumerated() {
      guard case .input(let name) = instruction.operation, inputs.contains(name) else { continue }
      let zeros = builder.zeros(instruction.length)
      builder.output("adj_" + name, reverse.adjoints[index] ?? zeros)
    }
  }
}

/// The reverse sweep: adjoints found so far, and the rule of each operation.
private final class ReverseSweep {
  let builder: ProgramBuilder
  let values: [Value]
  let active: [Bool]
  let sharedArrays: Set<String>
  var adjoints: [Value?]

  init(builder: ProgramBuilder, values: [Value], active: [Bool], sharedArrays: Set<String>) {
    self.builder = builder
    self.values = values
    self.active = active
    self.sharedArrays = sharedArrays
    adjoints = Array(repeating: nil, count: values.count)
  }

  func add(_ contribution: @autoclosure () -> Value, to id: ValueID) {
    guard active[id.index] else { return }
    let term = contribution()
    adjoints[id.index] = adjoints[id.index].map { $0 + term } ?? term
  }

  func propagate(_ ybar: Value, through instruction: Instruction, result y: Value) {
    func x(_ id: ValueID) -> Value { values[id.index] }
    switch instruction.operation {
    case .input, .constant, .normal:
      break
    case .shared(let slice):  // pbar += ybar
      accumulate(.vector(ybar.id), slice)
    case .unary(let function, let a):  // abar += f'(a) ybar
      add(function.row.derivative(ybar, x(a), y), to: a)
    case .binary(let function, let a, let b):  // abar += df/da ybar, bbar += df/db ybar
      let (first, second) = function.row.partials
      add(first(ybar, x(a), x(b), y), to: a)
      add(second(ybar, x(a), x(b), y), to: b)
    case .select(let condition, let a, let b):
      choose(ybar, x(condition), a, b)
    case .concatenate(let parts):
      var start = 0
      for part in parts {
        let end = start + x(part).length
        add(ybar[start..<end], to: part)
        start = end
      }
    case .slice(let a, let start):
      let after = x(a).length - start - ybar.length
      let parts = [
        start > 0 ? builder.zeros(start) : nil, ybar, after > 0 ? builder.zeros(after) : nil,
      ]
      add(builder.concatenate(parts.compactMap { $0 }), to: a)
    case .broadcast(let a): add(ybar.sum, to: a)
    case .sum(let a): add(ybar.broadcast(to: x(a).length), to: a)
    case .dot(let a, let b):
      add(ybar * x(b), to: a)
      add(ybar * x(a), to: b)
    case .affine(let weights, let bias, let a):  // Wbar += ybar a^T, bbar += ybar, abar += W^T ybar
      if sharedArrays.contains(weights.array) {
        accumulate(.outer(rows: ybar.id, columns: x(a).id), weights.start)
      }
      if let bias, sharedArrays.contains(bias.array) { accumulate(.vector(ybar.id), bias) }
      add(
        builder.append(.transposedProduct(weights: weights, ybar.id), length: weights.columns),
        to: a)
    case .transposedProduct(let weights, let a):  // y = W^T a: Wbar += a ybar^T, abar += W ybar
      if sharedArrays.contains(weights.array) {
        accumulate(.outer(rows: x(a).id, columns: ybar.id), weights.start)
      }
      add(builder.affine(weights, bias: nil, ybar), to: a)
    case .matrixVector(let m, let a):  // Mbar += ybar a^T, abar += M^T ybar
      add(outer(ybar, x(a)), to: m)
      add(
        builder.append(.transposedMatrixVector(x(m).id, ybar.id), length: x(a).length), to: a)
    case .transposedMatrixVector(let m, let a):  // Mbar += a ybar^T, abar += M ybar
      add(outer(x(a), ybar), to: m)
      add(builder.append(.matrixVector(x(m).id, ybar.id), length: x(a).length), to: a)
    case .apply(let function, let a):  // abar += J(a)^T ybar
      let jacobian = builder.append(
        .jacobian(function, x(a).id), length: function.outputs * function.inputs)
      add(
        builder.append(.transposedMatrixVector(jacobian.id, ybar.id), length: function.inputs),
        to: a)
    case .jacobian:
      preconditionFailure("second derivatives of a local function are not provided")
    }
  }

  private func choose(_ ybar: Value, _ condition: Value, _ a: ValueID, _ b: ValueID) {
    let zeros = builder.zeros(ybar.length)
    add(select(condition, ybar, zeros), to: a)
    add(select(condition, zeros, ybar), to: b)
  }

  private func outer(_ a: Value, _ b: Value) -> Value {
    builder.concatenate((0..<a.length).map { a[$0].broadcast(to: b.length) * b })
  }

  private func accumulate(_ term: Accumulation.Term, _ target: SharedSlice) {
    builder.accumulate(Accumulation(target: target, term: term))
  }
}

extension SharedMatrix {
  var start: SharedSlice { SharedSlice(array: array, offset: offset) }
}
