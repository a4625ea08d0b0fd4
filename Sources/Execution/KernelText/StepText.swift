// SPDX-License-Identifier: Apache-2.0
// The functions of one time step, the same text for every device:
//
//   initial_reward   r(s_0)              step_taped    step, and what the adjoint needs of it -> tape
//   step             s', r, u            step_adjoint  tape, adj_next, adj_reward -> adj_state, gradient
//   terminal_reward  r(s_H), if any      terminal_adjoint   adj_reward -> adj_state
//   step_draws       the step's standard normal draws
//
// An accumulation k of the adjoint goes to gradient[ACCUMULATOR_k ...]. On the host that is the parameter
// itself; on a GPU every lane has registers for what it adds up, and `flush` says whose they are.

import Programs

/// Emits the step functions of a rollout.
struct StepText {
  let rollout: RolloutProgram
  let taped: TapedProgram
  /// All that a kernel runs.
  let programs: [Program]
  let functions: LocalFunctionNames
  /// Where each stored value stands on the tape, in tape order.
  let tapeSlots: [(name: String, offset: Int, length: Int)]
  let accumulators: [Accumulator]

  private let terminalAdjoint: Program?
  private let forward: ProgramText
  private let adjoint: ProgramText

  /// What one accumulation adds to and how its elements lie in the lanes.
  struct Accumulator {
    enum Layout: Hashable {
      /// [count], every lane has all
      case whole(count: Int)
      /// [count], element i in lane i mod LANES
      case spread(count: Int)
      /// [rows][columns], a row in one lane
      case rows(Int, columns: Int)
      /// [rows][columns], a column in one lane
      case columns(rows: Int, Int)
    }
    let layout: Layout
    /// First parameter it belongs to.
    let target: Int
  }

  init(_ rollout: RolloutProgram, tape: TapePolicy) {
    self.rollout = rollout
    taped = rollout.taped(tape)
    terminalAdjoint = rollout.terminalAdjoint
    programs =
      rollout.programs + [taped.forward, taped.adjoint] + (terminalAdjoint.map { [$0] } ?? [])
    functions = LocalFunctionNames(of: programs)
    var slots: [(name: String, offset: Int, length: Int)] = []
    for name in taped.stored {
      let length = taped.adjoint.inputs[name] ?? 0
      slots.append((name, slots.last.map { $0.offset + $0.length } ?? 0, length))
    }
    tapeSlots = slots
    let forward = ProgramText(taped.forward, functions: functions) { "\($0)[\($1)][t]" }
    let spread = taped.stored.filter { [taped] in forward.isSpread[taped.forward.output($0).index] }
    let offsets = Dictionary(uniqueKeysWithValues: slots.map { ($0.name, $0.offset) })
    let adjoint = ProgramText(taped.adjoint, functions: functions, spreadInputs: Set(spread)) {
      name, i in
      offsets[name].map { "KEPT(tape, \(plus($0, i)))" } ?? "\(name)[\(i)][t]"
    }
    self.forward = forward
    self.adjoint = adjoint
    accumulators = taped.adjoint.accumulations.map { accumulation in
      Accumulator(
        layout: Self.layout(accumulation.term, adjoint), target: accumulation.target.offset)
    }
  }

  /// Scalars a step on the tape.
  var tapeLength: Int { tapeSlots.last.map { $0.offset + $0.length } ?? 0 }
  /// Draws that a step reads, and that its adjoint reads again.
  var draws: Int { max(rollout.step.drawCount, taped.forward.drawCount) }
  var adjointDraws: Int { taped.adjoint.drawCount }
  /// Without parameters there is nothing to differentiate, and no adjoint is emitted.
  var isDifferentiated: Bool { rollout.parameterCount > 0 }
  var hasTerminal: Bool { rollout.terminal != nil }
  var hasTerminalAdjoint: Bool { terminalAdjoint != nil }
  private var s: Int { rollout.carryLength }
  private var totals: Int { rollout.totals.count }

