// SPDX-License-Identifier: Apache-2.0
// A rollout program -> the text of its kernel. One call runs one tile of T vectors of particles:
//
//   bagel_returns:   G = initial(s);  for k < H: (s, r) = step(s);  G += r
//   bagel_gradient:  the same, keeping each step's state and tape;
//                    for k = H - 1 ... 0: (sbar, gradient) = adjoint step(s_k, tape_k, sbar, 1 / B)
//
// A particle whose next state leaves the limit keeps its state and earns nothing from then on.

import Programs

/// The emitted kernel of a rollout and what a launcher needs to know about it.
public struct KernelSource: Sendable {
  public let text: String
  /// T, vectors of particles a tile.
  public let vectors: Int
  /// Names of the shared arrays in the order in which the kernel takes them.
  public let dataArrays: [String]
  /// Vectors [T] a step that `bagel_gradient` keeps (state and tape).
  let keptPerStep: Int
  /// Vectors [T] of scratch memory beside the kept ones.
  let scratchVectors: Int

  /// Slots of the pointer argument before the shared arrays.
  static let fixedPointers = [
    "parameters", "initial_states", "goals", "function_draws", "returns", "outside_steps",
    "alive_steps", "gradients",
    "state_record", "action_record", "truncations",
  ]

  /// Slot of the record of states; NULL there means that nothing is recorded.
  static let stateRecordSlot = 8

  public init(_ rollout: RolloutProgram, tape: TapePolicy = .expensiveValues) {
    let taped = rollout.taped(tape)
    let functions = LocalFunctionNames(of: [
      rollout.initial, rollout.step, taped.forward, taped.adjoint,
    ])
    // A product over many rows wants four accumulators a row; small steps want registers.
    vectors = functions.hasWeightedSum || rollout.parameterCount > 1_000 ? 4 : 1
    dataArrays = rollout.dataArrays
    scratchVectors = functions.scratchVectors
    let tapeLength = taped.stored.reduce(0) { $0 + (taped.adjoint.inputs[$1] ?? 0) }
    keptPerStep = rollout.stateLength + tapeLength
    let emitter = KernelEmitter(
      rollout: rollout, taped: taped, functions: functions, vectors: vectors,
      dataArrays: dataArrays, tapeLength: tapeLength)
    text = emitter.text
  }

  /// Vectors [T] of workspace for H steps.
  func workspaceVectors(horizon: Int, parameterCount: Int) -> Int {
    (horizon + 1) * keptPerStep + parameterCount + scratchVectors
  }
}

private struct KernelEmitter {
  let rollout: RolloutProgram
  let taped: TapedProgram
  let functions: LocalFunctionNames
  let vectors: Int
  let dataArrays: [String]
  let tapeLength: Int

  private var s: Int { rollout.stateLength }
  private var g: Int { max(rollout.goalLength, 1) }
  private var u: Int { rollout.actionLength }
  /// Without parameters there is nothing to differentiate, and no adjoint is emitted.
  private var isDifferentiated: Bool { rollout.parameterCount > 0 }

