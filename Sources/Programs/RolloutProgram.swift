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
  /// over 300 steps overflows single precision); sound ones are far smaller.
  public let adjointLimit: Double

  /// Length of what each particle brings along, below.
  public let functionLength: Int

  /// Name of the shared array that is differentiated.
  public static let parameters = "parameters"
  /// Names of the states' standardiser [S]: what makes a carried state's numbers physical.
  public static let stateMean = "state_mean"
  public static let stateScale = "state_scale"
  /// Name of the array that every particle has its own of, the same at every step: weights of a function
  /// drawn from the posterior. Only the step reads it: as `shared` runs and as a weighted sum's weights.
  public static let functionDraw = "function_draw"

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
    functionLength = step.shared[Self.functionDraw] ?? 0
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

  /// How many scalars of a shared array the programs read, tables as large as their geometry says.
  public func leastCount(of array: String, data: [String: [Double]]) -> Int {
    var least = max(initial.shared[array] ?? 0, step.shared[array] ?? 0)
    func gridSize(_ geometryName: String, _ dimensions: Int) -> Int {
      guard let geometry = data[geometryName], geometry.count >= 3 * dimensions else { return 0 }
      let counts = (0..<dimensions).map { Int(geometry[3 * $0 + 2]) }
      precondition(counts.allSatisfy { $0 >= 4 }, "a grid of \(counts) points; 4 an axis at least")
      return counts.reduce(1, *)
    }
    for instruction in initial.instructions + step.instructions {
      guard case .apply(let function, _) = instruction.operation else { continue }
      switch function {
      case .interpolation(let f):
        if f.table == array {
          least = max(least, 4 * f.groups * gridSize(f.geometry, f.dimensions))
        }
      case .gridVariance(let f):
        if f.root == array { least = max(least, f.rank * gridSize(f.geometry, f.dimensions)) }
      case .weightedSum: break
      }
    }
    return least
  }

  /// Shared arrays other than the parameters and the function draws, sorted by name.
  public var dataArrays: [String] {
    Set(initial.shared.keys).union(step.shared.keys)
      .subtracting([Self.parameters, Self.functionDraw]).sorted()
  }
}
