// SPDX-License-Identifier: Apache-2.0
// PID controllers and integral action: the law against one that is written out by hand, gradients through the memory, limits that do not wind
// it up, drivers that hand over without a bump, loads that it takes up, and a search that finds gains.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import Policies
import Samplers
import Tasks
import TestSupport
import Testing

/// A position and its rate, one command within -2 ... 3, at most 0.4 from row to row.
private func pid(rate: [Double] = [], integrated: [Int] = [0]) -> Policy {
  .pid(
    inputs: PolicyInputs(stateLength: 2, actionLength: 1, goal: .error, integrated: integrated),
    lower: [-2], upper: [3], largestChange: rate, rest: [0.5])
}

private func driven(_ policy: Policy, _ parameters: [Double]) -> PolicyController {
  PolicyController(
    policy: policy, parameters: parameters, stateMean: [1, 0], stateScale: [4, 2])
}

/// gain, log integral rate, log derivative time, bias, derivative filter, tracking, bound of the error; with integral and derivative times of 10 and 5 rows.
private let gains: [Double] = [1.6, Foundation.log(5), Foundation.log(0.5), 0.1, 0.3, -1, 4]

extension [Double] {
  /// Parameters drawn at random, but for the bounds of errors, which are those before a search.
  fileprivate func withSoundBounds(_ policy: Policy) -> [Double] {
    dropLast(policy.inputs.integrated.count) + policy.inputs.integrated.map { _ in 4 }
  }
}

@Suite("PID controllers and integral action")
struct PIDTests {
  @Test("the law, row by row, as it is written in textbooks", arguments: [[], [0.4]])
  func law(rate: [Double]) throws {
    let controller = driven(pid(rate: rate), gains)
    let found = try #require(PIDGains(controller, timeStep: 0.1))
    // Half the range is 2.5, a standardised error 4 units.
    let kp = 2.5 * 1.6 / 4
    #expect(abs(found.proportional[0][0] - kp) < 1e-12)
    #expect(abs(found.integral[0][0] - kp / (10 * 0.1)) < 1e-12)
    #expect(abs(found.derivative[0][0] - kp * 5 * 0.1) < 1e-12)
    #expect(abs(found.bias[0] - (0.5 + 0.25)) < 1e-12)
    // First-order lags that take the same part in a row: 1 - exp(-0.1 / T).
    func part(_ time: Double) -> Double { 1 - exp(-0.1 / time) }
    let (alpha, beta) = (1 / (1 + exp(-0.3)), 1 / (1 + exp(1.0)))
    #expect(abs(part(found.filterTime[0]) - alpha) < 1e-12)
    #expect(abs(part(found.trackingTime[0]) - beta) < 1e-12)
    var run = controller.begin()
    var (integral, slope, before, wanted, sent) = (0.0, 0.0, Double?.none, 0.5, 0.5)
    let key = DrawKey(seed: 5)
    var reached = (low: false, high: false)
    for k in 0..<200 {
      let draws = key.normals(particle: 0, step: k, count: 3)
      let (x, goal) = (1 + 3 * draws[0], k % 50 < 25 ? 6.0 : -4.0)
      let action = run.action(observed: [x, draws[1]], goal: [goal, 0])[0]
      let e = goal - x
      slope += alpha * ((before.map { x - $0 } ?? 0) / 0.1 - slope)
      // Half the range is 2.5: no more of what holds it at a limit, one half followed, two in the sum.
      var added = found.integral[0][0] * 0.1 * e
      if wanted > 3 && added > 0 || wanted < -2 && added < 0 { added = 0 }
      integral += added + beta * min(max(sent - wanted, -2.5), 2.5)
      integral = min(max(integral, -5), 5)
      wanted = found.bias[0] + kp * e + integral - found.derivative[0][0] * slope
      var expected = min(max(wanted, -2), 3)
      if let rate = rate.first { expected = min(max(expected, sent - rate), sent + rate) }
      #expect(abs(action - expected) < 1e-10, "row \(k)")
      reached = (reached.low || action == -2, reached.high || action == 3)
      (before, sent) = (x, expected)
      // An operator's command now and then: it goes on from there.
      if k % 30 > 24 {
        sent = 1
        run.sent([sent])
        integral = min(max(integral + sent - wanted, -5), 5)
        wanted = sent
      } else {
        run.sent([expected])
      }
    }
    // Limits were reached, or rate limits kept it from them.
    #expect((reached.low && reached.high) == rate.isEmpty)
  }