  /// Matrices of which a GPU reads a transposed copy too: those of weighted sums, and large weights.
  var transposedMatrices: [SharedMatrix] {
    functions.functions.compactMap { if case .weightedSum(let f) = $0 { f.squared } else { nil } }
      + largeMatrices
  }

  /// Matrices that `layer` and `transposed_layer` read.
  var largeMatrices: [SharedMatrix] {
    var found: [SharedMatrix] = []
    for case let matrix? in programs.flatMap(\.instructions).map(\.operation.sharedMatrix)
    where matrix.isLarge && !found.contains(matrix) {
      found.append(matrix)
    }
    return found
  }

  /// The kernel's part that is the same on every device.
  var text: [String] {
    ElementaryText.definitions(for: programs) + functions.definitions + lines
  }

  private var lines: [String] {
    func text(_ program: Program) -> ProgramText {
      ProgramText(program, functions: functions) { "\($0)[\($1)][t]" }
    }
    let reward = [("reward", totals)]
    let terminal = rollout.terminal.map {
      function("terminal_reward", text($0), results: reward)
    }
    let forwardOnly =
      function("initial_reward", text(rollout.initial), results: reward)
      + function(
        "step", text(rollout.step),
        results: [("next", s)] + reward + [("action", rollout.actionLength)])
      + (terminal ?? [])
    if !isDifferentiated { return drawFunction + forwardOnly }
    return drawFunction + forwardOnly
      + function("step_taped", forward, results: [("next", s)] + reward, tape: true)
      + adjointFunction
      + (terminalAdjoint.map { terminalAdjointFunction(text($0)) } ?? [])
  }

  /// The carry's adjoint at the end.
  private func terminalAdjointFunction(_ body: ProgramText) -> [String] {
    let element = body.element(body.program.output("adj_state"), "i")
    return [
      "INLINE void terminal_adjoint(\(inputParameters),",
      "    const vf adj_reward[\(totals)][T], vf adj_state[\(s)][T]) {",
    ] + body.lines.map { "  " + $0 } + [
      "  EACH(i, \(s)) adj_state[i][t] = \(element);", "}", "",
    ]
  }

  private var drawFunction: [String] {
    // Dropout draws hundreds: unrolled, they take the compiler 20 s.
    let unroll = draws <= ProgramText.longestUnrolled ? "UNROLL " : ""
    return [
      "INLINE void step_draws(const struct arguments *a, vu particle, vu step, vf draws[DRAWS_OR_1][T]) {",
      "  UNROLL for (int t = 0; t < T; ++t)",
      "    \(unroll)for (int group = 0; group < (DRAWS + 3) / 4; ++group) {",
      "      vf four[4];",
      "      v_normals(a->key, particle + (uint32_t)(t * W), step, group, four);",
      "      UNROLL for (int i = 0; i < 4; ++i)",
      "        if (4 * group + i < DRAWS) draws[4 * group + i][t] = four[i];",
      "    }",
      "}", "",
    ]
  }

  private var inputParameters: String {
    "const struct arguments *a, const int active[T], const vf state[\(s)][T],\n"
      + "    const vf goal[\(max(rollout.goalLength, 1))][T], const vf draws[DRAWS_OR_1][T], vi outside[T],\n"
      + "    vf *scratch, kept_row function_draw"
  }

  private func function(
    _ name: String, _ body: ProgramText, results: [(name: String, length: Int)], tape: Bool = false
  ) -> [String] {
    let outputs = results.map { ", vf \($0.name)[\($0.length)][T]" }.joined()
    var lines = [
      "INLINE void \(name)(\(inputParameters)\(outputs)\(tape ? ", tape_row tape" : "")) {"
    ]
    lines += body.lines.map { "  " + $0 }
    for result in results {
      let element = body.element(body.program.output(result.name), "i")
      lines.append("  EACH(i, \(result.length)) \(result.name)[i][t] = \(element);")
    }
    for slot in tape ? tapeSlots : [] {
      let value = body.program.output(slot.name)
      lines.append(
        "  \(body.loop(over: value)) KEPT(tape, \(plus(slot.offset, "i"))) = \(body.own(value, "i"));"
      )
    }
    return lines + ["}", ""]
  }

