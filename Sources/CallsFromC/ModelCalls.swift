// SPDX-License-Identifier: Apache-2.0
// The functions `bagel_model_...` of bagel.h.

import Bagel
import CBagel
import Execution
import GaussianProcesses
import SafeText

@c @implementation
package func bagel_model_load(
  _ path: UnsafePointer<CChar>?, _ particles: Int, _ doubt: bagel_doubt,
  _ has_sensor_noise: CInt, _ seed: UInt64, _ device: UnsafePointer<CChar>?,
  _ model: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
  model?.pointee = nil
  return answer {
    guard let model else { throw BadCall("'model' is NULL") }
    let path = try string(path, "'path'")
    guard ModelSimulator.possibleParticles.contains(particles) else {
      throw BadCall(
        "'particles' is \(UInt(bitPattern: particles)); it must be 1 to 1,000,000")
    }
    guard let doubt = SimulatedDoubt(doubt) else {
      throw BadCall("'doubt' is not a value of bagel_doubt")
    }
    let chosen = try device.map { try executionDevice(String(cString: $0)) }
    try chosen?.checkAvailable()
    let simulator = try ModelSimulator(
      DynamicsModel(path: path), doubt: doubt, particles: particles, seed: seed,
      hasSensorNoise: has_sensor_noise != 0, device: chosen)
    model.pointee = ModelHandle(simulator).lent()
  }
}

private func executionDevice(_ name: String) throws(BadCall) -> ExecutionDevice {
  guard let device = ExecutionDevice(rawValue: name) else {
    let known = ExecutionDevice.allCases.map(\.rawValue).joined(separator: ", ")
    throw BadCall("'device' is '\(shortened(name))'; it must be \(known), or NULL")
  }
  return device
}

@c @implementation
package func bagel_model_free(_ model: OpaquePointer?) { ModelHandle.release(model) }

@c @implementation
package func bagel_model_particles(_ model: OpaquePointer?) -> Int {
  ModelHandle.at(model)?.simulator.particles ?? 0
}

@c @implementation
package func bagel_model_doubt(_ model: OpaquePointer?) -> bagel_doubt {
  ModelHandle.at(model)?.simulator.doubt.code ?? BAGEL_DOUBT_NONE
}

@c @implementation
package func bagel_model_count(_ model: OpaquePointer?, _ channels: bagel_channels) -> Int {
  ModelHandle.at(model)?.texts.count(channels) ?? 0
}

@c @implementation
package func bagel_model_name(
  _ model: OpaquePointer?, _ channels: bagel_channels, _ index: Int
) -> UnsafePointer<CChar>? {
  ModelHandle.at(model)?.texts.name(channels, index)
}

@c @implementation
package func bagel_model_unit(
  _ model: OpaquePointer?, _ channels: bagel_channels, _ index: Int
) -> UnsafePointer<CChar>? {
  ModelHandle.at(model)?.texts.unit(channels, index)
}

@c @implementation
package func bagel_model_time_step(_ model: OpaquePointer?) -> Double {
  ModelHandle.at(model)?.simulator.model.layout.timeStep ?? 0
}

@c @implementation
package func bagel_model_reset(
  _ model: OpaquePointer?, _ which: UnsafePointer<Int>?, _ which_count: Int,
  _ seed: UnsafePointer<UInt64>?, _ start: UnsafePointer<Double>?, _ start_count: Int,
  _ states: UnsafeMutablePointer<Double>?, _ state_count: Int
) -> CInt {
  answer {
    let found = try ModelHandle.of(model)
    let particles = try found.particles(which, which_count)
    let isNamed = start != nil || start_count != 0
    let first =
      isNamed
      ? try numbers(
        start, start_count, of: found.stateCount, "'start'", largest: ModelSimulator.largestNumber)
      : nil
    let count = (particles?.count ?? found.simulator.particles) * found.stateCount
    let result = try output(states, state_count, of: count, "'states'")
    result.fill(try found.simulator.begin(particles, seed: seed?.pointee, to: first))
  }
}

@c @implementation
package func bagel_model_step(
  _ model: OpaquePointer?, _ actions: UnsafePointer<Double>?, _ action_count: Int,
  _ states: UnsafeMutablePointer<Double>?, _ state_count: Int
) -> CInt {
  answer {
    let found = try ModelHandle.of(model)
    let particles = found.simulator.particles
    let sent = try numbers(
      actions, action_count, of: particles * found.actionCount, "'actions'",
      largest: ModelSimulator.largestNumber)
    let result = try output(states, state_count, of: particles * found.stateCount, "'states'")
    result.fill(try found.simulator.step(flat: sent))
  }
}

@c @implementation
package func bagel_model_states(
  _ model: OpaquePointer?, _ states: UnsafeMutablePointer<Double>?, _ state_count: Int
) -> CInt {
  answer {
    let found = try ModelHandle.of(model)
    let count = found.simulator.particles * found.stateCount
    try output(states, state_count, of: count, "'states'").fill(found.simulator.flatStates)
  }
}
