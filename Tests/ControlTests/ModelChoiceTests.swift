// SPDX-License-Identifier: Apache-2.0
// A model chosen over the horizon: machines whose structure is known, runs against one step after another by hand, honest bands,
// scores against their closed form, the files that others judge.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import ModelChoice
import Samplers
import Tasks
import TestSupport
import Testing

@Suite("a model chosen over the horizon")
struct ModelChoiceTests {
  private let layout = LogLayout(
    states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 0.1)

  /// A machine with noise, driven by steps of random height.
  private func episode(
    _ seed: UInt64, rows: Int = 250, next: (_ x: [Double], _ u: [Double]) -> Double
  ) -> Episode {
    let draws = DrawKey(seed: seed).normals(particle: 0, step: 0, count: 2 * rows)
    var (x, u): ([Double], [Double]) = ([0, 0, 0], [0, 0, 0])
    for k in 3..<rows {
      u.append(k % 7 == 0 ? draws[k] : u[k - 1])
      x.append(next(x, u) + 0.005 * draws[rows + k])
    }
    return Episode(
      name: "machine \(seed)", timeStep: 0.1, states: x.map { [$0] }, actions: u.map { [$0] })
  }

  /// x'' with a resonance: two rows tell all.
  private func oscillator(_ seed: UInt64) -> Episode {
    episode(seed) { x, u in
      let k = x.count
      return 1.7 * x[k - 1] - 0.85 * x[k - 2] + 0.1 * u[k - 1]
    }
  }

  /// A valve with a dead band before an integrator that leaks.
  private func valve(_ seed: UInt64) -> Episode {
    episode(seed) { x, u in
      let v = u[x.count - 1]
      return 0.95 * x[x.count - 1] + 0.2 * (abs(v) < 0.5 ? 0 : v - (v < 0 ? -0.5 : 0.5))
    }
  }

  /// A command takes twelve rows to the machine.
  private func late(_ seed: UInt64) -> Episode {
    episode(seed) { x, u in
      let k = x.count
      return 0.9 * x[k - 1] + 0.3 * (k > 13 ? u[k - 13] : 0)
    }
  }

  private func choose(_ episodes: [Episode]) throws -> ChosenModel {
    try #require(try chooser(episodes, layout).choose())
  }

  private func chooser(
    _ episodes: [Episode], _ layout: LogLayout, _ purpose: ModelPurpose = .forecasts
  ) -> ModelChooser {
    let form = ModelForm(states: layout.states.count, actions: layout.actions.count)
    var choice = ChoiceOptions()
    (choice.fixed, choice.purpose) = ([], purpose)
    return ModelChooser(
      episodes, layout: layout, plain: PlainModel(form: form, options: FitOptions()),
      choice: choice)
  }

  @Test("a linear machine with memory gets a linear model that has it")
  func memory() throws {
    let choice = try choose((0..<4).map { oscillator($0) })
    #expect(choice.candidates[choice.chosen].name.hasPrefix("linear in"))
    #expect(choice.model.form.stateLag >= 1, "\(choice.candidates[choice.chosen].name)")
    #expect(choice.candidates.contains { $0.score ?? 0 > 2 }, "a single row must lose")
    // Where processes are no better than the line there is nothing to refine.
    #expect(!choice.candidates.contains { $0.name.contains("refined") })
    let figures = HorizonFigures(
      [oscillator(9)], layout: layout, choice.forecasts, choice.reference)
    #expect(figures.rows.map(\.steps) == [1, 2, 5, 10, 20, 50, 100])
    for row in figures.rows {
      #expect(row.crps[0] < 1.1 * row.referenceCRPS[0], "\(row.steps) steps")
      #expect((0.8...1).contains(row.coverage95[0]), "\(row.coverage95) \(row.steps) steps")
    }
    #expect(figures.verdict.hasPrefix("yes"), "\(figures.verdict)")
  }

  @Test("a machine with a dead band gets a Gaussian process, and predicts better than a line")
  func deadBand() throws {
    let choice = try choose((0..<4).map { valve($0) })
    #expect(choice.candidates[choice.chosen].name.contains("Gaussian process"))
    let figures = HorizonFigures(
      [valve(9)], layout: layout, choice.forecasts, choice.reference)
    for row in figures.rows.prefix(5) {
      #expect(row.crps[0] < 0.8 * row.referenceCRPS[0], "\(row.steps) steps")
    }
    let refined = try #require(choice.candidates.first { $0.name.contains("refined on runs") })
    #expect(refined.score != nil && refined.failure == nil)
  }

