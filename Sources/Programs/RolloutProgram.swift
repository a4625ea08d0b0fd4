// SPDX-License-Identifier: Apache-2.0
// The time loop around a step program (Algorithm 1, lines 9-16): what executors run.
//
//   G = initial(state, goal);  repeat H times: (state, r) = step(state, goal); G = G + r
//
// In: initial states [B, stateLength], goals [B, goalLength], parameters [P].
// Out: returns [B], and the gradient of their mean with respect to the parameters [P].

/// A step, an initial reward, and the lengths that tie them together.
public struct RolloutProgram: Hashable, Sendable {
  /// Inputs "state", "goal"; output "reward" of length 1.
  public let initial: Program
  /// Inputs "state", "goal"; outputs "next" (as long as "state"), "reward" (1) and "action".
  public let step: Program
  public let stateLength: Int
  public let goalLength: Int
  public let actionLength: Int
  /// P, the length of the shared array "parameters".
  public let parameterCount: Int
  /// A particle with an element of |next| above this (or NaN) is diverged: it keeps its last state
  /// and earns nothing from then on.
  public let stateLimit: Double
  /// An element of a state's adjoint above this is set to zero in the reverse loop: the particle's
  /// later rewards stop reaching back. Unstable closed loops multiply adjoints at every step (1.35
  /// over 300 steps overflows single precision); sound ones stay below 10^4 in standardised units.
  public let adjointLimit: Double

  /// Name of the shared array that is differentiated.
  public static let parameters = "parameters"

  public init(
    initial: Program, step: Program, parameterCount: Int, stateLimit: Double,
    adjointLimit: Double = 1e6
  ) {
    self.initial = initial
    self.step = step
    self.parameterCount = parameterCount
    self.stateLimit = stateLimit
    self.adjointLimit = adjointLimit
    stateLength = step.inputs["state"] ?? 0
    goalLength = step.inputs["goal"] ?? 0
    actionLength = step[step.output("action")].length
    let next = step[step.output("next")].length
    precondition(next == stateLength, "next state has length \(next), the state \(stateLength)")
    precondition(step[step.output("reward")].length == 1, "a reward is a scalar")
  }

  /// The step and its adjoint with respect to state and parameters.
  public func taped(_ policy: TapePolicy) -> TapedProgram {
    var differentiated = step
    differentiated.outputs.removeAll { $0.name == "action" }
    return differentiated.removingDeadCode().taped(
      policy, withRespectTo: ["state"], sharedArrays: [Self.parameters])
  }

  /// Shared arrays other than the parameters, sorted by name.
  public var dataArrays: [String] {
    Set(initial.shared.keys).union(step.shared.keys).subtracting([Self.parameters]).sorted()
  }
}
