// SPDX-License-Identifier: Apache-2.0
// One program at many points: y_i = f(x_i), as a compiled kernel in single precision. In: points
// [m, D]. Out: values [m, outputs]. It is a rollout of one step without a reward, so everything that holds
// for rollout kernels (threads, cache, errors) holds here.

import Draws
import Programs

/// Evaluates a function of x as a compiled kernel.
package final class PointwiseEvaluator {
  private let program: RolloutProgram
  private let executor: any RolloutExecutor
  private let inputs: Int
  private let outputs: Int

  /// - Parameters:
  ///   - inputs: D
  ///   - data: values of the shared arrays, by name.
  ///   - device: nil for one by the work; where there is neither C compiler nor GPU, that is the interpreter, much slower.
  ///   - points: about how many at once.
  ///   - function: builds y from x [D].
  /// - Throws: `ExecutionError`, `CUDAFailure`.
  package init(
    inputs: Int, data: [String: [Double]], device: ExecutionDevice? = nil, points: Int = 1,
    _ function: (Value) -> Value
  ) throws {
    let builder = ProgramBuilder()
    // State and next state are equally long: x and y share one vector, filled up with zeros.
    let probe = function(ProgramBuilder().input(.carry, length: inputs))
    let length = max(inputs, probe.length)
    func filled(_ value: Value) -> Value {
      let missing = length - value.length
      return missing == 0
        ? value
        : builder.concatenate([value, builder.zeros(missing)])
    }
    let state = builder.input(.carry, length: length)
    builder.output(.next, filled(function(inputs == length ? state : state[0..<inputs])))
    builder.output(.reward, builder.constant([0]))
    builder.output(.action, builder.constant([0]))
    let initial = ProgramBuilder()
    initial.output(.reward, initial.constant([0]))
    let program = RolloutProgram(
      initial: initial.finish(), step: builder.finish(), parameterCount: 0,
      stateLimit: Double(Float.greatestFiniteMagnitude))
    self.program = program
    do {
      executor = try ExecutionDevice.makeExecutor(
        on: device, program, data: data, particles: points, horizon: 1)
    } catch ExecutionError.noCompiler where device == nil {
      executor = InterpreterExecutor(program, data: data)
    }
    self.inputs = inputs
    outputs = probe.length
  }

  /// Other values for one shared array, as many as before. Throws: `ExecutionError.outOfMemory`.
  package func rebind(_ name: String, _ values: [Double]) throws {
    try executor.rebind(name, values)
  }

  /// Row-major values [m, outputs] at row-major points [m, D]; all NaN if one is not finite.
  ///
  /// Throws: `ExecutionError.outOfMemory`.
  package func values(at points: [Double]) throws -> [Double] {
    let count = points.count / inputs
    let length = program.carryLength
    var states = [Double](repeating: 0, count: count * length)
    for i in 0..<count {
      for d in 0..<inputs { states[i * length + d] = points[i * inputs + d] }
    }
    let batch = RolloutBatch(
      parameters: [], initialStates: states, goals: [], particles: count, horizon: 1,
      draws: DrawKey(seed: 0))
    let result = try executor.trajectories(batch)
    var values = [Double](repeating: .nan, count: count * outputs)
    if result.returns.diverged > 0 { return values }
    for i in 0..<count {
      for o in 0..<outputs { values[i * outputs + o] = result.states[(count + i) * length + o] }
    }
    return values
  }
}
