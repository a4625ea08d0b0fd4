// SPDX-License-Identifier: Apache-2.0
// The closed set of operations. Every switch over it names all cases (no `default:`), so that a new operation is a list of
// compile errors: verifier, printer, interpreter, tangent, adjoint, tape, C. Functions of one or two numbers are two of its
// cases; they are rows of a table (ElementwiseFunctions.swift).

/// What an instruction computes. Elementwise operations need equal lengths; `broadcast` makes them.
package enum Operation: Hashable, Sendable {
  // Leaves
  /// The per-particle input of this name.
  case input(String)
  case constant([Double])
  /// A run of a shared array, the same for every particle.
  case shared(SharedSlice)
  /// Standard normal draws of this particle and step, dimensions first, first + 1, ... (Philox).
  case normal(first: Int)

  // Elementwise
  case unary(UnaryFunction, ValueID)
  case binary(BinaryFunction, ValueID, ValueID)
  /// condition[i] >= 0 ? first[i] : second[i]
  case select(condition: ValueID, ValueID, ValueID)

  // Shape and reduction
  case concatenate([ValueID])
  /// Elements start, start + 1, ... of the operand.
  case slice(ValueID, start: Int)
  /// A scalar repeated to the instruction's length.
  case broadcast(ValueID)
  case sum(ValueID)
  case dot(ValueID, ValueID)

  // Matrices
  /// W x + b with W, b shared.
  case affine(weights: SharedMatrix, bias: SharedSlice?, ValueID)
  /// W^T y with W shared.
  case transposedProduct(weights: SharedMatrix, ValueID)
  /// M x with M [length, x.length] row-major, one per particle.
  case matrixVector(ValueID, ValueID)
  /// M^T y with M [y.length, length] row-major, one per particle.
  case transposedMatrixVector(ValueID, ValueID)

  // Functions of few inputs and few outputs with large shared data behind them
  /// f(x), length f.outputs.
  case apply(LocalFunction, ValueID)
  /// Jacobian of f at x, row-major [f.outputs, f.inputs].
  case jacobian(LocalFunction, ValueID)
}

extension Operation {
  /// The values read, in order.
  package var operands: [ValueID] {
    switch self {
    case .input, .constant, .shared, .normal: []
    case .binary(_, let a, let b), .dot(let a, let b), .matrixVector(let a, let b),
      .transposedMatrixVector(let a, let b):
      [a, b]
    case .unary(_, let a), .slice(let a, _), .broadcast(let a), .sum(let a), .affine(_, _, let a),
      .transposedProduct(_, let a), .apply(_, let a), .jacobian(_, let a):
      [a]
    case .select(let condition, let a, let b): [condition, a, b]
    case .concatenate(let parts): parts
    }
  }

  /// The same operation on other values.
  package func mapOperands(_ map: (ValueID) -> ValueID) -> Operation {
    switch self {
    case .input, .constant, .shared, .normal: self
    case .unary(let function, let a): .unary(function, map(a))
    case .binary(let function, let a, let b): .binary(function, map(a), map(b))
    case .select(let condition, let a, let b): .select(condition: map(condition), map(a), map(b))
    case .concatenate(let parts): .concatenate(parts.map(map))
    case .slice(let a, let start): .slice(map(a), start: start)
    case .broadcast(let a): .broadcast(map(a))
    case .sum(let a): .sum(map(a))
    case .dot(let a, let b): .dot(map(a), map(b))
    case .affine(let weights, let bias, let a): .affine(weights: weights, bias: bias, map(a))
    case .transposedProduct(let weights, let a): .transposedProduct(weights: weights, map(a))
    case .matrixVector(let a, let b): .matrixVector(map(a), map(b))
    case .transposedMatrixVector(let a, let b): .transposedMatrixVector(map(a), map(b))
    case .apply(let function, let a): .apply(function, map(a))
    case .jacobian(let function, let a): .jacobian(function, map(a))
    }
  }

  /// Whether recomputing the result from its operands costs about as little as loading it.
  /// Decides what the reverse loop stores (Tape.swift).
  var isCheap: Bool {
    switch self {
    case .unary(let function, _): function.row.isCheap
    case .binary(let function, _, _): function.row.isCheap
    case .input, .constant, .shared, .select, .concatenate, .slice, .broadcast: true
    case .normal, .sum, .dot, .affine, .transposedProduct, .matrixVector, .transposedMatrixVector,
      .apply, .jacobian:
      false
    }
  }

  /// The function with shared data that is evaluated, if one is.
  package var localFunction: LocalFunction? {
    switch self {
    case .apply(let function, _), .jacobian(let function, _): function
    case .input, .constant, .shared, .normal, .unary, .binary, .select, .concatenate, .slice,
      .broadcast, .sum, .dot, .affine, .transposedProduct, .matrixVector, .transposedMatrixVector:
      nil
    }
  }

  /// The shared matrix of a product, if it is one.
  package var sharedMatrix: SharedMatrix? {
    switch self {
    case .affine(let matrix, _, _), .transposedProduct(let matrix, _): matrix
    case .input, .constant, .shared, .normal, .unary, .binary, .select, .concatenate, .slice,
      .broadcast, .sum, .dot, .matrixVector, .transposedMatrixVector, .apply, .jacobian:
      nil
    }
  }
}
