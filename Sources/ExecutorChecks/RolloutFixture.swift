// SPDX-License-Identifier: Apache-2.0
// Rollouts for checks of executors: each operation and each local function somewhere in a closed loop.

import Draws
import Execution
import Foundation
import Policies
import Programs

/// A rollout program with its data and sensible arguments.
package struct RolloutFixture: CustomStringConvertible, Sendable {
  package let description: String
  package let program: RolloutProgram
  package let data: [String: [Double]]
  package let parameters: [Double]

  package func batch(particles: Int, horizon: Int, seed: UInt64 = 7) -> RolloutBatch {
    let key = DrawKey(seed: 99)
    let starts = (0..<particles).flatMap { b in
      key.normals(particle: b, step: 1, count: program.carryLength).map { 0.5 * $0 }
    }
    let goals = (0..<particles).flatMap { b in
      key.normals(particle: b, step: 2, count: program.goalLength).map { 0.3 * $0 }
    }
    return RolloutBatch(
      parameters: parameters, initialStates: starts, goals: goals, particles: particles,
      horizon: horizon, draws: DrawKey(seed: seed),
      functionDraws: (0..<particles).flatMap {
        key.normals(particle: $0, step: 3, count: program.functionLength)
      },
      // The return, less some of every cost.
      totalWeights: program.totals.indices.map { $0 == 0 ? 1 : -0.5 / Double($0) })
  }

  package static let all = [
    tabulated, weighted, everyOperation, wide, pathwise, gridVariance, costs,
  ]

  private static func make(
    _ name: String, hidden: [Int], data: [String: [Double]],
    moments: @escaping (Value) -> Value
  ) -> RolloutFixture {
    let policy = Policy.network(
      hidden: hidden, inputs: PolicyInputs(stateLength: 2, actionLength: 1, goal: .concatenated),
      lower: [-1],
      upper: [1])
    func reward(_ x: Value, _ goal: Value) -> Value {
      exp(-0.5 * dot(x.builder.constant([2, 0.3]), (x - goal) * (x - goal)))
    }
    let first = ProgramBuilder()
    first.output(.reward, reward(first.input(.carry, length: 2), first.input(.goal, length: 2)))
    let builder = ProgramBuilder()
    let state = builder.input(.carry, length: 2)
    let goal = builder.input(.goal, length: 2)
    let action = policy.action(state: state, goal: goal)
    let m = moments(builder.concatenate([state, action]))
    let draw = builder.normal(length: 2)
    let next =
      0.9 * state
      + builder.concatenate([m[0] + 0.1 * m[1] * draw[0], m[2] + 0.1 * m[3] * draw[1]])
    builder.output(.next, next)
    builder.output(.reward, reward(next, goal))
    builder.output(.action, action)
    let program = RolloutProgram(
      initial: first.finish(), step: builder.finish(), parameterCount: policy.parameterCount,
      stateLimit: 1e3)
    // Small enough that rounding does not grow beyond the tenfold which the tests allow for.
    let parameters = policy.initialParameters(3).map { 0.5 * $0 }
    return RolloutFixture(
      description: name, program: program, data: data, parameters: parameters)
  }

  package static let tabulated = make(
    "tabulated", hidden: [8, 8],
    data: [
      // Smooth in the grid's indices i, j, k, so that the loop does not amplify rounding.
      "table": (0..<(9 * 8 * 7 * 4)).map { index in
        let (i, j, k) = (index / 224, index / 28 % 8, index / 4 % 7)
        return 0.3 * sin(0.5 * Double(i) + 0.3 * Double(j) - 0.4 * Double(k) + Double(index % 4))
      },
      "geometry": [-2, 2, 9, -2, 1.75, 8, -1.5, 2, 7],
    ]
  ) { x in
    x.builder.apply(
      .interpolation(
        Interpolation(table: "table", geometry: "geometry", dimensions: 3, outputs: 4)), x)
  }

  package static let weighted = weighted("weighted sum", hidden: [5])
  /// Not among `all`: what is wide twice.
  package static let weightedWide = weighted("weighted sum, wide policy", hidden: [40, 40])

  private static func weighted(_ name: String, hidden: [Int]) -> RolloutFixture {
    make(name, hidden: hidden, data: weightedData) { x in
      let sum = WeightedSum(
        dimensions: 3, rows: SharedMatrix(array: "rows", rows: 13, columns: 3),
        weights: SharedMatrix(array: "columns", rows: 13, columns: 3),
        squared: SharedMatrix(array: "root", rows: 13, columns: 13), squaredIsUpperTriangular: true
      ) { x, row in exp(-0.5 * dot(x - row, x - row)) }
      return x.builder.apply(.weightedSum(sum), x)
    }
  }

  private static var weightedData: [String: [Double]] {
    [
      "rows": DrawKey(seed: 1).normals(particle: 0, step: 0, count: 13 * 3),
      "columns": DrawKey(seed: 1).normals(particle: 1, step: 0, count: 13 * 3).map { 0.1 * $0 },
      "root": (0..<169).map { $0 / 13 <= $0 % 13 ? 0.3 * cos(Double($0)) : 0 },
    ]
  }

  package static let everyOperation = make("every operation", hidden: [4], data: [:]) { x in
    let a = x[0]
    let b = x[1]
    let c = x[2]
    let held = detach(x.builder.constant([1]))
    let first = sin(a) * cos(b) + log(held + a * a) / (1 + exp(c))
    let second = sqrt(0.1 + b * b) * minimum(a, c)
    let third = maximum(b, -c) * tanh(a) - select(a, b, c) * 0.2
    let turned = 0.1 * hypot(a, b) + 0.05 * atan2(b, 1 + a * a) - 0.1 * abs(c)
    let fourth = (x * x).sum * 0.1 + dot(x, x.builder.constant([0.1, 0.2, 0.3])) + turned
    return 0.3 * x.builder.concatenate([first, second, third, fourth])
  }

  /// Two costs beside the return, and what the last state earns.
  package static let costs: RolloutFixture = {
    let policy = Policy.network(
      hidden: [5], inputs: PolicyInputs(stateLength: 2, actionLength: 1, goal: .concatenated),
      lower: [-1], upper: [1])
    func program(_ write: (ProgramBuilder, Value, Value) -> Void) -> Program {
      let builder = ProgramBuilder()
      write(builder, builder.input(.carry, length: 2), builder.input(.goal, length: 2))
      return builder.finish()
    }
    func reward(_ x: Value, _ goal: Value, action: Value) -> Value {
      x.builder.concatenate([
        exp(-dot(x - goal, x - goal)), maximum(x[0] - 0.2, 0 * x[0]), action * action,
      ])
    }
    let step = program { builder, state, goal in
      let action = policy.action(state: state, goal: goal)
      let turned = builder.concatenate([state[1], 0.8 * sin(state[0]) + 0.4 * action])
      let next = 0.7 * state + 0.3 * turned + 0.05 * builder.normal(length: 2)
      builder.output(.next, next)
      builder.output(.reward, reward(next, goal, action: action))
      builder.output(.action, action)
    }
    let initial = program { builder, state, goal in
      builder.output(.reward, reward(state, goal, action: 0 * state[0]))
    }
    let terminal = program { builder, state, goal in
      let far = hypot(state[0] - goal[0], state[1])
      builder.output(.reward, builder.concatenate([-3 * far, 0.5 * sin(state[1]), 0 * far]))
    }
    return RolloutFixture(
      description: "costs and a terminal reward",
      program: RolloutProgram(
        initial: initial, step: step, terminal: terminal, totals: ["return", "reach", "effort"],
        parameterCount: policy.parameterCount, stateLimit: 1e3),
      data: [:], parameters: policy.initialParameters(3))
  }()

  package static let wide = network(hidden: [40, 40])

  /// A policy of these layers on simple dynamics.
  package static func network(hidden: [Int]) -> RolloutFixture {
    make("wide policy", hidden: hidden, data: [:]) { x in
      x.builder.concatenate([0.2 * x[2], x[0] * 0.1, 0.3 * sin(x[0]), 0.1 * x[1]])
    }
  }

  /// Function draws of every particle's own as weights of a sum, and read in place.
  package static let pathwise = make(
    "function draws", hidden: [4],
    data: ["rows": DrawKey(seed: 2).normals(particle: 0, step: 0, count: 37 * 3)]
  ) { x in
    let sum = WeightedSum(
      dimensions: 3, rows: SharedMatrix(array: "rows", rows: 37, columns: 3),
      weights: SharedMatrix(array: RolloutProgram.functionDraw, offset: 1, rows: 37, columns: 2)
    ) { x, row in cos(dot(x, row)) }
    let y = 0.05 * x.builder.apply(.weightedSum(sum), x)
    let own = x.builder.shared(RolloutProgram.functionDraw, length: 1)
    return x.builder.concatenate([y[0], 0.1 * own, y[1], 0.2 * sin(x[0])])
  }

  /// A grid variance of 32 columns beside a table of one output on the same grid.
  package static let gridVariance = make(
    "grid variance", hidden: [6], data: gridVarianceData
  ) { x in
    let variance = x.builder.apply(
      .gridVariance(
        GridVariance(
          root: "root", toeplitz: "toeplitz", geometry: "geometry", dimensions: 3, rank: 32)), x)
    let mean = x.builder.apply(
      .interpolation(
        Interpolation(table: "table", geometry: "geometry", dimensions: 3, outputs: 1)),
      x)
    return x.builder.concatenate([mean, 0.1 * variance, 0.5 * mean, 0.2 * variance])
  }

  private static var gridVarianceData: [String: [Double]] {
    let points = 9 * 8 * 7
    let table = (0..<4 * points).map { index -> Double in
      let (i, k) = (Double(index / 224), Double(index / 4 % 7))
      return 0.3 * sin(0.5 * i - 0.4 * k)
    }
    let root = (0..<32 * points).map { index -> Double in
      0.05 * sin(0.01 * Double(index / 32) + Double(index % 32))
    }
    let toeplitz = (0..<12).map { index -> Double in exp(-0.1 * Double((index % 4) * (index % 4))) }
    return [
      "geometry": [-2, 2, 9, -2, 1.75, 8, -1.5, 2, 7], "table": table, "root": root,
      "toeplitz": toeplitz,
    ]
  }
}
