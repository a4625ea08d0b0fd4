// SPDX-License-Identifier: Apache-2.0
// A conformance suite for posterior samplers, run on each by name: moments against the exact posterior within the
// tolerance listed with it, gradients by adjoint and differences, the closed loop the same on every executor. A new
// sampler inherits all of it by its name in `SamplerName`.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Programs
import Rollouts
import Samplers
import Tasks
import TestSupport
import Testing

/// What the outputs of the boom's model read of angle, rate and valve.
enum SamplerInputs: CaseIterable {
  case same
  /// The angle's does not read the valve.
  case theirOwn
}

/// A small model of the boom.
private struct Fixture {
  let model: DynamicsModel
  let task: ControlTask

  init(_ inputs: SamplerInputs = .same, _ change: (inout ControlTask) -> Void = { _ in }) throws {
    var task = try SmallBoom.task()
    change(&task)
    self.task = task
    switch inputs {
    case .same:
      model =
        task.model == (try SmallBoom.task().model)
        ? try SmallBoom.fitted().model : try task.fit().model
    case .theirOwn:
      let all = try task.modelForm()
      model = try DynamicsModel.fit(
        try task.trainingEpisodes(seed: 0), layout: task.layout,
        form: ModelForm(
          features: all.features, updates: all.updates, inputs: [[0, 1], [0, 1, 2]]),
        options: task.model.fit
      ).model
    }
  }

  func sampler(_ name: SamplerName?, noise: DrawnNoise = .latent) throws -> MeasuredSampler {
    var options = SamplerOptions()
    options.name = name
    options.noise = noise
    options.features = 2_000
    return try model.sampler(options, actionLimits: task.actionLimits)
  }
}

/// RMS errors that a sampler may have on the fixture, of the mean in signal and of the deviation in predictive deviations:
/// single precision for the exact ones, their own stopping rules for love and sparse, interpolation for grids,
/// 4 / sqrt(2,000 features) for the pathwise draws' prior.
private func tolerance(_ name: SamplerName?) -> (mean: Double, deviation: Double) {
  switch name {
  case .exact: (1e-4, 2e-3)
  case .love: (1e-4, 2e-2)
  case .sparse: (2e-2, 2e-2)
  case .tabulated: (1e-2, 3e-2)
  case .kissGP: (5e-2, 3e-2)
  case .pathwise: (1e-12, 0.09)
  case .sparsePathwise: (2e-2, 0.09)
  case nil: (1e-3, 1e-2)
  }
}

/// Every sampler, and the one that is chosen.
private let allAndChosen = SamplerName.allCases.map(Optional.some) + [nil]

@Suite("samplers")
struct SamplerTests {
  @Test(
    "errors against the exact posterior are within bounds", arguments: allAndChosen,
    SamplerInputs.allCases)
  func moments(name: SamplerName?, inputs: SamplerInputs) throws {
    let fixture = try Fixture(inputs)
    // Observed noise on top of a function draw leaves out what the calibration adds to the latent variance.
    let isFunction = name == .pathwise || name == .sparsePathwise
    for noise in isFunction ? [.latent] : DrawnNoise.allCases {
      let measured = try fixture.sampler(name, noise: noise)
      let (mean, deviation) = measured.certificate.worst
      let bound = tolerance(name)
      #expect(mean <= bound.mean, "\(measured.description), \(noise)")
      #expect(deviation <= bound.deviation, "\(measured.description), \(noise)")
      #expect(name == nil || measured.sampler.name == name)
    }
  }

  @Test(
    "every covariance function serves every sampler that it suits",
    // The squared exponential, the only one that is a product over the inputs, is the fixture of the other tests.
    arguments: RadialProfileName.allCases.filter { $0 != .squaredExponential },
    SamplerName.allCases)
  func covariances(profile: RadialProfileName, name: SamplerName) throws {
    let fixture = try Fixture(.same) { $0.model.fit.profile = profile }
    guard name != .kissGP else {
      #expect(throws: GridError.self) { try fixture.sampler(name) }
      return
    }
    let measured = try fixture.sampler(name)
    let (mean, deviation) = measured.certificate.worst
    let bound = tolerance(name)
    // Rougher functions, one of whose frequencies is often far out: interpolation and Fourier features converge slower.
    #expect(mean <= 3 * bound.mean, "\(measured.description)")
    #expect(deviation <= 3 * bound.deviation, "\(measured.description)")
  }

