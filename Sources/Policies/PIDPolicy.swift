// SPDX-License-Identifier: Apache-2.0
// PID controllers, whose gains a search finds as it finds a network's weights: what most machines have today, so the rival of every
// other policy, and one that can be checked by hand. Each command reads the error of every goal that is tracked:
//
//   command = b + K (e - T_d d) + s        e [E] standardised errors; s' = s + K / T_i e + ..., the integral (IntegralAction)
//   d' = d + alpha (y' - y - d)            of what goals are of, not of the error: a goal that jumps is no kick; y' - y up to 4
//
// T_i and T_d are positive by construction, so that integral and derivative act the way the gain acts: without this a search takes
// gains that push along with the motion where its model has no lag (the boom: K_d of the wrong sign, 1 of 9 steps on the plant).
//
// Parameters: gains K [A, E], log(50 / T_i) and log(T_d / 10) in rows [A, E], biases b [A], logit(alpha) [E]; then logit(beta) [A] and
// bounds of errors [E] of the integral. Memory: y [E], d [E], and 1 once there is a row before.

import Draws
import Foundation
import Programs

extension Policy {
  /// A PID controller of `inputs.integrated` goals.
  ///
  /// Gains start from N(0, 2 / E): which way a command moves the machine is for the search to find.
  package static func pid(
    inputs: PolicyInputs, lower: [Double], upper: [Double], largestChange: [Double] = [],
    rest: [Double]? = nil
  ) -> Policy {
    let pid = PIDLaw(errors: inputs.integrated.count, actions: lower.count)
    return Policy(
      form: .pid, inputs: inputs, lower: lower, upper: upper, largestChange: largestChange,
      rest: rest, parameterCount: pid.parameterCount, parameterBlocks: pid.blocks,
      initialParameters: pid.initialParameters,
      law: Law(start: pid.start) { pid.answer($0, memory: $1) })
  }
}

/// What a PID controller computes before limits.
private struct PIDLaw: Sendable {
  /// E, A
  let errors: Int
  let actions: Int

  var parameterCount: Int { filter.offset + errors }

  private var gains: Int { actions * errors }
  private var gain: ParameterBlock {
    ParameterBlock(name: "gain", offset: 0, shape: [actions, errors])
  }
  private var integralRate: ParameterBlock {
    ParameterBlock(name: "log_integral_rate", offset: gains, shape: [actions, errors])
  }
  private var derivativeTime: ParameterBlock {
    ParameterBlock(name: "log_derivative_time", offset: 2 * gains, shape: [actions, errors])
  }
  private var biases: ParameterBlock {
    ParameterBlock(name: "biases", offset: 3 * gains, shape: [actions])
  }
  private var filter: ParameterBlock {
    ParameterBlock(name: "derivative_filter", offset: 3 * gains + actions, shape: [errors])
  }
  var blocks: [ParameterBlock] { [gain, integralRate, derivativeTime, biases, filter] }

  var initialParameters: @Sendable (UInt64) -> [Double] {
    { seed in
      let draws = DrawKey(seed: seed, stream: .networkParameters).normals(
        particle: 0, step: 0, count: gains)
      let scale = (2 / Double(errors)).squareRoot()
      return draws.map { scale * $0 } + Array(repeating: Self.firstLogTime, count: 2 * gains)
        + Array(repeating: 0, count: actions + errors)
    }
  }

  /// Little integral and derivative action before a search: T_i of 370 rows, T_d of 1.4.
  private static let firstLogTime = -2.0

  var start: [Double] { Array(repeating: 0, count: 2 * errors + 1) }

