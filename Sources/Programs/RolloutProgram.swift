// SPDX-License-Identifier: Apache-2.0
// The time loop around a step program (Algorithm 1, lines 9-16): what executors run.
//
//   G = initial(s, goal);  repeat H times: (s, r) = step(s, goal); G = G + r;  G = G + terminal(s, goal)
//
// r and G are vectors: the return, and costs that are added up beside it.
// In: initial carries [B, carryLength], goals [B, goalLength], parameters [P], weights of the totals [1 + C].
// Out: totals [B, 1 + C], and the gradient of their weighted mean with respect to the parameters [P].

/// What programs of a rollout exchange with its time loop.
package enum RolloutPort: String, Hashable, Sendable {
  /// In: what the particle carries. (It begins with its state.)
  case carry = "state"
  /// In: the goal.
  case goal
  /// Out: the next carry.
  case next
  /// Out: what is added to the totals [1 + C].
  case reward
  /// Out: the action, for records.
  case action
}

/// A step, an initial and a terminal reward, and the lengths that tie them together.
package struct RolloutProgram: Hashable, Sendable {
  /// In: carry, goal. Out: reward.
  package let initial: Program
  /// In: carry, goal. Out: next, reward, action.
  package let step: Program
  /// In: carry, goal. Out: reward. nil for none.
  package let terminal: Program?
  /// Names of what is added up over a rollout: the return, then the costs.
  package let totals: [String]
  package let carryLength: Int
  /// How many of its first elements are the particle's state, to which `stateLimit` applies.
  package let stateLength: Int
  package let goalLength: Int
  package let actionLength: Int
  /// P, the length of the shared array "parameters".
  package let parameterCount: Int
  /// A particle with an element of its next |state| above this (or NaN) is diverged: it keeps its last carry
  /// and earns nothing from then on.
  package let stateLimit: Double
  /// An element of a carry's adjoint above this is set to zero in the reverse loop: the particle's
  /// later rewards stop reaching back. Unstable closed loops multiply adjoints at every step (1.35
  /// over 300 steps overflows single precision); sound ones are far smaller.
  package let adjointLimit: Double

  /// Steps that it can make: what it reads of logs goes no further.
  package let longestHorizon: Int

  /// Length of what each particle brings along, below.
  package let functionLength: Int

  /// Name of the shared array that is differentiated.
  package static let parameters = "parameters"
  /// Names of the states' standardiser [S]: what makes a carried state's numbers physical.
  package static let stateMean = "state_mean"
  package static let stateScale = "state_scale"
  /// Name of the array that every particle has its own of, the same at every step: weights of a function
  /// drawn from the posterior. Only the step reads it: as `shared` runs and as a weighted sum's weights.
  package static let functionDraw = "function_draw"

  /// Programs that lack a port, have another one or disagree on a length are a caller's bug. Without `stateLength`, all of the
  /// carry is the state.
  package init(
    initial: Program, step: Program, terminal: Program? = nil, totals: [String] = ["return"],
    stateLength: Int? = nil, parameterCount: Int, stateLimit: Double, adjointLimit: Double = 1e6,
    longestHorizon: Int = .max
  ) {
    self.initial = initial
    self.step = step
    self.terminal = terminal
    self.totals = totals
    self.parameterCount = parameterCount
    self.stateLimit = stateLimit
    self.adjointLimit = adjointLimit
    self.longestHorizon = longestHorizon
    functionLength = step.shared[Self.functionDraw] ?? 0
    let carry = step.length(of: .next)
    let goals = [initial, step, terminal].compactMap { $0?.inputs[RolloutPort.goal.rawValue] }
    (carryLength, goalLength) = (carry, goals.max() ?? 0)
    self.stateLength = stateLength ?? carry
    precondition(self.stateLength <= carry, "a state of \(self.stateLength) in a carry of \(carry)")
    actionLength = step.length(of: .action)
    precondition(
      !totals.isEmpty && Set(totals).count == totals.count, "totals of a rollout: \(totals)")
    let inputs = [RolloutPort.carry: carryLength, .goal: goalLength]
    step.check(
      "step", inputs, [.next: carryLength, .reward: totals.count, .action: actionLength])
    initial.check("initial", inputs, [.reward: totals.count])
    terminal?.check("terminal", inputs, [.reward: totals.count])
    for (name, program) in [("initial", initial), ("terminal", terminal)] {
      guard let program else { continue }
      let draws = program.instructions.contains {
        if case .normal = $0.operation { true } else { false }
      }
      precondition(
        !draws && program.shared[Self.parameters] == nil
          && program.shared[Self.functionDraw] == nil,
        "the \(name) program reads draws or parameters; only a step may")
    }
  }

  /// The step and its adjoint with respect to carry and parameters.
  package func taped(_ policy: TapePolicy) -> TapedProgram {
    var differentiated = step
    differentiated.outputs.removeAll { $0.name == RolloutPort.action.rawValue }
    return differentiated.removingDeadCode().taped(
      policy, withRespectTo: [RolloutPort.carry.rawValue], sharedArrays: [Self.parameters])
  }

  /// The terminal reward's adjoint with respect to the carry; nil where it does not depend on that.
  package var terminalAdjoint: Program? {
    guard let terminal, terminal.inputs[RolloutPort.carry.rawValue] != nil else { return nil }
    return terminal.adjoint(withRespectTo: [RolloutPort.carry.rawValue])
  }

  /// What executors run forward.
  package var programs: [Program] { [initial, step] + (terminal.map { [$0] } ?? []) }

  /// How many scalars of a shared array the programs read, tables as large as their geometry says.
  package func leastCount(of array: String, data: [String: [Double]]) -> Int {
    var least = programs.map { $0.shared[array] ?? 0 }.max() ?? 0
    func gridSize(_ geometryName: String, _ dimensions: Int) -> Int {
      guard let geometry = data[geometryName], geometry.count >= 3 * dimensions else { return 0 }
      let counts = (0..<dimensions).map { Int(geometry[3 * $0 + 2]) }
      precondition(counts.allSatisfy { $0 >= 4 }, "a grid of \(counts) points; 4 an axis at least")
      return counts.reduce(1, *)
    }
    for case let function? in programs.flatMap(\.instructions).map(\.operation.localFunction) {
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
  package var dataArrays: [String] {
    Set(programs.flatMap(\.shared.keys)).subtracting([Self.parameters, Self.functionDraw]).sorted()
  }
}

extension Program {
  /// The length of an output.
  fileprivate func length(of port: RolloutPort) -> Int { self[output(port.rawValue)].length }

  /// Traps unless the outputs are these, each once, and the inputs are among these, all with these lengths.
  fileprivate func check(
    _ name: String, _ inputs: [RolloutPort: Int], _ outputs: [RolloutPort: Int]
  ) {
    let found = self.outputs.map(\.name).sorted()
    let wanted = outputs.keys.map(\.rawValue).sorted()
    precondition(found == wanted, "outputs of the \(name) program are \(found), not \(wanted)")
    for (port, length) in outputs {
      let found = self.length(of: port)
      precondition(
        found == length,
        "'\(port.rawValue)' of the \(name) program has length \(found), not \(length)")
    }
    for (input, length) in self.inputs {
      let wanted = RolloutPort(rawValue: input).flatMap { inputs[$0] }
      precondition(
        wanted == length,
        "input '\(input)' of the \(name) program has length \(length), not \(wanted ?? 0)")
    }
  }
}

extension ProgramBuilder {
  /// An input from the time loop.
  package func input(_ port: RolloutPort, length: Int) -> Value {
    input(port.rawValue, length: length)
  }

  /// An output to the time loop.
  package func output(_ port: RolloutPort, _ value: Value) { output(port.rawValue, value) }
}

extension Interpretation {
  /// The output of a port, which the program has.
  package subscript(port: RolloutPort) -> [Double] { self[port.rawValue] }
}