  @Test(
    "the closed loop has the same numbers on the host as in the interpreter",
    arguments: allAndChosen, SamplerInputs.allCases)
  func closedLoop(name: SamplerName?, inputs: SamplerInputs) throws {
    let fixture = try Fixture(inputs)
    let rollout = try fixture.task.makeRollout(fixture.model, try fixture.sampler(name).sampler)
    let batch = smallBatch(rollout, fixture.task)
    let expected = InterpreterExecutor(rollout.program, data: rollout.data).gradient(batch)
    let found = try HostExecutor(rollout.program, data: rollout.data).gradient(batch)
    let largest = expected.gradient.map(abs).max() ?? 0
    // Single precision of a deviation sqrt(k - ||S^T k||^2): eps sqrt(n) times the root's size, 1 / sn.
    #expect(
      zip(found.gradient, expected.gradient).allSatisfy { abs($0 - $1) < 5e-3 * largest })
    #expect(
      zip(found.returns.returns, expected.returns.returns).allSatisfy { abs($0 - $1) < 1e-3 })
  }

  @Test("the gradient is the derivative of the mean return", arguments: allAndChosen)
  func differences(name: SamplerName?) throws {
    let fixture = try Fixture()
    let rollout = try fixture.task.makeRollout(fixture.model, try fixture.sampler(name).sampler)
    let executor = InterpreterExecutor(rollout.program, data: rollout.data)
    let batch = smallBatch(rollout, fixture.task)
    let gradient = executor.gradient(batch).gradient
    let direction = DrawKey(seed: 4).normals(particle: 0, step: 0, count: gradient.count)
    func mean(_ step: Double) -> Double {
      var moved = batch
      moved.parameters = zip(batch.parameters, direction).map { $0 + step * $1 }
      return executor.returns(moved).mean
    }
    let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    let difference = (mean(1e-5) - mean(-1e-5)) / 2e-5
    #expect(abs(slope - difference) < 1e-5 * max(abs(slope), 1e-2))
  }

  @Test(
    "draws have the posterior's moments, and a function draw stays the same function",
    arguments: [SamplerName.exact, .pathwise, .sparsePathwise], SamplerInputs.allCases)
  func draws(name: SamplerName, inputs: SamplerInputs) throws {
    let fixture = try Fixture(inputs)
    let sampler = try fixture.sampler(name).sampler
    let model = fixture.model
    // x' = the increments at a fixed point, so a rollout of two steps draws twice there.
    let point = model.features.row(70).map { 0.95 * $0 }
    let builder = ProgramBuilder()
    var slots = StepSlots()
    let drawn = sampler.increments(
      at: builder.constant(point) + 0 * builder.input(.carry, length: 2).sum,
      draws: builder.normal(slots.draws("model", length: 2)), functionOffset: 0)
    builder.output(.next, drawn)
    builder.output(.reward, builder.constant([0]))
    builder.output(.action, builder.constant([0]))
    let initial = ProgramBuilder()
    initial.output(.reward, initial.constant([0]))
    let program = RolloutProgram(
      initial: initial.finish(), step: builder.finish(), parameterCount: 0, stateLimit: 1e9)
    let count = 4_000
    let key = DrawKey(seed: 12)
    let paths = try HostExecutor(program, data: sampler.data).trajectories(
      RolloutBatch(
        parameters: [], initialStates: Array(repeating: 0, count: 2 * count), goals: [],
        particles: count, horizon: 2, draws: key,
        functionDraws: sampler.functionDraws(count, key: key)))
    for (m, (output, process)) in zip(model.form.outputs, model.processes).enumerated() {
      let exact = process.predict(Matrix([point]).selecting(columns: output.inputs))
      let values = (0..<count).map { paths.carry(step: 1, particle: $0).dropFirst(m).first ?? .nan }
      let mean = values.reduce(0, +) / Double(count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
      let n = Double(count)
      #expect(abs(mean - exact.mean[0]) < 4 * (exact.variance[0] / n).squareRoot())
      // Four standard errors of a variance, and 4 / sqrt(2,000) of the prior's variance by Fourier features
      // where the data leave it.
      let features = name == .exact ? 0 : 0.09
      #expect(
        abs(variance - exact.variance[0]) < (4 * (2 / n).squareRoot() + features)
          * exact.variance[0])
      let second = (0..<count).map { paths.carry(step: 2, particle: $0).dropFirst(m).first ?? .nan }
      #expect((values == second) == (sampler.functionLength > 0))
    }
  }

  /// Three outputs of which the first and the third read the same.
  private func interleaved() throws -> DynamicsModel {
    var layout = LogLayout(
      states: ["a", "b", "c"].map { Channel(name: $0) }, actions: [Channel(name: "u")], timeStep: 1)
    layout.states[0].units = "m"
    let noise = DrawKey(seed: 3).normals(particle: 0, step: 0, count: 4 * 60)
    var states = [[0.1, -0.2, 0.3]]
    let actions = (0..<60).map { [sin(0.7 * Double($0)) + 0.3 * noise[$0]] }
    for k in 1..<60 {
      let (x, u) = (states[k - 1], actions[k - 1][0])
      states.append([
        0.8 * x[0] + 0.3 * u + 0.05 * noise[60 + k], 0.7 * x[1] + sin(u) + 0.05 * noise[120 + k],
        0.5 * x[2] + 0.4 * x[0] * u + 0.05 * noise[180 + k],
      ])
    }
    let all = ModelForm(states: 3, actions: 1)
    return try DynamicsModel.fit(
      [Episode(name: "", timeStep: 1, states: states, actions: actions)], layout: layout,
      form: ModelForm(
        features: all.features, updates: all.updates, inputs: [[0, 2, 3], [1, 3], [0, 2, 3]]),
      options: FitOptions()
    ).model
  }

  @Test(
    "each output has its own posterior and its own draw, however the groups lie",
    arguments: [SamplerName.exact, .pathwise, .sparsePathwise])
  func interleavedGroups(name: SamplerName) throws {
    let model = try interleaved()
    #expect(model.groups.map(\.outputs) == [[0, 2], [1]])
    var options = SamplerOptions()
    options.name = name
    options.features = 1_000
    let sampler = try model.sampler(options, actionLimits: [-1...1]).sampler
    let builder = ProgramBuilder()
    let point = model.features.row(30).map { 1.05 * $0 }
    builder.output(
      "increments",
      sampler.increments(
        at: builder.constant(point), draws: builder.input("draws", length: 3), functionOffset: 0))
    let program = builder.finish()
    let count = 400
    let functions = sampler.functionDraws(count, key: DrawKey(seed: 9))
    func drawn(_ draws: [Double], particle: Int) -> [Double] {
      let f = sampler.functionLength
      let own = Array(functions[particle * f..<(particle + 1) * f])
      return Interpreter(shared: sampler.data.merging([RolloutProgram.functionDraw: own]) { $1 })
        .run(program, inputs: ["draws": draws])["increments"]
    }
    let samples = (0..<count).map { drawn([0, 0, 0], particle: $0) }
    for (m, (output, process)) in zip(model.form.outputs, model.processes).enumerated() {
      let exact = process.predict(Matrix([point]).selecting(columns: output.inputs))
      let mean = samples.reduce(0) { $0 + $1[m] } / Double(count)
      let error = (exact.variance[0] / Double(count)).squareRoot()
      #expect(abs(mean - exact.mean[0]) < (name == .exact ? 1e-9 : 4 * error))
      guard name == .exact else { continue }
      let moved = drawn((0..<3).map { $0 == m ? 1 : 0 }, particle: 0)
      for other in 0..<3 {
        let change = moved[other] - samples[0][other]
        #expect(abs(change - (other == m ? exact.variance[0].squareRoot() : 0)) < 1e-6)
      }
    }
  }

  @Test("a sparse deviation takes as few points as its tolerance lets it, the mean all")
  func sparseBases() throws {
    let fixture = try Fixture()
    var options = SamplerOptions()
    options.name = .sparse
    func sparse() throws -> (SparseSampler, SamplerCertificate) {
      let made = try fixture.model.sampler(options, actionLimits: fixture.task.actionLimits)
      return (try #require(made.sampler as? SparseSampler), made.certificate)
    }
    options.tolerance.deviation = 0
    let (whole, best) = try sparse()
    #expect(whole.deviationPoints == whole.inducingPoints)
    options.tolerance.deviation = 1e-2
    let (own, certificate) = try sparse()
    #expect(own.inducingPoints == whole.inducingPoints)
    #expect(zip(own.deviationPoints, own.inducingPoints).contains { 4 * $0 <= 3 * $1 })
    for (a, b) in zip(certificate.errors, best.errors) {
      #expect(abs(a.meanRMS - b.meanRMS) < 1e-4)
      #expect(a.deviationRMS < b.deviationRMS + 1.5e-2)
    }
  }

  @Test("automatic takes the cheapest sampler within tolerance and shows what it left")
  func automatic() throws {
    let fixture = try Fixture()
    var options = SamplerOptions()
    let loose = try { () throws -> MeasuredSampler in
      options.tolerance.mean = 1
      options.tolerance.deviation = 1
      return try fixture.model.sampler(options, actionLimits: fixture.task.actionLimits)
    }()
    #expect(loose.sampler.name == .tabulated && loose.rejected.isEmpty && loose.isWithinTolerance)
    options.tolerance.mean = 2e-4
    options.tolerance.deviation = 3e-3
    options.tablePoints = 1_000
    let strict = try fixture.model.sampler(options, actionLimits: fixture.task.actionLimits)
    #expect(strict.isWithinTolerance && strict.sampler.name != .tabulated)
    #expect(strict.rejected.contains { $0.sampler == .tabulated })
    #expect(strict.rejected.allSatisfy { !$0.isWithin(options.tolerance) })
  }

  @Test("five inputs cannot be tabulated nor put on a grid, and the message says what can be done")
  func tooManyInputs() throws {
    let fixture = try Fixture {
      $0.model.actionHistory = 2
      $0.model.fit.fullIterations = 1
    }
    #expect(fixture.model.form.features.count == 5)
    for name in [SamplerName.tabulated, .kissGP] {
      do {
        _ = try fixture.sampler(name)
        Issue.record("five inputs were accepted by \(name)")
      } catch {
        #expect("\(error)".contains("exact") && "\(error)".contains("love"))
      }
    }
    let automatic = try fixture.sampler(nil)
    #expect([.sparse, .love, .exact].contains(automatic.sampler.name))
  }

  private func smallBatch(_ rollout: Rollout, _ task: ControlTask) -> RolloutBatch {
    let key = DrawKey(seed: 1)
    return RolloutBatch(
      parameters: task.makePolicy().initialParameters(2),
      initialStates: [[-0.5, 0.1], [0.3, 0.4], [-0.2, 0.2]].flatMap {
        rollout.slots.first(state: $0)
      },
      goals: [0, 0, 0.1, 0, 0, 0.2], particles: 3, horizon: 4, draws: key,
      functionDraws: rollout.functionDraws(3, key))
  }

  @Test("a model with histories, sine and cosine, and integrals rolls out and differentiates")
  func richForms() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 12
    task.model.fit.fullIterations = 1
    task.model.fit.profile = .matern52
    task.model.actionHistory = 1
    task.model.stateHistory = 1
    task.states[0].channel.turn = 2 * .pi
    task.model.integrals = ["angle": "rate"]
    task.model.restPseudoData = 10
    let model = try task.fit().model
    #expect(model.processes.count == 1)
    let rollout = try task.makeRollout(model, try ExactSampler(model.groups[0], noise: .observed))
    #expect(rollout.slots.carry.count { $0.name.hasPrefix("state ") } == 2)
    let state = rollout.slots.first(state: [0.2, -0.1])
    let policy = task.makePolicy()
    let batch = RolloutBatch(
      parameters: policy.initialParameters(5), initialStates: state, goals: [0, 0], particles: 1,
      horizon: 3, draws: DrawKey(seed: 2))
    let executor = InterpreterExecutor(rollout.program, data: rollout.data)
    let gradient = executor.gradient(batch).gradient
    let direction = DrawKey(seed: 4).normals(particle: 0, step: 0, count: gradient.count)
    func mean(_ step: Double) -> Double {
      var moved = batch
      moved.parameters = zip(batch.parameters, direction).map { $0 + step * $1 }
      return executor.returns(moved).mean
    }
    let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    let difference = (mean(1e-5) - mean(-1e-5)) / 2e-5
    #expect(abs(slope - difference) < 1e-5 * max(abs(slope), 1e-2))
    // Trapezoid: x' = x + T (v + v') / 2 in physical units.
    let path = executor.trajectories(batch)
    let (mean0, scale) = (model.stateStandardiser.mean, model.stateStandardiser.scale)
    func physical(_ step: Int) -> [Double] {
      let state = Array(path.carry(step: step, particle: 0))
      return [0, 1].map { state[$0] * scale[$0] + mean0[$0] }
    }
    for k in 0..<3 {
      let (a, b) = (physical(k), physical(k + 1))
      #expect(abs(b[0] - a[0] - 0.5 * 0.05 * (a[1] + b[1])) < 1e-12)
    }
  }
}
