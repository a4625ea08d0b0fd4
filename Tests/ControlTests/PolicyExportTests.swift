// SPDX-License-Identifier: Apache-2.0
// Exported controllers give the same actions as the one they came from: C compiled by a C compiler, ONNX run by ONNX
// Runtime, safetensors and event files read by their own Python readers (BAGEL_PYTHON; skipped and printed without).

import Bagel
import CodeExport
import Draws
import Formulas
import Foundation
import MachineLogs
import Policies
import Programs
import TensorBoard
import TestSupport
import Testing
import Watching

/// Everything a policy can have: a derived and filtered rate, angles, a goal, memory, rate limits, disturbances that it sees; 3
/// states, 2 actions.
struct ExportCase: CustomStringConvertible, Sendable {
  let description: String
  let policy: Policy
  var layout: LogLayout {
    LogLayout(
      states: [
        Channel(name: "joint angle", units: "rad"), Channel(name: "height", units: "m"),
        Channel(name: "climb", units: "m/s", source: .rate(of: "height", filterTime: 0.1)),
      ] + (0..<policy.inputs.disturbanceLength).map { Channel(name: "load \($0)", units: "kg") },
      actions: [Channel(name: "valve"), Channel(name: "throttle", units: "%")], timeStep: 0.05)
  }

  /// A goal of a formula and of a state.
  private static let quantities = [
    Quantity(
      name: "reach", units: "m",
      definition: .formula(
        try! Formula(
          "sqrt(height^2 + 4 * cos(turn)^2) - 0.3 * climb^2", names: ["height", "climb", "turn"]),
        states: ["turn": 0, "height": 1, "climb": 2])),
    Quantity(name: "climb", units: "m/s", definition: .state(2)),
  ]

  /// Every function of formulas that ONNX has a word for.
  private static let functions: ExportCase = {
    let unary = UnaryFunction.allCases.filter { $0.row.word.isCall && $0.row.onnx != nil }
      .map { "\($0.rawValue)(1.5 + 0.4 * sin(height))" }
    let binary = BinaryFunction.allCases.filter { $0.row.word.isCall && $0.row.onnx != nil }
      .map { "\($0.rawValue)(1.5 + 0.4 * sin(height), cos(turn))" }
    let formula = (unary + binary).joined(separator: " - ")
    return ExportCase(
      description: "every function: \(formula)",
      policy: .network(
        hidden: [4],
        inputs: PolicyInputs(
          stateLength: 3, actionLength: 2, goal: .error,
          goalQuantities: [
            Quantity(
              name: "all", units: "",
              definition: .formula(
                try! Formula(formula, names: ["height", "turn"]),
                states: ["turn": 0, "height": 1])),
            quantities[1],
          ], angles: [0]),
        lower: [-1, 10], upper: [1, 90]))
  }()

  static let all: [ExportCase] =
    ofStates + disturbed + integrating + [functions]
    + [GoalInput.error, .concatenated].map { goal in
      ExportCase(
        description: "network, goal \(goal) of quantities",
        policy: .network(
          hidden: [8, 5],
          inputs: PolicyInputs(
            stateLength: 3, actionLength: 2, goal: goal, goalQuantities: quantities, angles: [0],
            actionHistory: 2),
          lower: [-1, 10], upper: [1, 90]))
    }

  private static let disturbed: [ExportCase] = [
    (GoalInput.none, nil), (.error, nil), (.concatenated, nil), (.error, quantities),
  ].map { goal, quantities in
    ExportCase(
      description: "sees disturbances, goal \(goal)\(quantities == nil ? "" : " of quantities")",
      policy: .network(
        hidden: [4],
        inputs: PolicyInputs(
          stateLength: 5, disturbanceLength: 2, actionLength: 2, goal: goal,
          goalQuantities: quantities, angles: [0], actionHistory: 1),
        lower: [-1, 10], upper: [1, 90]))
  }

  /// A PID controller of an angle that turns, for which ONNX has no word.
  static let turning = ExportCase(
    description: "PID of an angle",
    policy: .pid(
      inputs: PolicyInputs(
        stateLength: 3, actionLength: 2, goal: .error, angles: [0], integrated: [0]),
      lower: [-1, 10], upper: [1, 90]))

