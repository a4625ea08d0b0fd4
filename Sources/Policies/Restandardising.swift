// SPDX-License-Identifier: Apache-2.0
// The same policy on other standardisers. A policy reads states as (x - mean) / scale of the data that it was found on; on those of another
// model it is the same function once its first layer takes up the difference, z = f z' + o for each input:
//
//   network        W z + b                                        W' = W f,  b' = b + W o
//   radial basis   exp(-1/2 |s z|^2 + c (s z) + a)                s' = s f,  c' = c - s o,  a' = a + c (s o) - 1/2 |s o|^2
//
//   PID, integral  K e                                            K' = K f
//
// Inputs that are not standardised (sines, past actions) stay; of differences to a goal the mean drops out.

extension PolicyController {
  /// The same function of physical states and goals, with the standardisers of another controller of the same inputs.
  package func restandardised(as other: PolicyController) -> PolicyController {
    precondition(other.policy.inputs == policy.inputs, "policies with other inputs")
    let change = policy.inputs.change(from: other, to: self)
    func scale(_ one: PolicyController, _ goal: Int) -> Double {
      one.goals?.scale[goal] ?? one.stateScale[goal]
    }
    let factors = policy.inputs.integrated.map { scale(other, $0) / scale(self, $0) }
    return PolicyController(
      policy: policy, parameters: policy.reading(change, errorFactors: factors, parameters),
      stateMean: other.stateMean,
      stateScale: other.stateScale, goals: other.goals)
  }
}

/// z = factor z' + offset, of each input of a policy.
private typealias InputChange = (factors: [Double], offsets: [Double])

extension PolicyInputs {
  /// What takes inputs by one controller's standardisers to inputs by another's.
  fileprivate func change(from one: PolicyController, to other: PolicyController) -> InputChange {
    var change: InputChange = ([], [])
    func add(
      _ from: (mean: Double, scale: Double), _ to: (mean: Double, scale: Double), isDifference: Bool
    ) {
      change.factors.append(from.scale / to.scale)
      change.offsets.append(isDifference ? 0 : (from.mean - to.mean) / to.scale)
    }
    func addStates(_ states: Range<Int>, isDifference: Bool) {
      for i in states {
        guard !angles.contains(i) else {
          change.factors += [1, 1]
          change.offsets += [0, 0]
          continue
        }
        add(
          (one.stateMean[i], one.stateScale[i]), (other.stateMean[i], other.stateScale[i]),
          isDifference: isDifference)
      }
    }
    addStates(0..<stateLength, isDifference: false)
    let isDifference = goal == .error
    if goal != .none {
      if let one = one.goals, let other = other.goals {
        for k in one.mean.indices {
          add(
            (one.mean[k], one.scale[k]), (other.mean[k], other.scale[k]),
            isDifference: isDifference)
        }
      } else {
        addStates(0..<stateLength - disturbanceLength, isDifference: isDifference)
      }
    }
    let actions = actionHistory * actionLength
    change.factors += Array(repeating: 1, count: actions)
    change.offsets += Array(repeating: 0, count: actions)
    return change
  }
}

extension Policy {
  /// Parameters with which the changed inputs, and errors by their factors [E], give what inputs and errors gave with these.
  fileprivate func reading(
    _ change: InputChange, errorFactors: [Double], _ parameters: [Double]
  ) -> [Double] {
    var changed = parameters
    func block(_ name: String) -> ParameterBlock {
      guard let block = parameterBlocks.first(where: { $0.name == name }) else {
        preconditionFailure("a policy without '\(name)'")
      }
      return block
    }
    let width = change.factors.count
    switch form {
    case .network:
      let (weights, bias) = (block("layers.0.weight"), block("layers.0.bias"))
      for row in 0..<weights.shape[0] {
        for d in 0..<width {
          let w = parameters[weights.offset + row * width + d]
          changed[weights.offset + row * width + d] = w * change.factors[d]
          changed[bias.offset + row] += w * change.offsets[d]
        }
      }
    case .radialBasis:
      let (inverse, centres, exponents) = (
        block("inverse_widths"), block("centres"), block("exponents")
      )
      for d in 0..<width {
        let s = parameters[inverse.offset + d]
        changed[inverse.offset + d] = s * change.factors[d]
        let shift = s * change.offsets[d]
        for k in 0..<centres.shape[0] {
          let c = parameters[centres.offset + k * width + d]
          changed[centres.offset + k * width + d] = c - shift
          changed[exponents.offset + k] += c * shift - 0.5 * shift * shift
        }
      }
    case .pid: break
    case .custom: preconditionFailure("a policy of a user's own has no first layer that is known")
    }
    for name in ["gain", "integral.gain"] {
      guard let gains = parameterBlocks.first(where: { $0.name == name }) else { continue }
      for row in 0..<gains.shape[0] {
        for (e, factor) in errorFactors.enumerated() {
          changed[gains.offset + row * errorFactors.count + e] *= factor
        }
      }
    }
    if let bounds = parameterBlocks.first(where: { $0.name == "integral.error_bounds" }) {
      for (e, factor) in errorFactors.enumerated() { changed[bounds.offset + e] /= factor }
    }
    return changed
  }
}
