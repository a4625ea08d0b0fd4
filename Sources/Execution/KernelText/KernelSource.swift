// SPDX-License-Identifier: Apache-2.0
// A rollout program -> the text of its kernel, for the host or for a GPU:
//
//   bagel_returns:   G = initial(s);  for k < H: (s, r) = step(s);  G += r
//   bagel_gradient:  the same, keeping each step's state and tape;
//                    for k = H - 1 ... 0: (sbar, gradient) = adjoint step(s_k, tape_k, sbar, 1 / B)
//
// A particle whose next state leaves the limit keeps its state and earns nothing from then on. The step
// functions are the same text on every device; prelude (vocabulary) and time loops are the device's.

import Programs

/// What a kernel is emitted for.
package enum KernelTarget: Hashable, Sendable {
  /// To be fast for B particles, any B runs; nil for many.
  case host(particles: Int? = nil)
  case cuda(CUDASchedule)
}

/// The emitted kernel of a rollout and what a launcher needs to know about it.
package struct KernelSource: Sendable {
  package let text: String
  /// The part that is the same on every device: local functions and steps.
  package let sharedText: String
  /// T, vectors of particles a tile.
  package let vectors: Int
  /// Names of the shared arrays in the order in which the kernel takes them.
  package let dataArrays: [String]
  /// Rows [T] a step that `bagel_gradient` keeps: state, then tape.
  let keptPerStep: Int
  /// Rows [T] of scratch memory beside the kept ones.
  let scratchRows: Int
  /// Rows [T] that the steps' local values take on a thread's stack, at most.
  let stackRows: Int
  /// Matrices of which a GPU wants a transposed copy, one after the other.
  let transposed: [SharedMatrix]
  /// The longest side of a large layer.
  let widestLayer: Int

  /// So many fit one vector of the widest processors.
  private static let particlesOfOneVector = 16

  /// - Parameters:
  ///   - rollout: what the kernel runs.
  ///   - tape: what a step keeps for its adjoint.
  ///   - target: what it is emitted for.
  package init(
    _ rollout: RolloutProgram, tape: TapePolicy = .expensiveValues, target: KernelTarget = .host()
  ) {
    let steps = StepText(rollout, tape: tape)
    dataArrays = rollout.dataArrays
    scratchRows = steps.functions.scratchRows
    keptPerStep = rollout.carryLength + steps.tapeLength
    stackRows = steps.programs
      .flatMap(\.instructions).reduce(0) { $0 + $1.length }
    transposed = steps.transposedMatrices
    widestLayer = steps.largeMatrices.map { max($0.rows, $0.columns) }.max() ?? 0
    sharedText = steps.text.joined(separator: "\n")
    let parts: [[String]]
    switch target {
    case .host(let particles):
      // A product over many rows wants four accumulators a row; small steps want registers, few particles no idle vectors.
      let hasProducts = steps.functions.hasWeightedSum || rollout.parameterCount > 1_000
      vectors = hasProducts && particles ?? .max > Self.particlesOfOneVector ? 4 : 1
      parts = Self.host(steps, vectors: vectors)
    case .cuda(let schedule):
      vectors = schedule.particlesPerLane
      parts = Self.cuda(steps, schedule)
    }
    text = parts.map { $0.joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
  }

  /// Rows [T] of workspace that a thread of the host wants for H steps.
  func workspaceVectors(horizon: Int, parameterCount: Int) -> Int {
    (horizon + 1) * keptPerStep + parameterCount + scratchRows
  }

  private static func host(_ steps: StepText, vectors: Int) -> [[String]] {
    let accumulators = steps.accumulators.enumerated().map { k, accumulator in
      "ACCUMULATOR_\(k) = \(accumulator.target),"
    }
    return [
      ["// Emitted by BAGEL: one fused rollout and its adjoint. T vectors of W particles a tile."],
      ["enum { T = \(vectors), \(accumulators.joined(separator: " ")) };", lengths(steps)],
      [HostPrelude.text, HostGridPrelude.text, HostProductPrelude.text],
      HostLoops.arguments(dataArrays: steps.rollout.dataArrays),
      steps.text,
      [
        HostLoops.text(steps)
      ],
    ]
  }

  private static func cuda(_ steps: StepText, _ schedule: CUDASchedule) -> [[String]] {
    [
      ["// Emitted by BAGEL: one fused rollout and its adjoint. A team of lanes for T particles."],
      [schedule.constants, lengths(steps), CUDALoops.constants(steps, schedule)],
      [CUDAPrelude.text, CUDAGridPrelude.text, CUDAProductPrelude.text],
      CUDALoops.arguments(steps),
      steps.text,
      [CUDALoops.text(steps)],
      [CUDAAscent.text],
    ]
  }

  /// Lengths that prelude and loops use.
  static func lengths(_ steps: StepText) -> String {
    let rollout = steps.rollout
    return """
      enum { S = \(rollout.carryLength), G = \(rollout.goalLength), U = \(rollout.actionLength), \
      TOTALS = \(rollout.totals.count), TAPE = \(steps.tapeLength), P = \(rollout.parameterCount), F = \(rollout.functionLength),
             DRAWS = \(steps.draws), ADJOINT_DRAWS = \(steps.adjointDraws), G_OR_1 = G > 0 ? G : 1,
             TAPE_OR_1 = TAPE > 0 ? TAPE : 1, DRAWS_OR_1 = DRAWS > 0 ? DRAWS : 1 };
      """
  }
}
