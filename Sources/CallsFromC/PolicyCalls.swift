// SPDX-License-Identifier: Apache-2.0
// The functions `bagel_policy_...` of bagel.h.

import CBagel

@c @implementation
package func bagel_policy_load(
  _ path: UnsafePointer<CChar>?, _ model_path: UnsafePointer<CChar>?,
  _ policy: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
  policy?.pointee = nil
  return answer {
    guard let policy else { throw BadCall("'policy' is NULL") }
    let model = model_path.map { String(cString: $0) }
    policy.pointee = try PolicyHandle(path: string(path, "'path'"), model: model).lent()
  }
}

@c @implementation
package func bagel_policy_free(_ policy: OpaquePointer?) { PolicyHandle.release(policy) }

@c @implementation
package func bagel_policy_count(_ policy: OpaquePointer?, _ channels: bagel_channels) -> Int {
  PolicyHandle.at(policy)?.texts.count(channels) ?? 0
}

@c @implementation
package func bagel_policy_name(
  _ policy: OpaquePointer?, _ channels: bagel_channels, _ index: Int
) -> UnsafePointer<CChar>? {
  PolicyHandle.at(policy)?.texts.name(channels, index)
}

@c @implementation
package func bagel_policy_unit(
  _ policy: OpaquePointer?, _ channels: bagel_channels, _ index: Int
) -> UnsafePointer<CChar>? {
  PolicyHandle.at(policy)?.texts.unit(channels, index)
}

@c @implementation
package func bagel_policy_time_step(_ policy: OpaquePointer?) -> Double {
  PolicyHandle.at(policy)?.description.timeStep ?? 0
}

@c @implementation
package func bagel_policy_limits(
  _ policy: OpaquePointer?, _ lower: UnsafeMutablePointer<Double>?,
  _ upper: UnsafeMutablePointer<Double>?, _ rest: UnsafeMutablePointer<Double>?,
  _ action_count: Int
) -> CInt {
  answer {
    let found = try PolicyHandle.of(policy).policy
    let lists = [("'lower'", lower, found.lower), ("'upper'", upper, found.upper)]
    for (name, pointer, values) in lists + [("'rest'", rest, found.rest)] {
      try output(pointer, action_count, of: found.actionLength, name).fill(values)
    }
  }
}

@c @implementation
package func bagel_policy_reset(_ policy: OpaquePointer?) -> CInt {
  answer { try PolicyHandle.of(policy).reset() }
}

@c @implementation
package func bagel_policy_act(
  _ policy: OpaquePointer?, _ measured: UnsafePointer<Double>?, _ measured_count: Int,
  _ goal: UnsafePointer<Double>?, _ goal_count: Int, _ seconds: Double,
  _ action: UnsafeMutablePointer<Double>?, _ action_count: Int
) -> CInt {
  act(policy, action, action_count) { found in
    guard found.isMeasured else {
      throw BadCall("the policy was loaded without a model: it accepts only states")
    }
    let (row, wanted): ([Double], [Double])
    do {
      row = try numbers(measured, measured_count, of: found.measuredCount, "'measured'")
      wanted = try numbers(goal, goal_count, of: found.goalCount, "'goal'")
    } catch let error as BadNumbers {
      found.pass(seconds: seconds)
      throw error
    }
    return try found.action(measured: row, goal: wanted, seconds: seconds)
  }
}

@c @implementation
package func bagel_policy_act_on_states(
  _ policy: OpaquePointer?, _ states: UnsafePointer<Double>?, _ state_count: Int,
  _ goal: UnsafePointer<Double>?, _ goal_count: Int, _ action: UnsafeMutablePointer<Double>?,
  _ action_count: Int
) -> CInt {
  act(policy, action, action_count) { found in
    let seen = try numbers(states, state_count, of: found.policy.stateLength, "'states'")
    return try found.action(
      states: seen, goal: numbers(goal, goal_count, of: found.goalCount, "'goal'"))
  }
}

@c @implementation
package func bagel_policy_sent(
  _ policy: OpaquePointer?, _ action: UnsafePointer<Double>?, _ action_count: Int
) -> CInt {
  answer {
    let found = try PolicyHandle.of(policy)
    found.sent(try numbers(action, action_count, of: found.policy.actionLength, "'action'"))
  }
}

/// Fills `action`: with the resting action where a number is not finite, because a caller who does not look at the code sends it.
private func act(
  _ policy: OpaquePointer?, _ action: UnsafeMutablePointer<Double>?, _ count: Int,
  _ own: (PolicyHandle) throws -> [Double]
) -> CInt {
  answer {
    let found = try PolicyHandle.of(policy)
    let result = try output(action, count, of: found.policy.actionLength, "'action'")
    do {
      result.fill(try own(found))
    } catch let error as BadNumbers {
      result.fill(found.policy.rest)
      found.refuse()
      throw error
    }
  }
}
