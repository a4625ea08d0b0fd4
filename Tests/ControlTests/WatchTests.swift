// SPDX-License-Identifier: Apache-2.0
// The watch: its statistics against theory, what it finds in replayed rows with a fault in them and what it does not find in rows
// without, its file, and what a run makes of its findings.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Tasks
import TensorFiles
import TestSupport
import Testing
import Watching

@Suite("the watch over a run")
struct WatchTests {
  /// A first-order machine, x' = x + T (u - x) / 0.4 s with noise of the process and of the sensor, under commands that wander.
  private struct Machine {
    static let timeStep = 0.1
    static let (process, sensor) = (1e-3, 4e-3)
    /// What is left of the commands, and how many steps late they act.
    var gain = 1.0
    var delay = 0

    func episode(rows: Int, seed: UInt64) -> Episode {
      let key = DrawKey(seed: seed)
      var (x, command, sent) = (0.0, 0.0, [Double]())
      var (states, actions) = ([[Double]](), [[Double]]())
      for k in 0..<rows {
        let z = key.normals(particle: 0, step: k, count: 3)
        states.append([x + Self.sensor * z[0]])
        command = 0.95 * command + 0.2 * z[1]
        actions.append([min(max(command, -1), 1)])
        sent.append(actions[k][0])
        let acting = sent[max(0, k - delay)]
        x += Self.timeStep / 0.4 * (gain * acting - x) + Self.process * z[2]
      }
      return Episode(name: "log", timeStep: Self.timeStep, states: states, actions: actions)
    }
  }

  private static func task() throws -> ControlTask {
    try ControlTask(
      yaml: """
        name: first-order
        timeStep: 0.1
        states: [{name: x, units: m}]
        actions: [{name: u, limits: [-1, 1]}]
        model: {covariance: squared-exponential, mean: linear, stateHistory: 0}
        logs: [a.csv]
        """, file: "t.yaml", folder: ".")
  }

  /// The model and the watch of 1,500 rows of a sound machine.
  private static let learnt = Result {
    let task = try Self.task()
    let log = Machine().episode(rows: 1_500, seed: 1)
    let model = try DynamicsModel.fit(
      [log], layout: task.layout, form: try task.modelForm(), options: task.model.fit, most: 400
    ).model
    return (model, try WatchCalibration(model, episodes: [log], safeAction: [0]))
  }

  /// What a new watch finds in an episode.
  private func findings(_ episode: Episode) throws -> [WatchFinding] {
    let (model, calibration) = try Self.learnt.get()
    var watch = RunWatch(
      layout: model.layout, bounds: model.stateBounds, calibration: calibration,
      predictor: try StepPredictor(model, safeAction: [0]))
    return episode.measuredRows(model.layout).flatMap { watch.findings($0) }
  }

  @Test("a limit from 2,000 exponential numbers is the one of a million rows, to a quarter")
  func tail() {
    for seed in 0..<5 as Range<UInt64> {
      let values = DrawKey(seed: seed).uniforms(particle: 0, step: 0, count: 2_000).map { -log($0) }
      let limit = tailLimit([values], rows: 1e6)
      // A peak of neighbours above the threshold counts once; log(1e6) is 13.8.
      #expect(abs(limit / log(1e6) - 1) < 0.25, "seed \(seed): \(limit)")
    }
    #expect(tailLimit([], rows: 10) == .infinity)
  }

  @Test("sensors with noise are frozen after a few repeats, those that rest are not judged")
  func frozen() {
    let key = DrawKey(seed: 3)
    let noisy = key.normals(particle: 0, step: 0, count: 2_000)
    let coarse = noisy.map { ($0 * 2).rounded() }
    let limits = FrozenSensors.limits([[noisy, coarse, []]], count: 3, falseAlarms: 1e-8)
    // 2,000 rows without a repeat: p < 1 / 2,000, and p^3 < 1e-8.
    #expect(limits == [3, 0, 0])
    var sensors = FrozenSensors(longestRepeats: limits)
    var found: [Int] = []
    for k in 0..<20 where !sensors.next([k < 10 ? noisy[k] : noisy[9], 1, 1]).isEmpty {
      found.append(k)
    }
    #expect(found.first == 12 && found.count == 8)
  }