  private static let integrating: [ExportCase] =
    [
      ("PID of states", nil, [1], []), ("PID of quantities", quantities, [0, 1], [0.3, 5]),
    ].map { name, quantities, integrated, change in
      ExportCase(
        description: name,
        policy: .pid(
          inputs: PolicyInputs(
            stateLength: 3, actionLength: 2, goal: .error, goalQuantities: quantities, angles: [0],
            integrated: integrated),
          lower: [-1, 10], upper: [1, 90], largestChange: change))
    } + [
      ExportCase(
        description: "network with integral action",
        policy: .network(
          hidden: [4],
          inputs: PolicyInputs(
            stateLength: 3, actionLength: 2, goal: .error, angles: [0], actionHistory: 2,
            integrated: [1, 2]),
          lower: [-1, 10], upper: [1, 90]))
    ]

  private static let ofStates: [ExportCase] = [GoalInput.none, .error, .concatenated].flatMap {
    goal in
    let inputs = PolicyInputs(
      stateLength: 3, actionLength: 2, goal: goal, angles: [0],
      actionHistory: goal == .none ? 0 : 2)
    let (lower, upper) = ([-1.0, 10], [1.0, 90])
    let change = goal == .error ? [0.3, Double.infinity] : []
    return [
      ExportCase(
        description: "network, goal \(goal)",
        policy: .network(
          hidden: [8, 5], inputs: inputs, lower: lower, upper: upper, largestChange: change)),
      ExportCase(
        description: "radial basis, goal \(goal)",
        policy: .radialBasis(
          count: 6, inputs: inputs, lower: lower, upper: upper, largestChange: change)),
    ]
  }

  var controller: PolicyController {
    PolicyController(
      policy: policy,
      parameters: policy.memoryLength == 0
        ? policy.initialParameters(3)
        : DrawKey(seed: 3).normals(particle: 0, step: 0, count: policy.parameterCount),
      stateMean: [0.1, 2, -0.3] + (0..<policy.inputs.disturbanceLength).map { 3 + Double($0) },
      stateScale: [0.4, 1.5, 0.7] + (0..<policy.inputs.disturbanceLength).map { 2 + Double($0) },
      goals: policy.inputs.goalQuantities.map { _ in
        GoalStandardiser(mean: [1.5, -0.2], scale: [0.8, 0.5])
      })
  }

  var exported: ExportedController {
    ExportedController(controller, layout: layout, name: "Loader boom 2")
  }

  /// An episode of 12 measurements and goals, and the actions of the controller.
  var episode: (measured: [[Double]], goals: [[Double]], actions: [[Double]]) {
    var signals = CausalSignals(layout)
    var run = controller.begin()
    let key = DrawKey(seed: 8)
    let columns = layout.measuredColumns.count
    let measured = (0..<12).map { key.normals(particle: $0, step: 0, count: columns) }
    let goals = (0..<12).map {
      key.normals(particle: $0, step: 1, count: policy.inputs.goalForm.length)
    }
    let actions = zip(measured, goals).map { run.action(observed: signals.next($0), goal: $1) }
    return (measured, goals, actions)
  }
}