  func answer(_ reading: PolicyReading, memory: Value) -> Law.Answer {
    let builder = reading.builder
    func parameters(_ block: ParameterBlock) -> Value {
      builder.shared(
        RolloutProgram.parameters, offset: block.offset, length: block.shape.reduce(1, *))
    }
    /// [A] from gains [A, E] and what they act on [E].
    func product(_ gains: Value, _ x: Value) -> Value {
      builder.concatenate(
        (0..<actions).map { dot(gains[$0 * errors..<($0 + 1) * errors], x) })
    }
    let (before, rate) = (memory[0..<errors], memory[errors..<2 * errors])
    let hasBefore = memory[2 * errors].broadcast(to: errors)
    let moved = reading.shorterWay(reading.reached - before)
    let bounds = reading.errorBounds
    let change = hasBefore * moved.kept(within: bounds)
    let filtered = (rate + logistic(parameters(filter)) * (change - rate)).named("rate")
    let gains = parameters(gain)
    let derivative = PIDGains.rowsOfRate * (gains * exp(parameters(derivativeTime)))
    let integral = (1 / IntegralAction.rowsOfGain) * (gains * exp(parameters(integralRate)))
    return Law.Answer(
      command: product(gains, reading.errors) - product(derivative, filtered) + parameters(biases),
      memory: builder.concatenate([reading.reached, filtered, builder.constant([1])]),
      integrand: product(integral, reading.errors.kept(within: bounds)))
  }
}

/// The gains of a PID controller in physical units:
/// u = bias + K_p e + s - K_d dy/dt within the limits, ds/dt = K_i e + (u_sent - u_wanted) / T_t.
package struct PIDGains: Hashable, Sendable {
  /// [A][E], units of the action by those of the goal; the integral's a second, the derivative's times a second.
  package var proportional: [[Double]]
  package var integral: [[Double]]
  package var derivative: [[Double]]
  /// [A], units of the action.
  package var bias: [Double]
  /// Time constant of the derivative's filter [E], s.
  package var filterTime: [Double]
  /// Time constant with which the integral follows what was sent [A], s.
  package var trackingTime: [Double]

  /// Whether all are numbers that a machine can have.
  var areSound: Bool {
    let all = (proportional + integral + derivative).joined() + bias + filterTime + trackingTime
    return all.allSatisfy(\.isFinite)
  }

  /// A change a row counts as one in so many rows: a search's parameters should be near 1.
  static let rowsOfRate = 10.0

  /// Of a PID policy; nil of another.
  ///
  /// - Parameters:
  ///   - controller: the policy with its numbers.
  ///   - timeStep: s
  package init?(_ controller: PolicyController, timeStep: Double) {
    let policy = controller.policy
    guard policy.form == .pid else { return nil }
    let inputs = policy.inputs
    let goals = inputs.integrated
    let scales = goals.map { controller.goals?.scale[$0] ?? controller.stateScale[$0] }
    let half = zip(policy.lower, policy.upper).map { 0.5 * ($1 - $0) }
    let middle = zip(policy.lower, policy.upper).map { 0.5 * ($0 + $1) }
    func values(_ name: String) -> [Double] {
      policy.parameterBlocks.first { $0.name == name }.map { block in
        let count = block.shape.reduce(1, *)
        return Array(controller.parameters[block.offset..<block.offset + count])
      } ?? []
    }
    let all = values("gain")
    /// In physical units, each times a factor of its own.
    func gains(_ factors: [Double]) -> [[Double]] {
      half.indices.map { j in
        goals.indices.map { e in
          let index = j * goals.count + e
          return factors[index] * half[j] * all[index] / scales[e]
        }
      }
    }
    /// Of a share that is taken in a time step.
    func time(_ logit: Double) -> Double { timeStep / log1p(Foundation.exp(logit)) }
    let (rates, times) = (values("log_integral_rate"), values("log_derivative_time"))
    proportional = gains(all.map { _ in 1 })
    integral = gains(rates.map { Foundation.exp($0) / (IntegralAction.rowsOfGain * timeStep) })
    derivative = gains(times.map { Foundation.exp($0) * Self.rowsOfRate * timeStep })
    bias = zip(zip(middle, half), values("biases")).map { $0.0 + $0.1 * $1 }
    filterTime = values("derivative_filter").map(time)
    trackingTime = values("integral.tracking").map(time)
  }
}