  @Test(
    "whitening takes away what the noise of a sensor leaves in the next row, as a Kalman filter does"
  )
  func whitening() throws {
    // e_t = n_t - 0.8 n_(t-1): invertible, its innovations have variance 1; e itself has 1.64.
    let noise = DrawKey(seed: 8).normals(particle: 0, step: 0, count: 4_001)
    let rows = zip(noise.dropFirst(), noise).map { now, before -> Whitening.Row in
      ([now - 0.8 * before], [0])
    }
    let whitening = try Whitening(fitting: [rows], states: 1, actions: 1)
    #expect(whitening.order == 16)
    let order = whitening.order
    let whitened = (order..<rows.count).map {
      whitening.whitened(Array(rows[$0 - order...$0]))[0]
    }
    let variance = whitened.reduce(0) { $0 + $1 * $1 } / Double(whitened.count)
    // 4 sigma of a variance of 4,000 rows is 0.09.
    #expect(abs(variance - 1) < 0.09, "\(variance)")
    // An offset of the sensor leaves 0.8^k.
    let response = whitening.response(of: 0)
    #expect(abs(response[1] - 0.8) < 0.1 && abs(response[2] - 0.64) < 0.12)
  }

  @Test("an hour without a fault has no finding")
  func quiet() throws {
    let found = try findings(Machine().episode(rows: 36_000, seed: 2))
    #expect(found.filter { $0.matter != .beyondData } == [], "\(found)")
  }

  @Test("faults are found, in time and by their names")
  func faults() throws {
    let begin = 300
    /// Steps until something is found after the fault, and the words of all that is.
    func found(
      _ machine: Machine = Machine(), _ change: (Int, inout [Double]) -> Void = { _, _ in }
    ) throws -> (steps: Int, words: [String]) {
      var episode = Machine().episode(rows: begin, seed: 5)
      let after = machine.episode(rows: 1_000, seed: 6)
      episode.states += after.states
      episode.actions += after.actions
      for k in begin..<episode.count { change(k - begin, &episode.states[k]) }
      // The seam is a jump of its own: as if the watch began behind it.
      let part = episode.dropFirst(begin)
      let findings = try findings(part).filter { $0.matter != .beyondData }
      return (findings.first?.step ?? .max, findings.map(\.words))
    }
    var last = 0.0
    let frozen = try found { k, x in
      if k <= 100 { last = x[0] } else { x[0] = last }
    }
    #expect((101...110).contains(frozen.steps), "\(frozen)")
    let dropped = try found { k, x in if (100...102).contains(k) { x[0] = 5 } }
    #expect((100...101).contains(dropped.steps), "\(dropped)")
    let offset = try found { k, x in if k >= 100 { x[0] += 10 * Machine.sensor } }
    #expect((100...110).contains(offset.steps), "\(offset)")
    // A first alarm may take one for the other, as both are wrong where commands change; 1,000 rows name them.
    func names(_ words: String, _ found: [String]) -> Bool { found.contains { $0.contains(words) } }
    let weak = try found(Machine(gain: 0.7))
    #expect(weak.steps < 100, "\(weak)")
    #expect(names("commands less than the model predicts", weak.words), "\(weak)")
    #expect(!names("commands more than the model predicts", weak.words), "\(weak)")
    let late = try found(Machine(delay: 2))
    #expect(late.steps < 100, "\(late)")
    #expect(names("commands later than the model predicts", late.words), "\(late)")
  }

  @Test(
    "a late row is said, and is no innovation; what is beyond the data is said once in ten seconds")
  func lateAndBeyond() throws {
    var episode = Machine().episode(rows: 200, seed: 4)
    episode.times = (0..<200).map { 0.1 * Double($0) + ($0 >= 50 ? 0.4 : 0) }
    let late = try findings(episode)
    #expect(late.map(\.matter) == [.late] && late.first?.step == 50)
    episode.times = []
    for k in 60..<70 { episode.states[k] = [9] }
    let beyond = try findings(episode)
    #expect(beyond.count { $0.matter == .beyondData } == 1)
    #expect(beyond.contains { $0.words.contains("'x' is 9, outside the data") })
  }

