// SPDX-License-Identifier: Apache-2.0
// What the forward loop keeps of a step for the reverse loop. Either nothing but the states (each
// step is then recomputed), or also the results that are expensive to recompute: activations, draws and
// Jacobians of local functions. In: a program. Out: the pair of programs that agree on the tape.

/// What is kept of each step.
package enum TapePolicy: Hashable, Sendable {
  /// Only the step's inputs; the adjoint program recomputes the rest.
  case inputsOnly
  /// Also every value that an adjoint rule reads and that is not cheap to recompute.
  case expensiveValues
}

/// A program that stores and the adjoint program that reads what was stored.
package struct TapedProgram: Hashable, Sendable {
  /// The original program, with outputs "stored_..." added.
  package let forward: Program
  /// Inputs: those of the original, "stored_..." and "adj_OUTPUT". Outputs: "adj_INPUT".
  package let adjoint: Program
  /// Names of the stored values, in tape order; their lengths are those of `adjoint.inputs`.
  package let stored: [String]
}

extension Program {
  /// This program and its adjoint, agreeing on what is stored between them.
  package func taped(
    _ policy: TapePolicy, withRespectTo inputs: Set<String>, sharedArrays: Set<String>
  ) -> TapedProgram {
    let primal = withJacobians()
    let transform = AdjointTransform(primal, inputs: inputs, sharedArrays: sharedArrays)
    let ids: [ValueID]
    switch policy {
    case .inputsOnly: ids = []
    case .expensiveValues: ids = transform.valuesWorthStoring()
    }
    var forward = primal
    let names = ids.map { "stored_\($0.index)" }
    for (id, name) in zip(ids, names) {
      forward.outputs.append(Output(name: name, value: id))
    }
    let adjoint = transform.build(storing: Set(ids))
    return TapedProgram(
      forward: forward.removingDeadCode(), adjoint: adjoint,
      stored: names.filter { adjoint.inputs[$0] != nil })
  }

  /// The same program with the Jacobian of every local function computed beside its value, so that
  /// it can be stored. (Dead code until it is.)
  private func withJacobians() -> Program {
    let builder = ProgramBuilder()
    var values: [Value] = []
    builder.declareShared(of: self)
    for instruction in instructions {
      if case .input(let name) = instruction.operation {
        builder.declareInput(name, length: instruction.length)
      }
      let operation = instruction.operation.mapOperands { values[$0.index].id }
      values.append(
        builder.append(operation, length: instruction.length, name: instruction.name))
      if case .apply(let function, let x) = operation {
        _ = builder.append(
          .jacobian(function, x), length: function.outputs * function.inputs, name: "Jacobian")
      }
    }
    for output in outputs { builder.output(output.name, values[output.value.index]) }
    return builder.program
  }
}
