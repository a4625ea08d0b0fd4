// SPDX-License-Identifier: Apache-2.0
// Functions of one or two numbers, applied to each element of vectors: a row each. A row is all that the project knows of a
// function: its value, its derivatives (tangent and adjoint are the same product with a seed), its words in C and
// ONNX, whether it is cheap. A new function is a case, a row and, for users, a line at the end; a kernel's word that
// the preludes lack is written once for all devices in Execution/KernelText/ElementaryText.swift.

import Foundation

/// f(x)
package enum UnaryFunction: String, Hashable, Sendable, CaseIterable {
  case negate, abs, exp, log, tanh, sin, cos, sqrt
  /// x, whose derivative counts as zero.
  case detach
}

/// f(a, b)
package enum BinaryFunction: String, Hashable, Sendable, CaseIterable {
  case add, subtract, multiply, divide
  case minimum = "min"
  case maximum = "max"
  /// The angle of the point (b, a), in (-pi, pi]; zeros have no sign.
  case atan2
  /// sqrt(a^2 + b^2)
  case hypot
}

/// How a function is written in C: with a sign, or called by a name.
package enum FunctionWord: Hashable, Sendable {
  /// "-" before one operand, or between two.
  case sign(String)
  /// Its name in kernels (single precision, a vector of particles) and in C99 (double precision).
  case call(kernel: String, c: String)

  /// Whether it is called by a name.
  package var isCall: Bool { if case .call = self { true } else { false } }

  static func call(_ name: String) -> FunctionWord { .call(kernel: "v_" + name, c: name) }

  /// The expression of a kernel.
  package func kernelText(_ operands: String...) -> String {
    switch self {
    case .sign(let sign): Self.text(sign, operands)
    case .call(let name, _): "\(name)(\(operands.joined(separator: ", ")))"
    }
  }

  /// The expression of C99.
  package func cText(_ operands: String...) -> String {
    switch self {
    case .sign(let sign): Self.text(sign, operands)
    case .call(_, let name): "\(name)(\(operands.joined(separator: ", ")))"
    }
  }

  private static func text(_ sign: String, _ operands: [String]) -> String {
    operands.count == 1 ? sign + operands[0] : operands.joined(separator: " \(sign) ")
  }
}

extension UnaryFunction {
  /// What is known of f.
  package struct Row: Sendable {
    /// f(x)
    package let value: @Sendable (_ x: Double) -> Double
    /// f'(x) times a seed, where y = f(x).
    let derivative: @Sendable (_ seed: Value, _ x: Value, _ y: Value) -> Value
    /// What names a result for readers.
    package let noun: String
    package let word: FunctionWord
    /// The operator of ONNX; nil where there is none.
    package let onnx: String?
    /// Whether computing y again costs about as little as loading it.
    var isCheap = false
    /// A function of C99 that defines the word; nil where <math.h> has it.
    package var cDefinition: String?
  }

  package var row: Row {
    switch self {
    case .negate:
      Row(
        value: { -$0 }, derivative: { seed, _, _ in -seed },
        noun: "negative", word: .sign("-"), onnx: "Neg", isCheap: true)
    case .abs:  // sign(x), 0 at 0
      Row(
        value: Swift.abs,
        derivative: { seed, x, y in select(-y, zeros(y), select(x, seed, -seed)) },
        noun: "abs", word: .call(kernel: "v_magnitude", c: "fabs"), onnx: "Abs", isCheap: true)
    case .exp:
      Row(
        value: Foundation.exp, derivative: { seed, _, y in seed * y },
        noun: "exp", word: .call("exp"), onnx: "Exp")
    case .log:
      Row(
        value: Foundation.log, derivative: { seed, x, _ in seed / x },
        noun: "log", word: .call("log"), onnx: "Log")
    case .tanh:
      Row(
        value: Foundation.tanh, derivative: { seed, _, y in seed * (1 - y * y) },
        noun: "tanh", word: .call("tanh"), onnx: "Tanh")
    case .sin:
      Row(
        value: Foundation.sin, derivative: { seed, x, _ in seed * Programs.cos(x) },
        noun: "sin", word: .call("sin"), onnx: "Sin")
    case .cos:
      Row(
        value: Foundation.cos, derivative: { seed, x, _ in -(seed * Programs.sin(x)) },
        noun: "cos", word: .call("cos"), onnx: "Cos")
    case .sqrt:
      // 0 at 0: there 1 / y is infinite, and what stands under a root that can be zero is mostly a square or a sum of
      // squares with its minimum there, so that 0 is a subgradient (of |x| = sqrt(x^2), too).
      Row(
        value: { $0.squareRoot() },
        derivative: { seed, _, y in select(-y, zeros(y), 0.5 * seed / y) },
        noun: "sqrt", word: .call("sqrt"), onnx: "Sqrt")
    case .detach:
      Row(
        value: { $0 }, derivative: { _, _, y in zeros(y) },
        noun: "detached", word: .sign("+"), onnx: "Identity", isCheap: true)
    }
  }
}

extension BinaryFunction {
  /// A partial derivative of f times a seed, where y = f(a, b).
  typealias Partial = @Sendable (_ seed: Value, _ a: Value, _ b: Value, _ y: Value) -> Value

  /// What is known of f.
  package struct Row: Sendable {
    /// f(a, b)
    package let value: @Sendable (_ a: Double, _ b: Double) -> Double
    /// With respect to a, and to b.
    let partials: (Partial, Partial)
    /// What names a result for readers.
    package let noun: String
    package let word: FunctionWord
    /// The operator of ONNX; nil where there is none.
    package let onnx: String?
    /// Whether computing y again costs about as little as loading it.
    var isCheap = false
    /// A function of C99 that defines the word; nil where <math.h> has it.
    package var cDefinition: String?
  }