  @Test("limits come back from a file with all bits; others' files are refused")
  func file() throws {
    let (model, calibration) = try Self.learnt.get()
    let path = Scratch.path("watch.safetensors")
    try calibration.write(to: path)
    #expect(try WatchCalibration(path: path, for: model.layout) == calibration)
    #expect(calibration.model == model.fingerprint && calibration.judgesInnovations)
    var other = model.layout
    other.states[0].name = "y"
    #expect(throws: TensorFileError.self) { try WatchCalibration(path: path, for: other) }
    // A log of a few rows tells nothing of innovations.
    let short = try WatchCalibration(
      model, episodes: [Machine().episode(rows: 100, seed: 1)], safeAction: [0])
    #expect(!short.judgesInnovations)
  }

  @Test("episodes in which a model is less right widen the limits, and only widen them")
  func widening() throws {
    let (model, calibration) = try Self.learnt.get()
    let strange = Machine(gain: 0.9).episode(rows: 3_000, seed: 7)
    let before = try findings(strange).count { $0.matter == .innovation }
    let wider = try calibration.widened(by: [strange], model, safeAction: [0])
    var watch = RunWatch(
      layout: model.layout, bounds: nil, calibration: wider,
      predictor: try StepPredictor(model, safeAction: [0]))
    let after = strange.measuredRows(model.layout).flatMap { watch.findings($0) }
    #expect(before > 0 && after.isEmpty, "\(before), then \(after)")
    #expect(try wider.widened(by: [strange], model, safeAction: [0]) == wider)
  }

  @Test("logs that were resampled, and a rate whose column is no state, leave a watch")
  func oddLogs() throws {
    let (model, _) = try Self.learnt.get()
    var episode = Machine().episode(rows: 600, seed: 9)
    let sparse = Scratch.path("sparse.csv")
    let lines = (0..<600).map {
      "\(0.15 * Double($0)),\(episode.states[$0][0]),\(episode.actions[$0][0])"
    }
    try (["t,x,u"] + lines).joined(separator: "\n").write(
      toFile: sparse, atomically: true, encoding: .utf8)
    episode = try #require(try Self.task().layout.episodes(from: [sparse]).first)
    #expect(episode.reading?.isResampled == true)
    let watch = try WatchCalibration(model, episodes: [episode], safeAction: [0])
    try watch.write(to: Scratch.path("resampled.safetensors"))
    #expect(watch.judgesInnovations)
    #expect(FrozenSensors.limits([], count: 2, falseAlarms: 1e-8) == [0, 0])
  }

  @Test("a controller goes on from what was sent, also before its first action")
  func sent() throws {
    let yaml = SmallFiles.yaml.replacingOccurrences(of: "goal: error, ", with: "")
    let task = try ControlTask(yaml: yaml, file: "t.yaml", folder: ".")
    let policy = task.makePolicy()
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(4), stateMean: [0, 0],
      stateScale: [1, 1])
    var run = controller.begin()
    run.sent([1, 0.5])
    run.sent([1.2, 0.4])
    let own = run.action(observed: [0.3, 0.1], goal: [0, 0])
    #expect(
      own == controller.action(state: [0.3, 0.1], goal: [0, 0], past: [[1.2, 0.4], [1, 0.5]]))
    // What was sent in place of its own action.
    run.sent([0.9, 0.3])
    let next = run.action(observed: [0.2, 0], goal: [0, 0])
    #expect(
      next == controller.action(state: [0.2, 0], goal: [0, 0], past: [[0.9, 0.3], [1.2, 0.4]]))
  }

  @Test("watch and fallback of a task file, and what is wrong with one")
  func taskFile() throws {
    func task(_ lines: String) throws -> ControlTask {
      try ControlTask(yaml: SmallTask.yaml + "\n" + lines, file: "t.yaml", folder: "logs")
    }
    let usual = try task("")
    #expect(usual.watch[.frozen] == .warn && usual.watch[.innovation] == .warn)
    #expect(usual.fallback == .hold)
    let own = try task(
      "watch: {frozen: fallback, innovation: off}\nfallback: other.safetensors")
    #expect(own.watch[.frozen] == .fallback && own.watch[.innovation] == .off)
    #expect(own.fallback == .policy("logs/other.safetensors"))
    for (lines, words) in [
      ("watch: {frozen: halt}", "off, warn, fallback, stop"), ("fallback: brake", "must be hold"),
      ("watch: {freeze: stop}", "did you mean 'frozen'?"),
    ] {
      #expect(SmallTask.problem(SmallTask.yaml + "\n" + lines).contains(words), "\(lines)")
    }
  }
}

