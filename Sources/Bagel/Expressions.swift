// SPDX-License-Identifier: Apache-2.0
// Arithmetic and functions of program values, for rewards of one's own: elementwise, but `dot`. Their gradients and kernels come
// with them. They repeat those of Programs, because users import only Bagel; they are disfavoured if a file imports both.

import Programs

extension Value {
  @_disfavoredOverload public static func + (x: Value, y: Value) -> Value { binary(.add, x, y) }
  @_disfavoredOverload public static func - (x: Value, y: Value) -> Value {
    binary(.subtract, x, y)
  }
  @_disfavoredOverload public static func * (x: Value, y: Value) -> Value {
    binary(.multiply, x, y)
  }
  @_disfavoredOverload public static func / (x: Value, y: Value) -> Value { binary(.divide, x, y) }
  @_disfavoredOverload public static prefix func - (x: Value) -> Value { unary(.negate, x) }
  @_disfavoredOverload public static func + (x: Value, y: Double) -> Value { x + x.constant(y) }
  @_disfavoredOverload public static func - (x: Value, y: Double) -> Value { x - x.constant(y) }
  @_disfavoredOverload public static func * (x: Value, y: Double) -> Value { x * x.constant(y) }
  @_disfavoredOverload public static func / (x: Value, y: Double) -> Value { x * (1 / y) }
  @_disfavoredOverload public static func + (x: Double, y: Value) -> Value { y.constant(x) + y }
  @_disfavoredOverload public static func - (x: Double, y: Value) -> Value { y.constant(x) - y }
  @_disfavoredOverload public static func * (x: Double, y: Value) -> Value { y.constant(x) * y }
  @_disfavoredOverload public static func / (x: Double, y: Value) -> Value { y.constant(x) / y }

  private func constant(_ number: Double) -> Value { builder.constant([number]) }
}

@_disfavoredOverload public func abs(_ x: Value) -> Value { unary(.abs, x) }
@_disfavoredOverload public func cos(_ x: Value) -> Value { unary(.cos, x) }
@_disfavoredOverload public func exp(_ x: Value) -> Value { unary(.exp, x) }
@_disfavoredOverload public func sin(_ x: Value) -> Value { unary(.sin, x) }
@_disfavoredOverload public func sqrt(_ x: Value) -> Value { unary(.sqrt, x) }
@_disfavoredOverload public func tanh(_ x: Value) -> Value { unary(.tanh, x) }
@_disfavoredOverload public func minimum(_ x: Value, _ y: Value) -> Value { binary(.minimum, x, y) }
@_disfavoredOverload public func maximum(_ x: Value, _ y: Value) -> Value { binary(.maximum, x, y) }
/// The sum of products of two values of the same length.
@_disfavoredOverload public func dot(_ x: Value, _ y: Value) -> Value { Programs.dot(x, y) }