  @Test("a command that acts later than any history looks back is found by its dead time")
  func deadTime() throws {
    let choice = try choose((0..<4).map { late($0) })
    let name = choice.candidates[choice.chosen].name
    #expect(name.contains("12 rows late"), "\(name)")
    #expect(choice.model.form.actionDelay == 12)
    #expect(choice.candidates[choice.chosen].score ?? 1 < 0.7)
    let figures = HorizonFigures([late(9)], layout: layout, choice.forecasts, choice.reference)
    for row in figures.rows.dropFirst(2) {
      #expect(row.crps[0] < 0.7 * row.referenceCRPS[0], "\(row.steps) steps")
    }
  }

  @Test("a model to search on has processes of few inputs and reads no command of the next row")
  func searched() throws {
    let machines: [(UInt64) -> Episode] = [valve, oscillator, late]
    for machine in machines.thinned(to: 3) {
      let choice = try #require(
        try chooser((0..<4).map(machine), layout, .search).choose())
      let names = choice.candidates.map(\.name)
      #expect(names.contains { $0.hasPrefix("the plain model") })
      #expect(!names.contains { $0.contains("with the next command") })
      #expect(!choice.model.form.hasFeedthrough)
      #expect(choice.model.processes.allSatisfy { !$0.isNoise }, "\(names[choice.chosen])")
      #expect(choice.model.form.outputs.allSatisfy { $0.inputs.count <= 4 })
      let scores = choice.candidates.compactMap(\.score)
      #expect(choice.candidates[choice.chosen].score ?? 9 < 1.1 * (scores.min() ?? 0))
    }
  }

  @Test("what a task says of its model stays; what it does not say is chosen")
  func fixedParts() throws {
    let episodes = (0..<4).map { oscillator($0).rowsOnly(0..<70) }
    func fit(_ model: String) throws -> (task: ControlTask, fit: FittedModel) {
      let task = try ControlTask(
        yaml: """
          name: parts
          timeStep: 0.1
          states: [{name: x}]
          actions: [{name: u, limits: [-3, 3]}]
          \(model)
          """, file: "parts.yaml", folder: ".")
      return (task, try task.fit(episodes))
    }
    func processes(_ fit: FittedModel) -> [String] {
      (fit.choice?.candidates ?? []).map(\.name).filter { $0.contains("Gaussian") }
    }
    let (free, chosen) = try fit("")
    #expect(chosen.choice?.candidates[chosen.choice?.chosen ?? 0].name.contains("rows") == true)
    #expect(try free.mismatch(with: chosen.model) == nil)
    let (matern, smooth) = try fit("model: {covariance: matern-5/2}")
    #expect(processes(smooth).count > 3)
    #expect(processes(smooth).allSatisfy { $0.contains("(matern-5/2)") })
    #expect(try matern.mismatch(with: smooth.model) == nil)
    #expect(try matern.mismatch(with: chosen.model)?.contains("another covariance") == true)
    let (_, zero) = try fit("model: {mean: zero}")
    #expect(processes(zero).allSatisfy { $0.contains("with a zero mean") })
    #expect(zero.model.linear == nil)
    let read = Set(zero.model.form.outputs.flatMap(\.inputs))
    #expect(read.count == zero.model.form.features.count, "a feature that nothing reads")
    let (_, rows) = try fit("model: {stateHistory: 2, actionHistory: 1}")
    #expect(rows.model.form.features.count == 5 && processes(rows).count > 2)
    for fixed in [
      "covariance: matern-3/2, mean: constant, stateHistory: 1", "restPseudoData: 3",
    ] {
      let (_, plain) = try fit("model: {\(fixed)}")
      #expect(plain.choice == nil)
    }
    for name in BuiltInTasks.names { #expect(try !ControlTask(name).model.choice.isOpen) }
    // What draws only from few inputs gets no more, and is refused where there are no fewer.
    let (_, tables) = try fit("model: {sampler: tabulated}")
    #expect(tables.model.form.mostInputs <= 4)
    let refused = #expect(throws: LogError.self) {
      try fit("model: {sampler: tabulated, stateHistory: 2, actionHistory: 2}")
    }
    #expect(refused?.problem.contains("reads at least 6 inputs") == true, "\(refused as Any)")
  }

  @Test("noise, a wave of its own, another machine: nothing to search on, and the words say why")
  func nothing() throws {
    func verdict(_ training: [Episode], _ held: Episode) throws -> String {
      let choice = try choose(training)
      return HorizonFigures([held], layout: layout, choice.forecasts, choice.reference).verdict
    }
    let noise = try choose((0..<4).map { seed in episode(seed, rows: 150) { _, _ in 0 } })
    #expect(noise.candidates[noise.chosen].score ?? 0 > 0.9)
    func wave(_ seed: UInt64) -> Episode {
      episode(seed, rows: 150) { x, _ in sin(0.2 * Double(x.count) + Double(seed)) }
    }
    let own = try verdict((0..<4).map(wave), wave(9))
    #expect(own.hasPrefix("no: the commands do not improve the model's predictions"), "\(own)")
    guard isThorough else { return }
    let still = try verdict(
      (0..<4).map { seed in episode(seed) { _, _ in 0 } }, episode(9) { _, _ in 0 })
    #expect(still.hasPrefix("no"), "\(still)")
    // A machine that answers thirty times as strongly, the other way.
    let other = try verdict(
      (0..<4).map { oscillator($0) },
      episode(9) { x, u in 0.9 * x[x.count - 1] - 3 * u[x.count - 1] })
    #expect(other.hasPrefix("no"), "\(other)")
  }

  @Test("too few rows are refused with a reason, not a crash")
  func few() throws {
    // Enough for a line, but not to judge anything by.
    for count in [4, 12, 40] {
      #expect(try chooser([oscillator(0).rowsOnly(0..<count)], layout).choose() == nil)
    }
  }

  @Test("position, velocity and acceleration in a log, in any order, with a derived rate or not")
  func chains() throws {
    func moving(_ seed: UInt64, _ order: [Int], derived: Bool) -> Episode {
      let draws = DrawKey(seed: seed).normals(particle: 0, step: 0, count: 140)
      var (x, v) = (0.0, 0.0)
      var (states, actions): ([[Double]], [[Double]]) = ([], [])
      var last = 0.0
      for k in 0..<140 {
        let u = sin(0.1 * Double(k)) + 0.3 * draws[k]
        let a = u - 0.5 * v - x
        let row = [x, v, a]
        states.append(order.map { row[$0] } + (derived ? [(x - last) / 0.1] : []))
        actions.append([u])
        last = x
        (x, v) = (x + 0.1 * v + 0.005 * a, v + 0.1 * a)
      }
      return Episode(name: "moving", timeStep: 0.1, states: states, actions: actions)
    }
    let cases =
      [([2, 1, 0], false), ([0, 1, 2], true)] + (isThorough ? [([0, 1, 2], false)] : [])
    for (order, derived) in cases {
      var layout = LogLayout(
        states: order.map { Channel(name: ["x", "v", "a"][$0]) }, actions: [Channel(name: "u")],
        timeStep: 0.1)
      if derived {
        layout.states.append(
          Channel(name: "x_rate", source: .rate(of: "x", filterTime: 0)))
      }
      let choice = try #require(
        try chooser([1, 2].map { moving($0, order, derived: derived) }, layout).choose())
      let path = Scratch.path("chain.safetensors")
      try choice.model.write(to: path, provenance: "test")
      #expect(try DynamicsModel(path: path).form == choice.model.form)
      guard derived else { continue }
      // A task that says which rate the position follows from, though another is derived from it.
      var given = ChoiceOptions()
      given.fixed = [.integrals]
      let form = ModelForm(states: 4, actions: 1, integrals: [0: .trapezoidalIntegral(rate: 1)])
      let searched = try #require(
        try ModelChooser(
          [1, 2].map { moving($0, order, derived: true) }, layout: layout,
          plain: PlainModel(form: form, options: FitOptions()), choice: given
        ).choose())
      #expect(searched.model.form.updates[0] == .trapezoidalIntegral(rate: 1))
      try searched.model.write(to: path, provenance: "test")
    }
  }

  @Test("whole episodes make blocks of about as many rows, or each is cut")
  func blocks() throws {
    // A long exploration and three short trials: no episode is a block of its own.
    let uneven = [oscillator(0), oscillator(1).rowsOnly(0..<40), oscillator(2).rowsOnly(0..<40)]
    let choice = try choose(uneven + [oscillator(3).rowsOnly(0..<40)])
    #expect(choice.candidates.contains { ($0.scoreAtWorst ?? 0) > ($0.score ?? 9) })
    let name = choice.candidates[choice.chosen].name
    #expect(!name.hasPrefix("linear in 1 row"), "\(name)")
  }

  @Test("a task with a long history, or a short log, is judged on held-out logs too")
  func longHistories() throws {
    let folder = try Scratch.folder()
    func write(_ name: String, _ episode: Episode) throws {
      let rows = zip(episode.states, episode.actions).enumerated().map {
        "\(0.1 * Double($0)),\($1.0[0]),\($1.1[0])"
      }
      try ("t,x,u\n" + rows.joined(separator: "\n") + "\n").write(
        toFile: folder + "/" + name, atomically: true, encoding: .utf8)
    }
    try write("long.csv", valve(1).rowsOnly(0..<200))
    try write("short.csv", oscillator(2).rowsOnly(60..<80))
    try write("held.csv", valve(3).rowsOnly(0..<100))
    for (log, model) in [("long.csv", "{stateHistory: 12, actionDelay: 10}"), ("short.csv", "{}")] {
      try """
      name: judged
      timeStep: 0.1
      states: [{name: x}]
      actions: [{name: u, limits: [-3, 3]}]
      logs: [\(log)]
      heldOut: [held.csv]
      model: \(model)
      """.write(toFile: folder + "/judged.yaml", atomically: true, encoding: .utf8)
      let fit = try bagel(["fit", "judged.yaml", "--json", "--predictions", "p.csv"], in: folder)
      #expect(fit.status == 0, "\(log): \(fit.errors)")
      #expect((fit.json["heldOut"] as? [String: Any])?["horizons"] != nil)
    }
  }

  @Test("a run along the commands is one step after another")
  func runs() throws {
    let training = (0..<2).map { valve($0) }
    let all = ModelForm(states: 1, actions: 1, stateHistory: 2, actionHistory: 1)
    let form = ModelForm(
      features: all.features + [.filteredAction(0, steps: 3), .action(0, lag: -1)],
      updates: all.updates)
    var options = FitOptions()
    options.linear = .first
    let model = try DynamicsModel.fit(training, layout: layout, form: form, options: options).model
    let held = valve(5).rowsOnly(0..<60)
    let steps = 25
    let figures = try model.heldOutFigures(
      [held], training: training, freeRunSeconds: 0.1 * Double(steps))
    #expect(figures[0].freeRunSteps == steps)
    // The same starts by hand: at every half of the run's length.
    var squares: [Double] = []
    for start in stride(from: 2, to: held.count - steps, by: steps / 2) {
      var episode = held
      for k in start..<start + steps {
        let features = EpisodeFeatures(form, episode)[k]
        let increment = model.predictIncrements([features]).mean[0][0]
        episode.states[k + 1] = [episode.states[k][0] + increment]
      }
      let error = episode.states[start + steps][0] - held.states[start + steps][0]
      squares.append(error * error)
    }
    let expected = (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    #expect(abs(figures[0].freeRunRMSE - expected) < 1e-6 * expected)
  }

  @Test("a model with a linear part and filtered commands comes back from its file, and rolls out")
  func filesAndRollouts() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 15
    let all = try task.modelForm()
    let form = ModelForm(
      features: all.features + [.state(0, lag: 1), .filteredAction(0, steps: 4)],
      updates: [.increment(output: 0), .difference(of: 0, smoothing: 1)])
    var options = task.model.fit
    options.linear = .first
    let model = try DynamicsModel.fit(
      try task.trainingEpisodes(seed: 0), layout: task.layout, form: form, options: options
    ).model
    let path = Scratch.path("linear.safetensors")
    try model.write(to: path, provenance: "test")
    let back = try DynamicsModel(path: path)
    #expect(back.form == model.form && back.linear == model.linear)
    #expect(back.fingerprint == model.fingerprint)
    let rollout = try task.makeRollout(model, try ExactSampler(model.groups[0], noise: .observed))
    // A row ago the angle was where its rate had it.
    let (first, scale) = (rollout.slots.first(state: [0.2, -0.1]), model.stateStandardiser)
    let rate = scale.mean[1] - 0.1 * scale.scale[1]
    #expect(abs(first[2] - (0.2 - task.layout.timeStep * rate / scale.scale[0])) < 1e-12)
    #expect(first[3] == -0.1)
    let policy = task.makePolicy()
    let batch = RolloutBatch(
      parameters: policy.initialParameters(5),
      initialStates: rollout.slots.first(state: [0.2, -0.1]), goals: [0, 0], particles: 1,
      horizon: 6, draws: DrawKey(seed: 2))
    let expected = InterpreterExecutor(rollout.program, data: rollout.data).gradient(batch)
    let found = try HostExecutor(rollout.program, data: rollout.data).gradient(batch)
    let largest = expected.gradient.map(abs).max() ?? 0
    #expect(largest > 0)
    #expect(zip(found.gradient, expected.gradient).allSatisfy { abs($0 - $1) < 5e-3 * largest })
  }

  @Test("the score of quantiles is that of their distribution", arguments: [-1.5, 0, 0.7, 3])
  func score(y: Double) {
    // Of a standard normal: y (2 Phi(y) - 1) + 2 phi(y) - 1 / sqrt(pi) (Gneiting and Raftery 2007).
    let density = exp(-0.5 * y * y) / (2 * .pi).squareRoot()
    let exact = y * (1 - erfc(y / 2.0.squareRoot())) + 2 * density - 1 / Double.pi.squareRoot()
    let quantiles = Horizons.levels.map { level -> Double in
      var (low, high) = (-10.0, 10.0)
      for _ in 0..<60 {
        let middle = (low + high) / 2
        if 0.5 * erfc(-middle / 2.0.squareRoot()) < level { low = middle } else { high = middle }
      }
      return low
    }
    #expect(abs(crps(quantiles, y) - exact) < 0.06 * exact)
  }

  @Test("predictions and simulations of held-out logs are files for others to judge")
  func files() throws {
    let folder = try Scratch.folder()
    for (name, seed) in [("a", UInt64(1)), ("b", 2)] {
      let episode = valve(seed).rowsOnly(0..<200)
      let rows = zip(episode.states, episode.actions).enumerated().map {
        "\(5 + 0.1 * Double($0)),\($1.0[0]),\($1.1[0])"
      }
      try ("t,x,u\n" + rows.joined(separator: "\n") + "\n").write(
        toFile: folder + "/\(name).csv", atomically: true, encoding: .utf8)
    }
    let usual = [
      "fit", "--log", "a.csv", "--states", "x", "--actions", "u", "--time-step", "0.1", "--rates",
      "none", "--output", "m",
    ]
    let fit = try bagel(
      usual + [
        "--held-out", "b.csv", "--predictions", "p.csv", "--simulation", "s.csv", "--json",
      ], in: folder)
    #expect(fit.status == 0, "\(fit.errors)")
    let horizons = (fit.json["heldOut"] as? [String: Any])?["horizons"] as? [String: Any]
    #expect((horizons?["crps"] as? [[Double]])?.count == (horizons?["steps"] as? [Int])?.count)
    let chosen = fit.json["model"] as? [String: Any]
    #expect((chosen?["candidates"] as? [Any])?.count ?? 0 > 5 && chosen?["chosen"] is String)
    let lines = try String(contentsOfFile: folder + "/p.csv", encoding: .utf8)
      .split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
    #expect(lines[0].prefix(6) == ["file", "start", "steps", "state", "mean", "q0.025"])
    #expect(lines[0].count == 26 && lines.dropFirst().allSatisfy { $0.count == 26 })
    // From row 8 to the last but one, as far as the log goes; x alone, not its derived rate.
    for steps in [1, 2, 5, 10, 20, 50, 100] {
      #expect(lines.count { $0[2] == "\(steps)" } == 200 - 8 - steps)
    }
    #expect(Set(lines.dropFirst().map { $0[3] }) == ["x"])
    #expect(
      lines.contains { $0[0] == "b.csv" && Double($0[1]).map { abs($0 - 5.8) < 1e-9 } == true })
    for line in lines.dropFirst() {
      let quantiles = line.dropFirst(5).compactMap(Double.init)
      #expect(
        quantiles.count == 21 && zip(quantiles, quantiles.dropFirst()).allSatisfy { $0 <= $1 })
    }
    let simulated = try String(contentsOfFile: folder + "/s.csv", encoding: .utf8)
      .split(separator: "\n")
    #expect(simulated[0] == "file,time,state,mean,q0.025,q0.975")
    #expect(simulated.count - 1 >= 185)
    for rates in ["zz", "x,x", "AUTO"] {
      let wrong = try bagel(usual.map { $0 == "none" ? rates : $0 }, in: folder)
      #expect(wrong.status == 64 && wrong.errors.contains("--rates"), "\(rates): \(wrong.errors)")
    }
    let twice = try bagel(
      usual + ["--held-out", "b.csv", "--predictions", "q.csv", "--simulation", "q.csv"], in: folder
    )
    #expect(twice.status == 64 && twice.errors.contains("the same file"))
    let without = try bagel(usual + ["--predictions", "p.csv"], in: folder)
    #expect(without.status == 64 && without.errors.contains("--held-out"))
    let log = try bagel(usual + ["--held-out", "b.csv", "--predictions", "b.csv"], in: folder)
    #expect(log.status == 1 && log.errors.contains("reads it"), "\(log.errors)")
    let model = try bagel(
      usual + ["--held-out", "b.csv", "--predictions", "m/model.safetensors"], in: folder)
    #expect(model.status == 1 && model.errors.contains("cannot write"), "\(model.errors)")
  }
}