@Suite("exported policies")
struct PolicyExportTests {
  @Test("a lost sample does not double the next rate, a call that comes late counts as late")
  func lostSample() throws {
    let layout = LogLayout(
      states: [Channel(name: "x"), Channel(name: "v", source: .rate(of: "x", filterTime: 0.2))],
      actions: [Channel(name: "u")], timeStep: 0.1)
    let policy = Policy.network(
      hidden: [], inputs: PolicyInputs(stateLength: 2, actionLength: 1), lower: [-1], upper: [1])
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: [0, 0],
      stateScale: [1, 1])
    let source = String(
      decoding: try ExportedController(controller, layout: layout, name: "rate").data(.c),
      as: UTF8.self)
    let main =
      source + """

        #include <stdio.h>
        int main(void)
        {
          bagel_rate c;
          double action[1];
          static const double x[] = {0, 0.1, NAN, 0.35, 0.5, 0.9}, after[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.35};
          bagel_rate_reset(&c);
          for (int k = 0; k < 6; ++k) {
            bagel_rate_step_after(&c, after[k], x + k, 0, action);
            printf("%.17g\\n", c.states[1]);
          }
          return 0;
        }
        """
    let folder = try Scratch.folder()
    let (path, program) = (folder + "/controller.c", folder + "/controller")
    try main.write(toFile: path, atomically: true, encoding: .utf8)
    _ = try output(
      ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", path, "-o", program, "-lm"])
    let found = try output([program]).split(separator: "\n").compactMap { Double($0) }
    var signals = CausalSignals(layout)
    var expected: [Double] = []
    for (x, elapsed) in [(0, 0.1), (0.1, 0.1), (0.35, 0.2), (0.5, 0.1), (0.9, 0.35)] {
      expected.append(signals.next([x], elapsed: elapsed)[1])
    }
    let kept = [0, 1, 3, 4, 5].map { found[$0] }
    #expect(zip(kept, expected).allSatisfy { abs($0 - $1) < 1e-12 }, "\(found) \(expected)")
  }

  @Test("C99, compiled without warnings, over an episode", arguments: ExportCase.all)
  func cSource(example: ExportCase) throws {
    let (measured, goals, actions) = example.episode
    let folder = try Scratch.folder()
    let source = String(decoding: try example.exported.data(.c), as: UTF8.self)
    let rows = zip(measured, goals).map { m, g in
      "{" + (m + g).map { "\($0)" }.joined(separator: ",") + "}"
    }
    let main =
      source + """

        #include <stdio.h>
        int main(void)
        {
          enum { M = \(measured.first?.count ?? 0) };
          static const double rows[12][M + 3] = {\(rows.joined(separator: ","))};
          bagel_loader_boom_2 controller;
          bagel_loader_boom_2_reset(&controller);
          for (int k = 0; k < 12; ++k) {
            double action[2];
            int failed = bagel_loader_boom_2_step(&controller, rows[k], rows[k] + M, action);
            printf("%.17g %.17g %d\\n", action[0], action[1], failed);
          }
          double broken[M] = {rows[0][0], NAN}, action[2];
          for (int k = 0; k < 2; ++k) {
            int failed = bagel_loader_boom_2_step(&controller, k ? rows[0] : broken, rows[0] + M, action);
            printf("%.17g %.17g %d\\n", action[0], action[1], failed);
          }
          return 0;
        }
        """
    let (path, program) = (folder + "/controller.c", folder + "/controller")
    try main.write(toFile: path, atomically: true, encoding: .utf8)
    _ = try output(
      [
        "cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", path, "-o", program,
        "-lm",
      ])
    let found = try output([program]).split(separator: "\n").map {
      $0.split(separator: " ").compactMap { Double($0) }
    }
    #expect(found.count == 14 && found.map(\.last) == (0..<14).map { $0 == 12 ? 1 : 0 })
    // A measurement that is no number: the resting action, from which the next one may change so much.
    let rest = example.policy.rest
    #expect(Array(found[12].prefix(2)) == rest)
    if let change = example.policy.largestChange.first {
      #expect(abs(found[13][0] - rest[0]) <= change + 1e-12)
    }
    for (a, b) in zip(found.prefix(12).flatMap { $0.prefix(2) }, actions.flatMap { $0 }) {
      // The same operations in the same order; compilers may fuse multiply-adds.
      #expect(abs(a - b) < 1e-9)
    }
  }

