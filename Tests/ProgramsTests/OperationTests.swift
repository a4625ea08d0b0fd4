// SPDX-License-Identifier: Apache-2.0
// Every operation: value, tangent, adjoint, central differences; and that the checker catches a rule that is
// wrong by 0.1 %.

import Draws
import Foundation
import Programs
import TestSupport
import Testing

private typealias Build = @Sendable (ProgramBuilder, Value, Value) -> Value

/// Each operation as a program of inputs a, b [3], with shared arrays behind some.
private let operations: [(name: String, build: Build)] = [
  ("add", { _, a, b in a + b }), ("subtract", { _, a, b in a - b }),
  ("multiply", { _, a, b in a * b }), ("divide", { _, a, b in a / (b * b + 1) }),
  ("negate", { _, a, b in -a * b }), ("exp", { _, a, b in exp(a) * b }),
  ("log", { _, a, b in log(a * a + 0.5) * b }), ("tanh", { _, a, b in tanh(a) * b }),
  ("sin", { _, a, b in sin(a) * b }), ("cos", { _, a, b in cos(a) * b }),
  ("sqrt", { _, a, b in sqrt(a * a + 0.5) * b }),
  ("abs", { _, a, b in abs(a) * b }), ("atan2", { _, a, b in atan2(a, b) * b }),
  ("hypot", { _, a, b in hypot(a, b) * a }),
  // Of what has no derivative anyway; `detached` below has the rest.
  ("detach", { builder, a, b in detach(builder.constant([0.5, 2, -1])) * a * b }),
  ("minimum", { _, a, b in minimum(a, b) * b }), ("maximum", { _, a, b in maximum(a, b) * a }),
  ("select", { _, a, b in select(a, a * b, b) }),
  ("concatenate", { builder, a, b in builder.concatenate([a, b, a]) * 2 }),
  ("slice", { _, a, b in a[1..<3] * b[0] }),
  ("broadcast", { _, a, b in a[0].broadcast(to: 3) * b }),
  ("sum", { _, a, b in a.sum * b }), ("dot", { _, a, b in dot(a, b) * a }),
  ("normal", { builder, a, b in a * builder.normal(length: 3) + b }),
  ("shared", { builder, a, b in a * builder.shared("weights", offset: 2, length: 3) * b }),
  (
    "affine",
    { builder, a, b in
      builder.affine(
        SharedMatrix(array: "weights", offset: 1, rows: 2, columns: 3),
        bias: SharedSlice(array: "weights", offset: 8), tanh(a + b))
    }
  ),
  (
    "affine with a bias of its own",
    { builder, a, b in
      builder.affine(
        SharedMatrix(array: "columns", offset: 0, rows: 2, columns: 3),
        bias: SharedSlice(array: "weights", offset: 4), a * b)
    }
  ),
  (
    "interpolation",
    { builder, a, b in
      builder.apply(
        .interpolation(
          Interpolation(table: "table", geometry: "geometry", dimensions: 3, outputs: 5)),
        0.3 * tanh(a + b))
    }
  ),
  (
    "interpolation by splines",
    { builder, a, b in
      builder.apply(
        .interpolation(
          Interpolation(
            table: "table", geometry: "geometry", dimensions: 3, outputs: 5, basis: .cubicSpline)),
        0.3 * tanh(a + b))
    }
  ),
  (
    "gridVariance",
    { builder, a, b in
      builder.apply(
        .gridVariance(
          GridVariance(
            root: "grid_root", toeplitz: "toeplitz", geometry: "geometry", dimensions: 3, rank: 16)),
        0.3 * tanh(a + b))
    }
  ),
  (
    "weightedSum",
    { builder, a, b in
      let sum = WeightedSum(
        dimensions: 3, rows: SharedMatrix(array: "rows", rows: 4, columns: 3),
        weights: SharedMatrix(array: "columns", rows: 4, columns: 2),
        squared: SharedMatrix(array: "root", rows: 4, columns: 3)
      ) { x, row in exp(-0.5 * dot(x - row, x - row)) }
      return builder.apply(.weightedSum(sum), a * b)
    }
  ),
]

private func program(_ build: Build) -> Program {
  let builder = ProgramBuilder()
  let a = builder.input("a", length: 3)
  builder.output("y", build(builder, a, builder.input("b", length: 3)))
  return builder.finish()
}

private func draw(_ count: Int, _ particle: Int) -> [Double] {
  DrawKey(seed: 11).normals(particle: particle, step: 0, count: count)
}

private let sharedData: [String: [Double]] = [
  "weights": draw(12, 1), "table": draw(2 * 6 * 7 * 5 * 4, 2),
  "geometry": [-1, 2, 6, -1.2, 2.5, 7, -0.9, 2, 5], "rows": draw(12, 3), "columns": draw(8, 4),
  "root": draw(12, 5), "grid_root": draw(6 * 7 * 5 * 16, 10), "toeplitz": draw(12, 12),
]