  package var row: Row {
    switch self {
    case .add:
      Row(
        value: { $0 + $1 }, partials: ({ seed, _, _, _ in seed }, { seed, _, _, _ in seed }),
        noun: "sum", word: .sign("+"), onnx: "Add", isCheap: true)
    case .subtract:
      Row(
        value: { $0 - $1 }, partials: ({ seed, _, _, _ in seed }, { seed, _, _, _ in -seed }),
        noun: "difference", word: .sign("-"), onnx: "Sub", isCheap: true)
    case .multiply:
      Row(
        value: { $0 * $1 },
        partials: ({ seed, _, b, _ in seed * b }, { seed, a, _, _ in seed * a }),
        noun: "product", word: .sign("*"), onnx: "Mul", isCheap: true)
    case .divide:
      Row(
        value: { $0 / $1 },
        partials: ({ seed, _, b, _ in seed / b }, { seed, _, b, y in -(seed * y / b) }),
        noun: "quotient", word: .sign("/"), onnx: "Div")
    case .minimum:  // to the smaller; to a where equal
      Row(
        value: { $0 < $1 ? $0 : $1 },
        partials: (
          { seed, a, b, _ in select(b - a, seed, zeros(a)) },
          { seed, a, b, _ in select(b - a, zeros(a), seed) }
        ),
        noun: "minimum", word: .call(kernel: "v_minimum", c: "smaller"), onnx: "Min", isCheap: true,
        cDefinition: "static double smaller(double a, double b) { return (a < b) ? a : b; }")
    case .maximum:
      Row(
        value: { $0 > $1 ? $0 : $1 },
        partials: (
          { seed, a, b, _ in select(a - b, seed, zeros(a)) },
          { seed, a, b, _ in select(a - b, zeros(a), seed) }
        ),
        noun: "maximum", word: .call(kernel: "v_maximum", c: "larger"), onnx: "Max", isCheap: true,
        cDefinition: "static double larger(double a, double b) { return (a > b) ? a : b; }")
    case .atan2:  // (b, -a) / (a^2 + b^2); (0, 0) at the origin, where the angle jumps
      Row(
        value: { Foundation.atan2($0 + 0, $1 + 0) },
        partials: (
          { seed, a, b, _ in polar(seed, b, a) }, { seed, a, b, _ in -polar(seed, a, b) }
        ),
        noun: "angle", word: .call(kernel: "v_atan2", c: "angle"), onnx: nil,
        // Zeros without a sign, as programs have them.
        cDefinition: "static double angle(double y, double x) { return atan2(y + 0.0, x + 0.0); }")
    case .hypot:  // (a, b) / y; (0, 0) at the origin
      Row(
        value: Foundation.hypot,
        partials: (
          { seed, a, _, y in select(-y, zeros(y), seed * (a / y)) },
          { seed, _, b, y in select(-y, zeros(y), seed * (b / y)) }
        ),
        noun: "length", word: .call("hypot"), onnx: nil)
    }
  }
}

private func zeros(_ like: Value) -> Value { like.builder.zeros(like.length) }

/// seed u / (u^2 + v^2), 0 at the origin; by the length, whose square may overflow.
private func polar(_ seed: Value, _ u: Value, _ v: Value) -> Value {
  let length = hypot(u, v)
  return select(-length, zeros(length), seed * (u / length) / length)
}

// MARK: For users; a scalar operand of two is broadcast

extension Value {
  package static func + (a: Value, b: Value) -> Value { binary(.add, a, b) }
  package static func - (a: Value, b: Value) -> Value { binary(.subtract, a, b) }
  package static func * (a: Value, b: Value) -> Value { binary(.multiply, a, b) }
  package static func / (a: Value, b: Value) -> Value { binary(.divide, a, b) }
  package static prefix func - (a: Value) -> Value { unary(.negate, a) }
}

package func abs(_ a: Value) -> Value { unary(.abs, a) }
package func exp(_ a: Value) -> Value { unary(.exp, a) }
package func log(_ a: Value) -> Value { unary(.log, a) }
package func tanh(_ a: Value) -> Value { unary(.tanh, a) }
package func sin(_ a: Value) -> Value { unary(.sin, a) }
package func cos(_ a: Value) -> Value { unary(.cos, a) }
package func sqrt(_ a: Value) -> Value { unary(.sqrt, a) }
/// a, through which no derivative goes (stop_gradient elsewhere).
package func detach(_ a: Value) -> Value { unary(.detach, a) }
package func minimum(_ a: Value, _ b: Value) -> Value { binary(.minimum, a, b) }
package func maximum(_ a: Value, _ b: Value) -> Value { binary(.maximum, a, b) }
/// The angle of the point (x, y).
package func atan2(_ y: Value, _ x: Value) -> Value { binary(.atan2, y, x) }
package func hypot(_ a: Value, _ b: Value) -> Value { binary(.hypot, a, b) }

/// f of each element.
package func unary(_ function: UnaryFunction, _ a: Value) -> Value {
  a.builder.append(.unary(function, a.id), length: a.length)
}

/// f of each pair of elements.
package func binary(_ function: BinaryFunction, _ a: Value, _ b: Value) -> Value {
  let count = max(a.length, b.length)
  let (x, y) = (a.broadcast(to: count), b.broadcast(to: count))
  return a.builder.append(.binary(function, x.id, y.id), length: count)
}
