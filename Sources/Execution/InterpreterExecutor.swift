// SPDX-License-Identifier: Apache-2.0
// The definition of a rollout: the interpreter in double precision, one particle after the other.
// Used as the reference in tests, and on request where no C compiler is found. About a thousand times
// slower than HostExecutor.

import Programs

/// Runs rollouts with the interpreter.
package final class InterpreterExecutor: RolloutExecutor {
  package let rollout: RolloutProgram
  package let device = "interpreter, double precision"
  private var data: [String: [Double]]
  private let taped: TapedProgram
  private let terminalAdjoint: Program?

  package init(_ rollout: RolloutProgram, data: [String: [Double]]) {
    self.rollout = rollout
    self.data = data
    taped = rollout.taped(.inputsOnly)
    terminalAdjoint = rollout.terminalAdjoint
  }

  package func fingerprint(particles: Int) -> String {
    "interpreter\n\(KernelSource(rollout).text)"
  }

  package func rebind(_ name: String, _ values: [Double]) {
    precondition(
      values.count == data[name]?.count,
      "'\(name)' has \(data[name]?.count ?? 0) scalars, not \(values.count)")
    data[name] = values
  }

  package func returns(_ batch: RolloutBatch) -> BatchReturns { trajectories(batch).returns }

  package func trajectories(_ batch: RolloutBatch) -> BatchTrajectories {
    let paths = forward(batch)
    let count = batch.particles
    var states: [Double] = []
    var actions: [Double] = []
    for step in 0...batch.horizon {
      for particle in 0..<count { states += paths[particle].states[step] }
    }
    for step in 0..<batch.horizon {
      for particle in 0..<count { actions += paths[particle].actions[step] }
    }
    return BatchTrajectories(
      returns: summary(paths, batch), states: states, actions: actions, particles: count,
      horizon: batch.horizon, carryLength: rollout.carryLength, actionLength: rollout.actionLength)
  }

  package func gradient(_ batch: RolloutBatch) -> BatchGradient {
    let paths = forward(batch)
    var gradient = [Double](repeating: 0, count: rollout.parameterCount)
    var truncated = 0
    let seed = batch.weights(for: rollout).map { $0 / Double(batch.particles) }
    for (particle, path) in paths.enumerated() {
      let interpreter = bind(batch, particle)
      var isTruncated = false
      func limited(_ adjoint: [Double]) -> [Double] {
        adjoint.map { element in
          if abs(element) <= rollout.adjointLimit { return element }
          isTruncated = true
          return 0
        }
      }
      var adjoint = [Double](repeating: 0, count: rollout.carryLength)
      if let terminalAdjoint, path.aliveSteps == batch.horizon {
        var inputs = inputs(batch, particle, path.states[batch.horizon])
        inputs["adj_reward"] = seed
        adjoint = limited(interpreter.run(terminalAdjoint, inputs: inputs)["adj_state"])
      }
      for step in (0..<path.aliveSteps).reversed() {
        var inputs = inputs(batch, particle, path.states[step])
        (inputs["adj_next"], inputs["adj_reward"]) = (adjoint, seed)
        let result = interpreter.run(
          taped.adjoint, inputs: inputs, draws: draws(batch, particle, step))
        adjoint = limited(result["adj_state"])
        for (i, term) in (result.sharedAdjoints[RolloutProgram.parameters] ?? []).enumerated() {
          gradient[i] += term
        }
      }
      if isTruncated { truncated += 1 }
    }
    return BatchGradient(
      returns: summary(paths, batch), gradient: gradient, truncated: truncated)
  }

  private struct Path {
    /// [H + 1][carryLength]; the last alive one is repeated after divergence.
    var states: [[Double]]
    var actions: [[Double]] = []
    /// [1 + C]
    var totals: [Double]
    var aliveSteps = 0
    var outsideSteps = 0

    mutating func add(_ reward: [Double]) { totals = zip(totals, reward).map(+) }
  }

  private func forward(_ batch: RolloutBatch) -> [Path] {
    batch.validate(for: rollout)
    let length = rollout.carryLength
    return (0..<batch.particles).map { particle in
      let interpreter = bind(batch, particle)
      var state = Array(batch.initialStates[particle * length..<(particle + 1) * length])
      let initial = interpreter.run(rollout.initial, inputs: inputs(batch, particle, state))
      var path = Path(states: [state], totals: initial[.reward])
      var isAlive = true
      for step in 0..<batch.horizon {
        let result = interpreter.run(
          rollout.step, inputs: inputs(batch, particle, state), draws: draws(batch, particle, step))
        let next = result[.next]
        isAlive =
          isAlive
          && next.prefix(rollout.stateLength).allSatisfy { abs($0) <= rollout.stateLimit }
        if isAlive {
          state = next
          path.add(result[.reward])
          path.aliveSteps += 1
        }
        if result.outsideCount > 0 { path.outsideSteps += 1 }
        path.states.append(state)
        path.actions.append(result[.action])
      }
      if isAlive, let terminal = rollout.terminal {
        path.add(interpreter.run(terminal, inputs: inputs(batch, particle, state))[.reward])
      }
      return path
    }
  }

  private func bind(_ batch: RolloutBatch, _ particle: Int) -> Interpreter {
    let k = rollout.functionLength
    let function = Array(batch.functionDraws[particle * k..<(particle + 1) * k])
    return Interpreter(
      shared: SharedArrays.joined([
        data,
        [RolloutProgram.parameters: batch.parameters, RolloutProgram.functionDraw: function],
      ]))
  }

  private func inputs(
    _ batch: RolloutBatch, _ particle: Int, _ state: [Double]
  ) -> [String: [Double]] {
    let length = rollout.goalLength
    return [
      "state": state, "goal": Array(batch.goals[particle * length..<(particle + 1) * length]),
    ]
  }

  private func draws(
    _ batch: RolloutBatch, _ particle: Int, _ step: Int
  ) -> (Int, Int) -> [Double] {
    { first, count in
      batch.draws.normals(particle: particle, step: step, first: first, count: count)
    }
  }

  private func summary(_ paths: [Path], _ batch: RolloutBatch) -> BatchReturns {
    BatchReturns(
      totals: paths.flatMap(\.totals), weights: batch.weights(for: rollout),
      diverged: paths.count { $0.aliveSteps < batch.horizon },
      outsideFraction: Double(paths.reduce(0) { $0 + $1.outsideSteps })
        / Double(batch.particles * batch.horizon))
  }
}