  /// Reads state, tape and output adjoints; adds to `gradient` what the particles that lived contribute (others
  /// may hold 0 times infinity), gives the state's adjoint.
  private var adjointFunction: [String] {
    var body = adjoint
    var sums: [String] = []
    for (k, accumulation) in taped.adjoint.accumulations.enumerated() {
      sums += add(accumulation.term, k, &body)
    }
    let element = body.element(taped.adjoint.output("adj_state"), "i")
    return [
      "INLINE void step_adjoint(\(inputParameters), tape_row tape,",
      "    const vf adj_next[\(s)][T], const vf adj_reward[\(totals)][T], const vi lived[T],",
      "    vf adj_state[\(s)][T], vf *gradient) {",
    ] + body.lines.map { "  " + $0 } + sums.map { "  " + $0 } + [
      "  EACH(i, \(s)) adj_state[i][t] = \(element);", "}", "",
    ]
  }

  private static func layout(
    _ term: Accumulation.Term, _ text: ProgramText
  ) -> Accumulator.Layout {
    switch term {
    case .vector(let value):
      let n = text.program[value].length
      return text.isSpread[value.index] ? .spread(count: n) : .whole(count: n)
    case .outer(let rows, let columns):
      let (m, n) = (text.program[rows].length, text.program[columns].length)
      if text.isSpread[rows.index] && (m >= n || !text.isSpread[columns.index]) {
        return .rows(m, columns: n)
      }
      return text.isSpread[columns.index] ? .columns(rows: m, n) : .whole(count: m * n)
    }
  }

  private func add(
    _ term: Accumulation.Term, _ k: Int, _ body: inout ProgramText
  ) -> [String] {
    func target(_ index: String) -> String { "gradient[ACCUMULATOR_\(k) + \(index)]" }
    func lived(_ value: String) -> String { "v_select(lived[t], \(value), splat(0.f))" }
    switch term {
    case .vector(let value):
      let index = body.isSpread[value.index] ? "AT(i)" : "i"
      return ["\(body.loop(over: value)) \(target(index)) += \(lived(body.own(value, "i")));"]
    case .outer(let rows, let columns):
      let (m, n) = (body.program[rows].length, body.program[columns].length)
      let unroll = m * n <= 8 * ProgramText.longestUnrolled ? "UNROLL " : ""
      switch accumulators[k].layout {
      case .rows where unroll.isEmpty:
        let (r, c) = (body.materialized(rows), body.materialized(columns))
        return [
          "outer_sum(\(r.arguments), \(m), \(c.arguments), \(n), lived, gradient + ACCUMULATOR_\(k));"
        ]
      case .rows:
        let product = "\(body.own(rows, "i")) * \(body.element(columns, "j"))"
        return [
          "\(body.loop(over: rows)) UNROLL for (int j = 0; j < \(n); ++j) "
            + "\(target("AT(i) * \(n) + j")) += \(lived(product));"
        ]
      case .columns:
        let product = "\(body.element(rows, "i")) * \(body.own(columns, "j"))"
        return [
          body.loop(over: columns, index: "j") + " \(unroll)for (int i = 0; i < \(m); ++i) "
            + "\(target("i * SLOTS(\(n)) + AT(j)")) += \(lived(product));"
        ]
      case .whole, .spread:
        let product = "\(body.element(rows, "i")) * \(body.element(columns, "j"))"
        return [
          "\(unroll)for (int i = 0; i < \(m); ++i) \(unroll)for (int j = 0; j < \(n); ++j)",
          "  UNROLL for (int t = 0; t < T; ++t) \(target("i * \(n) + j")) += \(lived(product));",
        ]
      }
    }
  }
}

extension Program {
  /// Draws of dimensions 0, 1, ... that the program reads.
  fileprivate var drawCount: Int {
    instructions.map { instruction in
      if case .normal(let first) = instruction.operation { return first + instruction.length }
      return 0
    }.max() ?? 0
  }
}