  var text: String {
    let parts: [[String]] = [
      ["// Emitted by BAGEL: one fused rollout and its adjoint. T vectors of W particles a tile."],
      ["enum { T = \(vectors) };"],
      [HostPrelude.text, GridPrelude.text, ProductPrelude.text],
      arguments,
      functions.definitions,
      step("initial_reward", rollout.initial, results: [("reward", 1)]),
      step("step", rollout.step, results: [("next", s), ("reward", 1), ("action", u)]),
      isDifferentiated
        ? step("step_taped", taped.forward, results: [("next", s), ("reward", 1)], tape: true) : [],
      isDifferentiated ? adjointStep : [],
      [
        KernelLoops.text(
          stateLength: s, goalLength: rollout.goalLength, actionLength: u,
          tapeLength: tapeLength, parameterCount: rollout.parameterCount,
          functionLength: rollout.functionLength, isDifferentiated: isDifferentiated,
          stateLimit: literal(rollout.stateLimit),
          adjointLimit: literal(rollout.adjointLimit))
      ],
    ]
    return parts.map { $0.joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
  }

  /// The argument structure, filled from a launcher's slots.
  private var arguments: [String] {
    let fixed = KernelSource.fixedPointers.enumerated().map { index, name in
      index < 4 ? "  const float *\(name);" : "  float *\(name);"
    }
    let names = KernelSource.fixedPointers + dataArrays
    let fill = names.enumerated().map { "    .\($1) = pointers[\($0)]," }
    return ["struct arguments {"] + fixed + dataArrays.map { "  const float *\($0);" } + [
      "  int64_t particles, horizon;",
      "  uint32_t key[3];  // seed low, seed high, iteration",
      "};",
      "INLINE struct arguments unpack(void *const *pointers, const int64_t *numbers) {",
      "  return (struct arguments){",
    ] + fill + [
      "    .particles = numbers[0], .horizon = numbers[1],",
      "    .key = {(uint32_t)numbers[2], (uint32_t)numbers[3], (uint32_t)numbers[4]}};",
      "}",
    ]
  }

  private var inputParameters: String {
    "const struct arguments *a, vu particle, uint32_t step, const int active[T],\n"
      + "    const vf state[\(s)][T], const vf goal[\(g)][T], vi outside[T], vf *scratch,\n"
      + "    const vf (*function_draw)[T]"
  }

  private func step(
    _ name: String, _ program: Program, results: [(name: String, length: Int)], tape: Bool = false
  ) -> [String] {
    let body = ProgramText(program, functions: functions) { name, i in "\(name)[\(i)][t]" }
    let outputs = results.map { ", vf \($0.name)[\($0.length)][T]" }.joined()
    var lines = [
      "INLINE void \(name)(\(inputParameters)\(outputs)\(tape ? ", vf (*tape)[T]" : "")) {"
    ]
    lines += body.lines.map { "  " + $0 }
    for result in results {
      let element = body.element(program.output(result.name), "i")
      lines.append("  EACH(i, \(result.length)) \(result.name)[i][t] = \(element);")
    }
    if tape {
      for (name, offset, length) in tapeSlots {
        let element = body.element(program.output(name), "i")
        lines.append("  EACH(i, \(length)) tape[\(sum(offset, "i"))][t] = \(element);")
      }
    }
    return lines + ["}", ""]
  }

  /// Reads state, tape and output adjoints; adds to `gradient` what the lanes that lived contribute (others may
  /// hold 0 times infinity), gives the state's adjoint.
  private var adjointStep: [String] {
    let slots = Dictionary(uniqueKeysWithValues: tapeSlots.map { ($0.name, $0.offset) })
    let body = ProgramText(taped.adjoint, functions: functions) { name, i in
      slots[name].map { "tape[\(sum($0, i))][t]" } ?? "\(name)[\(i)][t]"
    }
    var lines = [
      "INLINE void step_adjoint(\(inputParameters), const vf (*tape)[T],",
      "    const vf adj_next[\(s)][T], const vf adj_reward[1][T], const vi lived[T],",
      "    vf adj_state[\(s)][T], vf *gradient) {",
    ]
    lines += body.lines.map { "  " + $0 }
    for accumulation in taped.adjoint.accumulations {
      lines += accumulate(accumulation, body).map { "  " + $0 }
    }
    let element = body.element(taped.adjoint.output("adj_state"), "i")
    lines.append("  EACH(i, \(s)) adj_state[i][t] = \(element);")
    return lines + ["}", ""]
  }

  private func accumulate(_ accumulation: Accumulation, _ body: ProgramText) -> [String] {
    let offset = accumulation.target.offset
    switch accumulation.term {
    case .vector(let value):
      let n = taped.adjoint[value].length
      return [
        "EACH(i, \(n)) gradient[\(sum(offset, "i"))] += v_select(lived[t], \(body.element(value, "i")), splat(0.f));"
      ]
    case .outer(let rows, let columns):
      let (m, n) = (taped.adjoint[rows].length, taped.adjoint[columns].length)
      let unroll = m * n <= 8 * ProgramText.longestUnrolled ? "UNROLL " : ""
      let target = "gradient[\(sum(offset, "i * \(n) + j"))]"
      let term = "\(body.element(rows, "i")) * \(body.element(columns, "j"))"
      return [
        "\(unroll)for (int i = 0; i < \(m); ++i) \(unroll)for (int j = 0; j < \(n); ++j)",
        "  UNROLL for (int t = 0; t < T; ++t)",
        "    \(target) += v_select(lived[t], \(term), splat(0.f));",
      ]
    }
  }

  private var tapeSlots: [(name: String, offset: Int, length: Int)] {
    var offset = 0
    return taped.stored.map { name in
      let length = taped.adjoint.inputs[name] ?? 0
      defer { offset += length }
      return (name, offset, length)
    }
  }
}