@Suite("operations")
struct OperationTests {
  @Test("derivatives three ways", arguments: operations.indices)
  func derivatives(index: Int) {
    let program = program(operations[index].build)
    #expect(program.firstProblem() == nil)
    for seed in UInt64(1)...5 {
      let check = GradientCheck(
        program, inputs: ["a": draw(3, 6), "b": draw(3, 7)],
        shared: sharedData.filter { program.shared[$0.key] != nil },
        differentiatedShared: program.shared["weights"] == nil ? [] : ["weights"], seed: seed)
      #expect(check.adjointError < 1e-12, "\(operations[index].name), seed \(seed)")
      // Central differences: step^2 = 1e-10 times third derivatives, and eps / step = 1e-11.
      #expect(check.differenceError < 1e-7, "\(operations[index].name), seed \(seed)")
    }
  }

  @Test("the derivative of a root at zero is zero, forward and reverse")
  func rootAtZero() {
    let builder = ProgramBuilder()
    let x = builder.input("x", length: 3)
    builder.output("y", sqrt(x))
    let program = builder.finish()
    let values = [0, 4, 0.25]
    let forward = Interpreter(shared: [:]).run(
      program.tangent(withRespectTo: ["x"]), inputs: ["x": values, "tangent_x": [1, 1, 1]])
    #expect(forward.outputs["tangent_y"] == [0, 0.25, 1])
    let reverse = Interpreter(shared: [:]).run(
      program.adjoint(withRespectTo: ["x"]), inputs: ["x": values, "adj_y": [1, 1, 1]])
    #expect(reverse.outputs["adj_x"] == [0, 0.25, 1])
    // A root of what is negative stays visible.
    let wrong = Interpreter(shared: [:]).run(
      program.adjoint(withRespectTo: ["x"]), inputs: ["x": [-1, 1, 1], "adj_y": [1, 1, 1]])
    #expect(wrong.outputs["adj_x"]?[0].isNaN == true)
  }

  @Test("absolute values, angles and lengths have a derivative of zero where they have none")
  func kinks() {
    let builder = ProgramBuilder()
    let (a, b) = (builder.input("a", length: 3), builder.input("b", length: 3))
    builder.output("abs", abs(a))
    builder.output("atan2", atan2(a, b))
    builder.output("hypot", hypot(a, b))
    let program = builder.finish()
    let inputs = ["a": [0, -0.0, 3], "b": [0, -0.0, -4]]
    let values = Interpreter(shared: [:]).run(program, inputs: inputs)
    #expect(values["abs"] == [0, 0, 3] && values["hypot"] == [0, 0, 5])
    #expect(values["atan2"] == [0, 0, atan2(3.0, -4.0)])
    let seeds = ["adj_abs", "adj_atan2", "adj_hypot"]
    for (name, expected) in [
      ("adj_abs", [1.0, 0]), ("adj_atan2", [-0.16, -0.12]), ("adj_hypot", [0.6, -0.8]),
    ] {
      let seeded = Dictionary(
        uniqueKeysWithValues: seeds.map { ($0, [Double](repeating: $0 == name ? 1 : 0, count: 3)) })
      let reverse = Interpreter(shared: [:]).run(
        program.adjoint(withRespectTo: ["a", "b"]), inputs: inputs.merging(seeded) { $1 })
      for (k, input) in ["adj_a", "adj_b"].enumerated() {
        #expect(reverse[input][..<2] == [0, 0], "\(name)")
        #expect(Swift.abs(reverse[input][2] - expected[k]) < 1e-15, "\(name)")
      }
    }
  }

  @Test("the list above names every operation that users reach")
  func complete() {
    var seen: Set<String> = []
    for operation in operations {
      for instruction in program(operation.build).instructions {
        switch instruction.operation {
        case .unary(let function, _): seen.insert("\(function)")
        case .binary(let function, _, _): seen.insert("\(function)")
        default: seen.insert(String("\(instruction.operation)".prefix { $0 != "(" }))
        }
      }
    }
    let functions = UnaryFunction.allCases.map { "\($0)" } + BinaryFunction.allCases.map { "\($0)" }
    let wanted = Set(functions).union([
      "input", "constant", "shared", "normal", "select", "concatenate", "slice", "broadcast", "sum",
      "dot", "affine", "apply",
    ])
    #expect(seen.isSuperset(of: wanted), "missing: \(wanted.subtracting(seen))")
  }

  @Test("no derivative goes through what is detached")
  func detached() {
    let program = program { _, a, b in detach(a * b) * b }
    let (a, b) = (draw(3, 6), draw(3, 7))
    let adjoint = program.adjoint(withRespectTo: ["a", "b"])
    let found = Interpreter(shared: [:]).run(
      adjoint, inputs: ["a": a, "b": b, "adj_y": [1, 1, 1]])
    #expect(found["adj_a"] == [0, 0, 0])
    #expect(found["adj_b"] == zip(a, b).map { $0 * $1 })
  }

