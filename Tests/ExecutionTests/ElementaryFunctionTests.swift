// SPDX-License-Identifier: Apache-2.0
// The prelude's polynomials and draws against double precision, through a kernel that applies them to its
// particles: the bounds are those stated in HostPrelude.swift.

import Draws
import Execution
import Foundation
import Programs
import Testing

/// f at points x, as the host kernel computes it.
private func evaluate(_ x: [Double], _ f: (Value) -> Value) throws -> [Double] {
  let initial = ProgramBuilder()
  initial.output(.reward, f(initial.input(.carry, length: 1)))
  let step = ProgramBuilder()
  let state = step.input(.carry, length: 1)
  step.output(.next, state)
  step.output(.reward, state * 0)
  step.output(.action, step.shared(RolloutProgram.parameters, length: 1))
  let program = RolloutProgram(
    initial: initial.finish(), step: step.finish(), parameterCount: 1, stateLimit: 1e6)
  return try HostExecutor(program, data: [:]).returns(
    RolloutBatch(
      parameters: [0], initialStates: x, goals: [], particles: x.count, horizon: 1,
      draws: DrawKey(seed: 0))
  ).returns
}

private func points(_ lower: Double, _ upper: Double) -> [Double] {
  (0..<20_000).map { Double(Float(lower + (upper - lower) * (Double($0) + 0.5) / 20_000)) }
}

/// Largest error in units in the last place of the exact result.
private func ulps(_ found: [Double], _ x: [Double], _ exact: (Double) -> Double) -> Double {
  zip(found, x).map { abs($0 - exact($1)) / Double(Float(exact($1)).ulp) }.max() ?? .infinity
}

private func absolute(_ found: [Double], _ x: [Double], _ exact: (Double) -> Double) -> Double {
  zip(found, x).map { abs($0 - exact($1)) }.max() ?? .infinity
}

@Suite("elementary functions")
struct ElementaryFunctionTests {
  @Test func exponential() throws {
    let x = points(-86, 88)
    #expect(ulps(try evaluate(x) { exp($0) }, x, Foundation.exp) < 2)
    // Saturates instead of overflowing.
    #expect(try evaluate([-1e3, 1e3]) { exp($0) }.allSatisfy { $0 > 0 && $0.isFinite })
  }

  @Test func logarithm() throws {
    let x = points(1e-6, 40) + points(0.9, 1.1)
    #expect(ulps(try evaluate(x) { log($0) }, x, Foundation.log) < 2)
  }

  @Test func hyperbolicTangent() throws {
    let x = points(-12, 12)
    #expect(absolute(try evaluate(x) { tanh($0) }, x, Foundation.tanh) < 4 * 0x1p-24)
  }

  @Test func sineAndCosine() throws {
    for limit in [3.2, 8_192] {
      let x = points(-limit, limit)
      #expect(absolute(try evaluate(x) { sin($0) }, x, Foundation.sin) < 4 * 0x1p-24)
      #expect(absolute(try evaluate(x) { cos($0) }, x, Foundation.cos) < 4 * 0x1p-24)
    }
  }

  @Test("angles and lengths, at every quadrant and size; zeros and NaN as in the definition")
  func anglesAndLengths() throws {
    // Around the circle, by the angle.
    let angles = points(-3.141, 3.141)
    for size in [1, 1e-25, 1e25] {
      func polar(_ t: Value) -> (Value, Value) { (size * sin(t), size * cos(t)) }
      let lengths = try evaluate(angles) { t in
        let (y, x) = polar(t)
        return hypot(y, x) / size
      }
      #expect(absolute(lengths, angles) { _ in 1 } < 6 * 0x1p-23, "\(size)")
      let turned = try evaluate(angles) { t in
        let (y, x) = polar(t)
        return atan2(y, x)
      }
      #expect(absolute(turned, angles) { $0 } < 6 * 0x1p-23, "\(size)")
    }
    let special = [0, -0.0, Double.nan]
    #expect(try evaluate(special) { atan2(0 * $0, $0) }[..<2] == [0, 0])
    #expect(try evaluate(special) { hypot($0, 0 * $0) }[..<2] == [0, 0])
    for function in [BinaryFunction.atan2, .hypot] {
      #expect(try evaluate(special) { binary(function, $0, 1 + 0 * $0) }[2].isNaN)
      #expect(try evaluate(special) { binary(function, $0.builder.constant([1]), $0) }[2].isNaN)
    }
  }

  @Test("draws are those of the definition, to rounding")
  func draws() throws {
    let step = ProgramBuilder()
    let state = step.input(.carry, length: 6)
    step.output(.next, step.normal(length: 6) + 0 * state)
    step.output(.reward, state.sum * 0)
    step.output(.action, step.shared(RolloutProgram.parameters, length: 1))
    let initial = ProgramBuilder()
    initial.output(.reward, initial.input(.carry, length: 6).sum * 0)
    let program = RolloutProgram(
      initial: initial.finish(), step: step.finish(), parameterCount: 1, stateLimit: 1e6)
    let key = DrawKey(seed: 0x1234_5678_9abc_def0, iteration: 17)
    let count = 300
    let result = try HostExecutor(program, data: [:]).trajectories(
      RolloutBatch(
        parameters: [0], initialStates: Array(repeating: 0, count: 6 * count), goals: [],
        particles: count, horizon: 3, draws: key))
    for particle in [0, 1, 15, 16, 299] {
      for k in 0..<3 {
        let expected = key.normals(particle: particle, step: k, count: 6)
        let found = Array(result.carry(step: k + 1, particle: particle))
        // |d normal| <= eps (radius + angle terms): a few units of 6e-8 at radius up to 5.8.
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 3e-6 })
      }
    }
  }
}