/// A plant in Python whose sensor freezes, and which an operator may take over.
@Suite("a watched run")
struct WatchedRunTests {
  private static let plant = """
    import json, sys
    x, k, frozen = 0.1, 0, None
    freeze, override = int(sys.argv[1]), int(sys.argv[2])
    noise = [((7 * i * i + 3 * i) % 101 - 50) / 1e4 + i * 1e-9 for i in range(100000)]
    for line in sys.stdin:
        command = json.loads(line)
        if command["command"] == "close": break
        k += 1
        if command["command"] == "step": x += 0.1 * (command["action"][0] - x)
        measured = x + noise[k]
        if k == freeze: frozen = measured
        answer = {"state": [measured if frozen is None else frozen]}
        if override <= k < override + 5: answer["override"] = [0.7]
        print(json.dumps(answer), flush=True)
    """

  /// A folder with a task, its model, a policy and a watch.
  private static func folder(_ lines: String, freeze: Int, override: Int = 1_000) throws -> String {
    let folder = try Scratch.folder()
    try plant.write(toFile: folder + "/plant.py", atomically: true, encoding: .utf8)
    let yaml = """
      name: watched
      timeStep: 0.02
      states: [{name: x}]
      actions: [{name: u, limits: [-1, 1], rateLimit: 5, safe: -0.5}]
      plant: {process: [python3, plant.py, '\(freeze)', '\(override)']}
      model: {covariance: squared-exponential, mean: linear, stateHistory: 0}
      policy: {layers: [2]}
      reward: {quadratic: {weights: [1]}}
      start: [0.1]
      goal: [0]
      \(lines)
      """
    try yaml.write(toFile: folder + "/watched.yaml", atomically: true, encoding: .utf8)
    let task = try ControlTask(yaml: yaml, file: "watched.yaml", folder: folder)
    let key = DrawKey(seed: 1)
    var (x, u) = (0.1, 0.0)
    var (states, actions) = ([[Double]](), [[Double]]())
    for k in 0..<500 {
      let z = key.normals(particle: 0, step: k, count: 2)
      u = min(max(0.9 * u + 0.4 * z[0], -1), 1)
      states.append([x + 3e-3 * z[1]])
      actions.append([u])
      x += 0.1 * (u - x)
    }
    let log = Episode(name: "log", timeStep: 0.02, states: states, actions: actions)
    let model = try DynamicsModel.fit(
      [log], layout: task.layout, form: try task.modelForm(), options: task.model.fit, most: 200
    ).model
    try FileManager.default.createDirectory(
      atPath: folder + "/watched-out", withIntermediateDirectories: true)
    let out = folder + "/watched-out"
    try model.write(to: out + "/model.safetensors", provenance: "test")
    try WatchCalibration(model, episodes: [log], safeAction: [-0.5])
      .write(to: out + "/watch.safetensors")
    let policy = task.makePolicy()
    try PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: [0], stateScale: [1]
    ).write(to: out + "/policy.safetensors", description: task.policyDescription(on: model))
    return folder
  }

  /// Columns of the first log.
  private func log(_ folder: String) throws -> (u: [Double], watch: [Double]) {
    let lines = try String(contentsOfFile: folder + "/watched-out/run-1.csv", encoding: .utf8)
      .split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
    let (u, watch) = (
      try #require(lines[0].firstIndex(of: "u")), try #require(lines[0].firstIndex(of: "watch"))
    )
    return (
      lines.dropFirst().compactMap { Double($0[u]) },
      lines.dropFirst().compactMap { Double($0[watch]) }
    )
  }

  @Test("a frozen sensor ends the run with the safe action, exit code 2, and the words say why")
  func stops() throws {
    let folder = try Self.folder("watch: {frozen: stop}", freeze: 30)
    let done = try bagel(["run", "watched.yaml", "--seconds", "2", "--json"], in: folder)
    #expect(done.status == 2, "\(done.errors)")
    #expect(done.errors.contains("its sensor may be frozen"), "\(done.errors)")
    let rows = try log(folder)
    #expect((30...40).contains(rows.u.count) && rows.u.last == -0.5)
    #expect(rows.watch.last == 4)
    let watch = try #require(done.json["watch"] as? [String: Any])
    #expect(watch["stopped"] as? Bool == true)
    #expect((watch["counts"] as? [String: Int])?["frozen"] == 1)
  }

  @Test("a fallback takes over within the rate limit; off finds nothing")
  func fallsBack() throws {
    let folder = try Self.folder("watch: {frozen: fallback, innovation: off}", freeze: 30)
    let done = try bagel(["run", "watched.yaml", "--seconds", "2", "--json"], in: folder)
    #expect(
      done.status == 2 && done.errors.contains("drove instead of the policy"), "\(done.errors)")
    #expect(done.errors.contains("from here on the safe action drives"), "\(done.errors)")
    let rows = try log(folder)
    #expect(rows.u.count == 101 && rows.u.suffix(20).allSatisfy { $0 == -0.5 })
    #expect(rows.watch.suffix(20).allSatisfy { $0 == 16 })
    // 5 a second for 0.02 s; the last row is the safe action, which keeps no rate.
    let changes = zip(rows.u.dropFirst(), rows.u).map { abs($0 - $1) }
    #expect(changes.allSatisfy { $0 <= 0.1 + 1e-9 })
    let blind = try Self.folder("watch: {frozen: off, innovation: off}", freeze: 30)
    let quiet = try bagel(["run", "watched.yaml", "--seconds", "1", "--json"], in: blind)
    #expect(quiet.status == 0 && !quiet.errors.contains("watch, step"), "\(quiet.errors)")
  }

  @Test("no policy drives by a frozen sensor: the safe action does, whatever the fallback is")
  func frozenFallback() throws {
    let folder = try Self.folder(
      "watch: {frozen: fallback, innovation: off}\nfallback: watched-out/policy.safetensors",
      freeze: 30)
    let done = try bagel(["run", "watched.yaml", "--seconds", "2", "--json"], in: folder)
    #expect(done.errors.contains("from here on the safe action drives"), "\(done.errors)")
    #expect(done.errors.contains("the safe action drove instead of the policy"), "\(done.errors)")
    let rows = try log(folder)
    #expect(rows.u.suffix(20).allSatisfy { $0 == -0.5 })
  }

  @Test(
    "an operator's command goes to the machine, within its limits, and the policy goes on from it")
  func override() throws {
    let folder = try Self.folder("watch: {innovation: off}", freeze: 1_000, override: 20)
    let done = try bagel(["run", "watched.yaml", "--seconds", "1", "--json"], in: folder)
    #expect(done.status == 0 && done.json["overridden"] as? Int == 5, "\(done.errors)")
    let rows = try log(folder)
    let changes = zip(rows.u.dropFirst(), rows.u).map { abs($0 - $1) }
    #expect(changes.dropLast().allSatisfy { $0 <= 0.1 + 1e-9 })
    #expect(rows.watch.count { $0 >= 32 } == 5)
    // Five rows towards 0.7, by 0.1 each.
    #expect(rows.u[23] > rows.u[18] + 0.3)
    let wrong = try bagel(["run", "watched.yaml", "--policy", "none.safetensors"], in: folder)
    #expect(wrong.status == 65)
  }

  @Test("without its files a run says what is not watched, and drives")
  func unwatched() throws {
    let folder = try Self.folder("", freeze: 1_000)
    try FileManager.default.removeItem(atPath: folder + "/watched-out/watch.safetensors")
    let done = try bagel(["run", "watched.yaml", "--seconds", "0.5", "--json"], in: folder)
    #expect(done.status == 0 && done.errors.contains("there is no"), "\(done.errors)")
  }
}
