// SPDX-License-Identifier: Apache-2.0
// Forward-mode derivative: a program -> the program of its directional derivative.
// In: inputs x and xdot ("tangent_x"), shared arrays p and pdot ("tangent_p").
// Out: each output's tangent. Used to check the adjoint: <w, J v> = <J^T w, v>.

extension Program {
  /// The tangent program: outputs "tangent_NAME" for each output NAME.
  ///
  /// Adds inputs "tangent_NAME" for each name in `inputs` and shared arrays "tangent_NAME" for each
  /// in `sharedArrays`; everything else is constant.
  package func tangent(
    withRespectTo names: Set<String>, sharedArrays: Set<String> = []
  ) -> Program {
    let builder = ProgramBuilder()
    let primal = builder.inline(self, inputs: [:])
    var tangents: [Value?] = []
    for (index, instruction) in instructions.enumerated() {
      tangents.append(
        TangentRule(
          builder: builder, result: primal[index], primal: { primal[$0.index] },
          tangent: { tangents[$0.index] }, names: names, sharedArrays: sharedArrays
        ).apply(instruction))
    }
    for output in outputs {
      let zero = builder.zeros(self[output.value].length)
      builder.output("tangent_" + output.name, tangents[output.value.index] ?? zero)
    }
    return builder.finish()
  }
}

/// One rule an operation; nil stands for a tangent that is identically zero.
private struct TangentRule {
  let builder: ProgramBuilder
  let result: Value
  let primal: (ValueID) -> Value
  let tangent: (ValueID) -> Value?
  let names: Set<String>
  let sharedArrays: Set<String>

  func apply(_ instruction: Instruction) -> Value? {
    let y = result
    switch instruction.operation {
    case .input(let name):
      return names.contains(name)
        ? builder.input("tangent_" + name, length: instruction.length) : nil
    case .constant, .normal: return nil
    case .shared(let slice):
      guard sharedArrays.contains(slice.array) else { return nil }
      return builder.shared(
        "tangent_" + slice.array, offset: slice.offset, length: instruction.length)
    case .unary(let function, let a):
      return tangent(a).map { function.row.derivative($0, primal(a), y) }
    case .binary(let function, let a, let b):
      let (first, second) = function.row.partials
      return plus(
        tangent(a).map { first($0, primal(a), primal(b), y) },
        tangent(b).map { second($0, primal(a), primal(b), y) })
    case .select(let condition, let a, let b): return choose(primal(condition), a, b)
    case .concatenate(let parts):
      guard parts.contains(where: { tangent($0) != nil }) else { return nil }
      return builder.concatenate(parts.map { tangent($0) ?? builder.zeros(primal($0).length) })
    case .slice(let a, let start):
      return tangent(a).map { $0[start..<start + instruction.length] }
    case .broadcast(let a): return tangent(a).map { $0.broadcast(to: instruction.length) }
    case .sum(let a): return tangent(a).map(\.sum)
    case .dot(let a, let b):
      return plus(tangent(a).map { dot($0, primal(b)) }, tangent(b).map { dot(primal(a), $0) })
    case .affine(let weights, let bias, let a):  // W adot + Wdot a + bdot
      var perturbed: Value?
      if sharedArrays.contains(weights.array) {
        perturbed = builder.affine(weights.inTangentArray, bias: nil, primal(a))
      }
      if let bias, sharedArrays.contains(bias.array) {
        let moved = bias.inTangentArray
        perturbed = plus(
          perturbed, builder.shared(moved.array, offset: moved.offset, length: weights.rows))
      }
      return plus(tangent(a).map { builder.affine(weights, bias: nil, $0) }, perturbed)
    case .transposedProduct(let weights, let a):
      precondition(
        !sharedArrays.contains(weights.array),
        "tangent of W^T y with respect to W is not provided: it occurs in adjoint programs only")
      return tangent(a).map {
        builder.append(.transposedProduct(weights: weights, $0.id), length: weights.columns)
      }
    case .matrixVector(let m, let a):
      return bilinear(m, a) {
        builder.append(.matrixVector($0, $1), length: instruction.length)
      }
    case .transposedMatrixVector(let m, let a):
      return bilinear(m, a) {
        builder.append(.transposedMatrixVector($0, $1), length: instruction.length)
      }
    case .apply(let function, let a):  // J(a) adot
      return tangent(a).map {
        let jacobian = builder.append(
          .jacobian(function, primal(a).id), length: function.outputs * function.inputs)
        return builder.append(.matrixVector(jacobian.id, $0.id), length: function.outputs)
      }
    case .jacobian:
      preconditionFailure("second derivatives of a local function are not provided")
    }
  }

  private func plus(_ a: Value?, _ b: Value?) -> Value? {
    guard let a else { return b }
    guard let b else { return a }
    return a + b
  }

  private func choose(_ condition: Value, _ a: ValueID, _ b: ValueID) -> Value? {
    if tangent(a) == nil && tangent(b) == nil { return nil }
    let length = primal(a).length
    return select(
      condition, tangent(a) ?? builder.zeros(length), tangent(b) ?? builder.zeros(length))
  }

  private func bilinear(
    _ m: ValueID, _ a: ValueID, _ product: (ValueID, ValueID) -> Value
  ) -> Value? {
    plus(
      tangent(m).map { product($0.id, primal(a).id) },
      tangent(a).map { product(primal(m).id, $0.id) })
  }
}

extension SharedMatrix {
  var inTangentArray: SharedMatrix {
    SharedMatrix(array: "tangent_" + array, offset: offset, rows: rows, columns: columns)
  }
}

extension SharedSlice {
  var inTangentArray: SharedSlice { SharedSlice(array: "tangent_" + array, offset: offset) }
}