  @Test("limits do not wind it up: it leaves them within rows, not after as long as it was there")
  func windup() throws {
    func rowsAtLimit(_ parameters: [Double]) -> Int {
      var run = driven(pid(), parameters).begin()
      for _ in 0..<300 { _ = run.action(observed: [0, 0], goal: [20, 0]) }
      return (1...300).first { _ in run.action(observed: [0, 0], goal: [-2, 0])[0] < 3 } ?? 301
    }
    #expect(rowsAtLimit(gains) <= 3)
    // Also where it hardly follows what was sent: what holds it at a limit is not integrated.
    var slow = gains
    slow[5] = -40
    #expect(rowsAtLimit(slow) <= 30)
  }

  @Test(
    "one measurement that is far off, or no number, does not stay in its memory",
    arguments: [100, 1e6, 1e300])
  func outlier(_ size: Double) throws {
    // Gains as a search finds them: an integral over minutes, which follows what was sent slowly.
    let controller = driven(pid(), [3, Foundation.log(0.15), Foundation.log(0.02), 0, 0, -4, 4])
    var run = controller.begin()
    func drive(_ x: Double) -> Double { run.action(observed: [x, 0], goal: [2, 0])[0] }
    for _ in 0..<50 { _ = drive(2) }
    let before = drive(2)
    _ = drive(2 + size)
    // The derivative's filter forgets it within rows.
    for _ in 0..<60 { _ = drive(2) }
    #expect(abs(drive(2) - before) < 0.2, "\(size)")
    // What is not finite is said, and leaves the memory as it was.
    let sound = run
    #expect(drive(.nan).isNaN)
    #expect(
      drive(2)
        == {
          var run = sound; return run.action(observed: [2, 0], goal: [2, 0])[0]
        }())
  }

  @Test(
    "it goes on from what another driver sent, whatever its time constants",
    arguments: [-1.0, -5], [1, 60])
  func bumpless(tracking: Double, rows: Int) throws {
    var parameters = gains
    parameters[5] = tracking
    var run = driven(pid(), parameters).begin()
    for _ in 0..<20 {
      let own = run.action(observed: [2, 0], goal: [2, 0])
      run.sent(own)
    }
    for _ in 0..<rows {
      _ = run.action(observed: [2, 0], goal: [2, 0])
      run.sent([-1.2])
    }
    let next = run.action(observed: [2, 0], goal: [2, 0])[0]
    #expect(abs(next + 1.2) < 1e-9, "\(next)")
  }

  @Test("angles that turn: the shorter way")
  func turning() throws {
    let policy = Policy.pid(
      inputs: PolicyInputs(
        stateLength: 2, actionLength: 1, goal: .error, angles: [0], radians: [.pi / 180],
        integrated: [0]), lower: [-1], upper: [1])
    let controller = PolicyController(
      policy: policy, parameters: [0.2, -9, -9, 0, 0, 0, 4], stateMean: [10, 0],
      stateScale: [50, 1])
    let (a, b) = (
      controller.action(state: [170, 0], goal: [-170, 0])[0],
      controller.action(state: [170, 0], goal: [190, 0])[0]
    )
    #expect(a > 0 && abs(a - b) < 1e-12)
  }

  @Test(
    "rollouts carry its memory: the host computes what the interpreter defines, gradients are slopes",
    arguments: [
      "kind: pid", "layers: [4], goal: error, integral: true",
      "layers: [], goal: error, integral: true, actionHistory: 1",
    ])
  func rollouts(_ policy: String) throws {
    let yaml = SmallFiles.yaml.replacingOccurrences(
      of: "layers: [3], goal: error, actionHistory: 2", with: policy)
    var task = try ControlTask(yaml: yaml, file: "t.yaml", folder: ".")
    task.objective.rewards = [
      .quadratic(weights: [1, 0.1], actionWeights: [], units: .standardised)
    ]
    let model = try DynamicsModel.fit(
      [SmallFiles.episode(rows: 40)], layout: task.layout, form: try task.modelForm(),
      options: task.model.fit
    ).model
    let rollout = try task.makeRollout(model, ExactSampler(model.groups[0]))
    let made = task.makePolicy()
    #expect(made.memoryLength > 0 && rollout.slots.carryLength > made.memoryLength)
    // Near the middle of the limits, where nothing is cut.
    let parameters = DrawKey(seed: 6).normals(particle: 0, step: 0, count: made.parameterCount)
      .map { 0.05 * $0 }.withSoundBounds(made)
    func batch(_ parameters: [Double]) -> RolloutBatch {
      RolloutBatch(
        parameters: parameters,
        initialStates: (0..<4).flatMap {
          rollout.start(state: [0.2 * Double($0), 0.1], particle: $0, key: DrawKey(seed: 1))
        }, goals: (0..<4).flatMap { [0.1 * Double($0), 0] }, particles: 4, horizon: 12,
        draws: DrawKey(seed: 1))
    }
    let reference = InterpreterExecutor(rollout.program, data: rollout.data)
    let host = try ExecutionDevice.makeExecutor(
      on: .host, rollout.program, data: rollout.data, particles: 4, horizon: 12)
    let a = reference.gradient(batch(parameters))
    let b = try host.gradient(batch(parameters))
    let mean = reference.returns(batch(parameters)).mean
    #expect(abs(mean - (try host.returns(batch(parameters)).mean)) < 1e-4 * abs(mean))
    let size = a.gradient.reduce(0) { max($0, abs($1)) }
    for i in parameters.indices {
      #expect(abs(a.gradient[i] - b.gradient[i]) < 2e-3 * size)
      var (up, down) = (parameters, parameters)
      up[i] += 1e-5
      down[i] -= 1e-5
      let slope =
        (reference.returns(batch(up)).mean - reference.returns(batch(down)).mean) / 2e-5
      #expect(abs(a.gradient[i] - slope) < 1e-4 * size, "parameter \(i)")
    }
    // The integral matters, too; what it follows does where commands are cut.
    let blocks = made.parameterBlocks
    let tracking = try #require(blocks.first { $0.name == "integral.tracking" })
    let wide = parameters.indices.map { i in
      i < tracking.offset ? 20 * parameters[i] : parameters[i]
    }
    let cut = reference.gradient(batch(wide)).gradient
    #expect(cut[tracking.offset...].contains { $0 != 0 }, "\(cut)")
    for block in blocks where !["integral.tracking", "integral.error_bounds"].contains(block.name) {
      let count = block.shape.reduce(1, *)
      #expect(a.gradient[block.offset..<block.offset + count].contains { $0 != 0 }, "\(block.name)")
    }
  }

  @Test("it takes up a load that it does not see, which a policy without an integral does not")
  func load() throws {
    func end(_ policy: Policy, _ parameters: [Double]) -> Double {
      var run = driven(policy, parameters).begin()
      var (x, v) = (0.0, 0.0)
      for _ in 0..<1_500 {
        let u = run.action(observed: [x, v], goal: [2, 0])[0]
        v += 0.05 * (2 * u - 0.8 - 1.5 * v)
        x += 0.05 * v
      }
      return abs(x - 2)
    }
    #expect(end(pid(), [1.6, Foundation.log(0.5), Foundation.log(0.1), 0, 0, -1, 4]) < 1e-3)
    #expect(end(pid(), [1.6, -30, Foundation.log(0.1), 0, 0, -1, 4]) > 0.05)
    let linear = Policy.linear(
      inputs: PolicyInputs(stateLength: 2, actionLength: 1, goal: .error, integrated: [0]),
      lower: [-2], upper: [3], rest: [0.5])
    #expect(linear.parameterBlocks.last?.name == "integral.error_bounds")
    // Of state, and of the error; then bias, integral gain, tracking.
    #expect(end(linear, [0, -0.2, 1.6, 0, -0.2, 2, -1, 4]) < 1e-3)
    #expect(end(linear, [0, -0.2, 1.6, 0, -0.2, 0, -40, 4]) > 0.1)
  }

  @Test("policies of a task file, and what is wrong with one")
  func taskFile() throws {
    func policy(_ words: String) throws -> ControlTask {
      try ControlTask(
        yaml: SmallTask.yaml + "\npolicy: {\(words)}\nevaluate: {tolerance: 0.1}", file: "t.yaml",
        folder: ".")
    }
    let made = try policy("kind: pid").makePolicy()
    #expect(made.form == .pid && made.inputs.integrated == [0] && made.inputs.goal == .error)
    #expect(made.parameterCount == 7)
    #expect(try policy("kind: pid, errors: [v, x]").makePolicy().inputs.integrated == [1, 0])
    #expect(try policy("layers: [4]").makePolicy().memoryLength == 0)
    let integral = try policy("layers: [4], goal: error, integral: true").makePolicy()
    #expect(integral.memoryLength == 2 && integral.form == .network(hidden: [4]))
    for (words, problem) in [
      ("kind: bang", "network, pid"), ("kind: pid, layers: [4]", "'policy.layers' has no effect"),
      ("kind: pid, goal: error", "'policy.goal' has no effect"),
      ("kind: pid, integral: false", "a PID controller always integrates"),
      ("kind: pid, actionHistory: 2", "'policy.actionHistory' has no effect"),
      ("kind: pid, errors: [z]", "'z' has no goal; there are goals of x, v"),
      ("kind: pid, errors: [x, x]", "each once"), ("kind: pid, errors: []", "must contain goals"),
      ("layers: [4], errors: [x]", "has no effect: nothing is integrated"),
      ("layers: [4], integral: true", "add goal: error"),
      ("kind: pid, dropout: 0.1", "'policy.dropout' has no effect"),
      ("kind: pid, disturbances: true", "'policy.disturbances' has no effect"),
      ("kind: network, radialBasis: 4", "exclude each other"),
    ] {
      let found = SmallTask.problem(SmallTask.yaml + "\npolicy: {\(words)}")
      #expect(found.contains(problem), "\(words): \(found)")
    }
    let aimless = SmallTask.yaml.replacingOccurrences(
      of: "goal: {lower: [0, 0], upper: [1, 0]}", with: ""
    ).replacingOccurrences(
      of: "reward: {saturating: {weights: [1, 0]}}", with: "reward: {formula: -x^2}")
    #expect(
      SmallTask.problem(aimless + "\npolicy: {kind: pid}").contains("whose error it could read"))
  }

  @Test(
    "a search finds a PID controller of the boom; it is kept, and forgotten with the next search")
  func rival() throws {
    var task = try ControlTask("boom-goals")
    task.exploration.seconds = 40
    task.model.fit.fullIterations = 1
    (task.search.horizons, task.search.horizon) = ([100], 100)
    task.search.iterations = 200
    let model = try DynamicsModel.fit(
      try task.trainingEpisodes(seed: 0), layout: task.layout, form: try task.modelForm(),
      options: task.model.fit
    ).model
    let folder = try Scratch.folder()
    let rival = try #require(try task.pidRival(on: model, in: folder))
    #expect(rival.found != nil && rival.gains.proportional[0][0] > 1)
    #expect(rival.gains.integral[0][0] > 0 && rival.gains.derivative[0][0] > 0)
    // From the same folder at once; of another model anew.
    let again = try #require(try task.pidRival(on: model, in: folder))
    #expect(again.found == nil && again.controller.parameters == rival.controller.parameters)
    var other = model
    other.layout.states[0].units = "deg"
    #expect(try #require(try task.pidRival(on: other, in: folder)).found != nil)
    // For another task anew, and where the file is damaged.
    task.source = "another"
    #expect(try #require(try task.pidRival(on: other, in: folder)).found != nil)
    try "damaged".write(toFile: folder + "/pid.safetensors", atomically: true, encoding: .utf8)
    #expect(try #require(try task.pidRival(on: other, in: folder)).found != nil)
    // It drives where a task asks for it, also beside a policy that sees more.
    #expect(try task.fallbackController(folder + "/pid.safetensors").policy.form == .pid)
    task.policy.form = .pid
    #expect(task.pidTask == nil)
    #expect(try ControlTask("cart-pole").pidTask == nil)
  }

  @Test("evaluate drives the rival in the same episodes; run finds the fallback")
  func commands() throws {
    let folder = try Scratch.folder()
    let yaml = """
      name: pid
      timeStep: 0.05
      states: [{name: angle, units: rad}, {name: rate, units: rad/s}]
      actions: [{name: valve, limits: [-1, 1]}]
      plant: boom
      explore: {kind: manual, seconds: 20, turningPoints: [-0.6, 0.8]}
      model: {covariance: squared-exponential, mean: linear, stateHistory: 0, sampler: tabulated}
      policy: {layers: [4], goal: error}
      reward: [{saturating: {weights: [10, 0.1]}}, {actionChange: 1}]
      start: [0, 0]
      goal: {lower: [-0.3, 0], upper: [0.3, 0]}
      optimise: {particles: 32, horizon: 60, iterations: 40, starts: 1}
      evaluate: {episodes: 2, seconds: 4, tolerance: 0.05, settle: 3}
      fallback: pid
      """
    try yaml.write(toFile: folder + "/pid.yaml", atomically: true, encoding: .utf8)
    func command(_ arguments: String...) throws -> Outcome {
      try bagel(arguments + ["pid.yaml", "--json"], in: folder)
    }
    for name in ["fit", "optimize"] { #expect(try command(name).status == 0, "\(name)") }
    let path = folder + "/pid-out/pid.safetensors"
    let without = try command("evaluate", "--no-rival")
    #expect(without.json["rival"] is NSNull && !FileManager.default.fileExists(atPath: path))
    let first = try command("evaluate")
    let rival = try #require(first.json["rival"] as? [String: Any], "\(first.errors)")
    #expect(rival["episodes"] as? Int == 2 && rival["gains"] is [String: Any])
    #expect(first.errors.contains("the same episodes with a PID controller"))
    #expect(first.json["successes"] as? Int == without.json["successes"] as? Int)
    // What is damaged is found again, the same.
    let bytes = FileManager.default.contents(atPath: path)
    try "damaged".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try command("evaluate").json["rival"] is [String: Any])
    #expect(FileManager.default.contents(atPath: path) == bytes)
    let run = try command("run", "--seconds", "0.3", "--goal", "0.1,0")
    #expect(run.status == 0 && run.errors.contains("fallback: a PID controller"), "\(run.errors)")
    // A folder whose policy is of another form says so.
    try yaml.replacingOccurrences(of: "layers: [4], goal: error", with: "kind: pid")
      .replacingOccurrences(of: "fallback: pid", with: "fallback: hold")
      .write(toFile: folder + "/pid.yaml", atomically: true, encoding: .utf8)
    let other = try command("evaluate", "--rival")
    #expect(other.errors.contains("another form than the task's"), "\(other.errors)")
    #expect(other.errors.contains("no PID controller: the policy is a PID controller itself"))
  }
}