  @Test(
    "the folder for C: its own test passes, its code keeps MISRA but for what its README says",
    arguments: ExportCase.all + [ExportCase.turning])
  func cFolder(example: ExportCase) throws {
    var responses = WatchOptions()
    (responses.responses[.frozen], responses.responses[.beyondData]) = (.stop, .fallback)
    let states = example.policy.stateLength
    let guards = ExportedGuards(
      bounds: (0..<states).map { Double($0) - 4...Double($0) + 5 },
      longestRepeats: ["height": 6],
      limits: [
        (Quantity(name: "height", units: "m", definition: .state(1)), -1...9),
        (
          Quantity(
            name: "turn", units: "",
            formula: try Formula("cos(a) + 0.1 * h^2", names: ["a", "h"]), states: ["a", "h"]),
          -3...8
        ),
      ], responses: responses)
    // Without guards a few cases say it.
    let isAlso = isThorough || example.policy.inputs.goal == .none
    for guards in isAlso ? [guards, .none] : [guards] {
      let export = ExportedController(
        example.controller, layout: example.layout, name: "Loader boom 2", guards: guards,
        provenance: ["a test"])
      let folder = try Scratch.folder()
      for (name, data) in try export.cFolder() {
        try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      }
      let program = "\(folder)/controller_test"
      let files = ["\(folder)/controller.c", "\(folder)/controller_test.c"]
      _ = try output(
        ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-pedantic"]
          + files + ["-o", program, "-lm"])
      #expect(try output([program]).hasSuffix("passed\n"))
      let test = try String(contentsOfFile: files[1], encoding: .utf8)
      for (finding, isThere) in [
        (.notFinite, true), (.late, guards.bounds != nil),
        (.stopped, guards.bounds != nil), (.holding, guards.bounds != nil),
        (.frozen, guards.bounds != nil), (.leftLimits, guards.bounds != nil),
      ] as [(ControllerFinding, Bool)] {
        let has = test.matches(of: try Regex(#", (\d+)u\},"#)).contains {
          (($0.output[1].substring.flatMap { Int($0) } ?? 0) & finding.bit) != 0
        }
        #expect(has == isThere, "\(finding)")
      }
      // A test that is given another controller fails.
      let other = try String(contentsOfFile: files[0], encoding: .utf8).replacingOccurrences(
        of: "next = smaller(larger(next, lower[j]), upper[j]);",
        with: "next = smaller(larger(next + 1e-6, lower[j]), upper[j]);")
      try other.write(toFile: files[0], atomically: true, encoding: .utf8)
      _ = try output(["cc", "-std=c99"] + files + ["-o", program, "-lm"])
      let failing = Process()
      failing.executableURL = URL(fileURLWithPath: program)
      failing.standardOutput = FileHandle.nullDevice
      try failing.run()
      failing.waitUntilExit()
      #expect(failing.terminationStatus == 1)
      guard let python = testPython else {
        print("skipped: no BAGEL_PYTHON, MISRA is not checked")
        continue
      }
      let check = URL(fileURLWithPath: python).deletingLastPathComponent().path + "/cppcheck"
      guard FileManager.default.fileExists(atPath: check) else {
        print("skipped: no cppcheck beside BAGEL_PYTHON")
        continue
      }
      let found = try output([
        "sh", "-c", "'\(check)' --addon=misra --enable=style '\(folder)/controller.c' 2>&1",
      ])
      let rules = Set(
        found.matches(of: try Regex(#"misra-c2012-([0-9.]+)"#)).compactMap {
          $0.output[1].substring.map(String.init)
        })
      let readme = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
      #expect(rules.allSatisfy { readme.contains("| \($0) |") }, "\(found)")
      #expect(rules.contains("8.7"), "\(found)")
    }
  }

  @Test("ONNX, run by ONNX Runtime on a batch of random states", arguments: ExportCase.all)
  func onnx(example: ExportCase) throws {
    guard let python = testPython else { return print("skipped: no BAGEL_PYTHON, ONNX is not run") }
    let folder = try Scratch.folder()
    let path = folder + "/controller.onnx"
    try example.exported.data(.onnx).write(to: URL(fileURLWithPath: path))
    let key = DrawKey(seed: 21)
    let program = example.controller.program
    let inputs = program.inputs.mapValues { length in
      (0..<50).map { key.normals(particle: $0, step: length, count: length) }
    }
    let json = String(decoding: try JSONSerialization.data(withJSONObject: inputs), as: UTF8.self)
    let script = """
      import json, sys, numpy, onnxruntime
      session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
      feeds = {k: numpy.array(v, numpy.float64) for k, v in json.loads(sys.argv[2]).items()}
      names = [output.name for output in session.get_outputs()]
      print(json.dumps([numpy.hstack(rows).tolist() for rows in zip(*session.run(names, feeds))]))
      """
    let text = try output([python, "-c", script, path, json])
    let found = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[Double]])
    for k in 0..<50 {
      let past =
        inputs["past"].map { all in
          stride(from: 0, to: all[k].count, by: 2).map { Array(all[k][$0..<$0 + 2]) }
        } ?? []
      let expected = example.controller.step(
        state: inputs["state"]?[k] ?? [], goal: inputs["goal"]?[k] ?? [0, 0, 0], past: past,
        memory: inputs["memory"]?[k] ?? [])
      #expect(found[k].count == 2 + example.policy.memoryLength)
      for (a, b) in zip(found[k], expected.action + expected.memory) {
        #expect(abs(a - b) < 1e-6 * max(1, abs(b)))
      }
    }
  }