  @Test("matrix products per particle, and W^T y")
  func products() {
    // They occur in adjoint programs; the adjoint of an adjoint program checks them.
    let first = program { builder, a, b in
      builder.affine(
        SharedMatrix(array: "weights", rows: 3, columns: 3), bias: nil, a * b) * a
    }
    let second = first.adjoint(withRespectTo: ["a", "b"])
    let check = GradientCheck(
      second, inputs: ["a": draw(3, 6), "b": draw(3, 7), "adj_y": draw(3, 8)],
      shared: ["weights": draw(9, 9)], seed: 3)
    #expect(check.adjointError < 1e-12)
    #expect(check.differenceError < 1e-7)
  }

  @Test("a rule that is wrong by 0.1 % is caught")
  func checkerIsChecked() {
    let program = program { _, a, b in tanh(a) * b }
    let right = program.adjoint(withRespectTo: ["a", "b"])
    var wrong = right
    let index = wrong.instructions.firstIndex { $0.operation == .constant([1]) } ?? 0
    wrong.instructions[index] = Instruction(operation: .constant([1.001]), length: 1)
    #expect(wrong != right)
    let inputs = ["a": draw(3, 6), "b": draw(3, 7)]
    #expect(GradientCheck(program, inputs: inputs, seed: 1, adjoint: right).adjointError < 1e-12)
    #expect(GradientCheck(program, inputs: inputs, seed: 1, adjoint: wrong).adjointError > 1e-6)
  }

  @Test(
    "the taped pair gives the adjoint's numbers",
    arguments: [TapePolicy.inputsOnly, .expensiveValues])
  func tape(policy: TapePolicy) {
    let program = program { builder, a, b in
      let table = Interpolation(table: "table", geometry: "geometry", dimensions: 3, outputs: 5)
      let weights = SharedMatrix(array: "weights", rows: 3, columns: 3)
      return builder.apply(
        .interpolation(table), 0.3 * tanh(builder.affine(weights, bias: nil, a) + exp(b)))
    }
    let taped = program.taped(policy, withRespectTo: ["a", "b"], sharedArrays: ["weights"])
    #expect(taped.stored.isEmpty == (policy == .inputsOnly))
    // What is stored is not computed again: the reverse loop evaluates no table.
    let evaluates = taped.adjoint.instructions.contains {
      if case .jacobian = $0.operation { true } else { false }
    }
    #expect(evaluates == (policy == .inputsOnly))
    let interpreter = Interpreter(shared: sharedData)
    let inputs = ["a": draw(3, 6), "b": draw(3, 7)]
    let forward = interpreter.run(taped.forward, inputs: inputs)
    let kept = Dictionary(
      uniqueKeysWithValues: taped.stored.map { ($0, forward.outputs[$0] ?? []) })
    let seeded = inputs.merging(["adj_y": draw(5, 8)]) { $1 }
    let result = interpreter.run(taped.adjoint, inputs: seeded.merging(kept) { $1 })
    let reference = interpreter.run(
      program.adjoint(withRespectTo: ["a", "b"], sharedArrays: ["weights"]), inputs: seeded)
    #expect(result.outputs["adj_a"] == reference.outputs["adj_a"])
    #expect(result.sharedAdjoints["weights"] == reference.sharedAdjoints["weights"])
  }

  @Test("interpolation reproduces quadratics, clamps outside its box and counts it")
  func interpolation() {
    let table = Interpolation(table: "t", geometry: "g", dimensions: 1, outputs: 1)
    let builder = ProgramBuilder()
    builder.output(
      "y", builder.apply(.interpolation(table), builder.input("x", length: 1)))
    let program = builder.finish()
    // Grid 0, 0.5, ..., 4.5; box [0.5, 4].
    let values = (0..<10).flatMap { i -> [Double] in
      let x = 0.5 * Double(i)
      return [3 - 2 * x + 0.7 * x * x, 0, 0, 0]
    }
    let interpreter = Interpreter(shared: ["t": values, "g": [0, 2, 10]])
    for x in [0.5, 0.77, 1.0, 2.49, 3.999, 4.0] {
      let result = interpreter.run(program, inputs: ["x": [x]])
      #expect(abs((result.outputs["y"]?[0] ?? 0) - (3 - 2 * x + 0.7 * x * x)) < 1e-12)
      #expect(result.outsideCount == 0)
    }
    let outside = interpreter.run(program, inputs: ["x": [7]])
    #expect(abs((outside.outputs["y"]?[0] ?? 0) - (3 - 8 + 0.7 * 16)) < 1e-12)
    #expect(outside.outsideCount == 1)
    let slope = interpreter.run(
      program.adjoint(withRespectTo: ["x"]), inputs: ["x": [7], "adj_y": [1]])
    #expect(slope.outputs["adj_x"] == [0])
  }

  @Test("equal instructions are shared, unused ones removed, malformed ones named")
  func structure() {
    let builder = ProgramBuilder()
    let x = builder.input("x", length: 2)
    _ = exp(x)
    builder.output("y", tanh(x) + tanh(x))
    let program = builder.finish()
    #expect(program.instructions.count == 3)
    #expect(program.description.contains("%1 [2] = tanh %0"))
    var broken = program
    broken.instructions[1] = Instruction(operation: .unary(.tanh, ValueID(2)), length: 2)
    #expect(broken.firstProblem() == "%1 reads %2, which is not computed before it")
  }
}