  @Test("safetensors by layer, evaluated in NumPy")
  func safetensors() throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, safetensors are not read")
    }
    let folder = try Scratch.folder()
    let example = try #require(ExportCase.all.first)
    let path = folder + "/controller.safetensors"
    try example.exported.data(.safetensors).write(to: URL(fileURLWithPath: path))
    let script = """
      import sys, numpy as np
      from safetensors.numpy import load_file
      t = load_file(sys.argv[1])
      x = np.array([0.2, 1.0, -0.4])
      h = (x - t["state_mean"]) / t["state_scale"]
      h = np.array([np.sin(x[0]), np.cos(x[0]), h[1], h[2]])
      for i in range(3):
          h = t[f"layers.{i}.weight"] @ h + t[f"layers.{i}.bias"]
          h = np.tanh(h)
      lower, upper = t["action_lower"], t["action_upper"]
      print(*(0.5 * (lower + upper) + 0.5 * (upper - lower) * h))
      """
    let found = try output([python, "-c", script, path]).split(whereSeparator: \.isWhitespace)
      .compactMap { Double($0) }
    let expected = example.controller.action(state: [0.2, 1, -0.4], goal: [0, 0, 0])
    #expect(found.count == 2)
    for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-10) }
  }

  @Test("event files are read back by TensorBoard's own reader")
  func tensorBoard() throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, event files are not read")
    }
    let folder = try Scratch.folder()
    let file = try EventFile(folder: folder + "/events")
    for step in 1...20 {
      try file.add(
        [("search/return", 0.5 * Double(step)), ("search/gradient_norm", 1 / Double(step))],
        step: step)
    }
    let script = """
      import sys
      from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
      events = EventAccumulator(sys.argv[1]); events.Reload()
      print(sorted(events.Tags()["scalars"]))
      print([(e.step, e.value) for e in events.Scalars("search/return")] == [(k, 0.5 * k) for k in range(1, 21)])
      print(abs(events.Scalars("search/gradient_norm")[3].value - 0.25) < 1e-7)
      """
    let found = try output([python, "-c", script, folder + "/events"])
    #expect(found == "['search/gradient_norm', 'search/return']\nTrue\nTrue\n")
  }

  @Test("what a format has no words for is refused by name")
  func refusal() {
    let policy = Policy(
      form: .custom("noisy"), inputs: PolicyInputs(stateLength: 1, actionLength: 1),
      lower: [-1], upper: [1], parameterCount: 0, initialParameters: { _ in [] }
    ) { z, _ in z + z.builder.normal(length: 1) }
    let exported = ExportedController(
      PolicyController(policy: policy, parameters: [], stateMean: [0], stateScale: [1]),
      layout: LogLayout(states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 1),
      name: "noisy")
    for format in [ExportFormat.c, .onnx] {
      let refusal = #expect(throws: CannotExport.self) { try exported.data(format) }
      #expect(refusal?.statement.contains("uses 'normal', which") == true)
    }
  }
}
