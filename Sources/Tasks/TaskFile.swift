// SPDX-License-Identifier: Apache-2.0
// YAML -> ControlTask, key by key, with the checks that need only the file itself.

import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import PolicySearch
import Rollouts
import Samplers

extension ControlTask {
  /// A built-in task by name, or a YAML file by path. Throws: `LogError`.
  public init(_ nameOrPath: String) throws {
    if let text = BuiltInTasks.text(nameOrPath) {
      self = try ControlTask(yaml: text, file: "built-in task \(nameOrPath)", folder: ".")
      return
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: nameOrPath, isDirectory: &isFolder) {
      guard !isFolder.boolValue, FileManager.default.isReadableFile(atPath: nameOrPath) else {
        throw LogError(
          file: nameOrPath, isFolder.boolValue ? "is a folder" : "cannot be read: permission denied"
        )
      }
    }
    guard let text = try? String(contentsOfFile: nameOrPath, encoding: .utf8) else {
      let known = BuiltInTasks.names.joined(separator: ", ")
      throw LogError(
        file: nameOrPath,
        "no such task file (in UTF-8), and no built-in task (there are: \(known)); "
          + "`bagel new NAME` writes a task file")
    }
    let folder = URL(fileURLWithPath: nameOrPath).deletingLastPathComponent().path
    self = try ControlTask(yaml: text, file: nameOrPath, folder: folder)
  }

  /// A task from YAML text; relative log paths start at `folder`. Throws: `LogError`.
  public init(yaml text: String, file: String, folder: String) throws {
    self.init()
    let yaml = try YAMLMapping.document(text, file: file)
    try readMachine(yaml, folder)
    try readModel(yaml)
    try readObjective(yaml)
    try readSearch(yaml)
    try readEvaluation(yaml)
    try yaml.finish()
  }

  private mutating func readMachine(_ yaml: YAMLMapping, _ folder: String) throws {
    name = try required(yaml.string("name"), "name", yaml)
    layout.timeStep = try required(yaml.positive("timeStep"), "timeStep", yaml)
    layout.timeColumn = try yaml.string("timeColumn")
    layout.states = try required(yaml.mappings("states"), "states", yaml).map { entry in
      let name = try required(entry.string("name"), "name", entry)
      let source = try entry.string("rateOf").map { Channel.Source.rate(of: $0) } ?? .column
      return Channel(name: name, units: try entry.string("units") ?? "", source: source)
    }
    for entry in try required(yaml.mappings("actions"), "actions", yaml) {
      let name = try required(entry.string("name"), "name", entry)
      let limits = try required(entry.numbers("limits"), "limits", entry)
      guard limits.count == 2, limits[0] < limits[1], limits.allSatisfy({ abs($0) < 1e9 }) else {
        throw entry.error("limits", "must be [lower, upper] with lower < upper, not \(limits)")
      }
      layout.actions.append(Channel(name: name, units: try entry.string("units") ?? ""))
      actionLimits.append(limits[0]...limits[1])
    }
    try checkNames(yaml)
    func resolve(_ paths: [String]?) -> [String] {
      (paths ?? []).map { $0.hasPrefix("/") || folder == "." ? $0 : "\(folder)/\($0)" }
    }
    logs = resolve(try yaml.strings("logs"))
    heldOutLogs = resolve(try yaml.strings("heldOut"))
    plant = try yaml.string("plant")
    if let plant, !BuiltInPlants.names.contains(plant) {
      throw yaml.error(
        "plant", "must be one of \(BuiltInPlants.names.joined(separator: ", ")), not '\(plant)'")
    }
    collectSeconds = try yaml.positive("collectSeconds")
    if let collectSeconds { try checkSteps(collectSeconds, "collectSeconds", yaml) }
  }

  private func checkNames(_ yaml: YAMLMapping) throws {
    if layout.states.isEmpty { throw yaml.error("states", "must name at least one state") }
    if layout.actions.isEmpty { throw yaml.error("actions", "must name at least one action") }
    let names = (layout.states + layout.actions).map(\.name)
    if let twice = Dictionary(grouping: names, by: { $0 }).first(where: { $0.value.count > 1 }) {
      throw yaml.error("states", "and actions: two are called '\(twice.key)'")
    }
    for channel in layout.states {
      guard case .rate(let base) = channel.source else { continue }
      let isDerived = layout.states.contains { $0.name == base && $0.source != .column }
      if layout.actions.contains(where: { $0.name == base }) || isDerived || base == channel.name {
        throw yaml.error(
          "states", "'\(channel.name)' has rateOf: \(base), which must be a measured state")
      }
    }
  }

  private mutating func readModel(_ yaml: YAMLMapping) throws {
    guard let entry = try yaml.mapping("model") else { return }
    if let profile = try entry.choice(
      "covariance", RadialProfileName.self, among: RadialProfileName.allCases.map(\.rawValue))
    {
      model.fit.profile = profile
    }
    if let mean = try entry.choice(
      "mean", MeanFunction.self, among: MeanFunction.allCases.map(\.rawValue))
    {
      model.fit.mean = mean
    }
    if let criterion = try entry.choice(
      "criterion", FitCriterion.self, among: FitCriterion.allCases.map(\.rawValue))
    {
      model.fit.criterion = criterion
    }
    if let shortest = try entry.positive("shortestLengthscale") {
      model.fit.prior?.shortestLengthscale = shortest
    }
    if let floor = try entry.positive("noiseFloor") { model.fit.noiseFloor = floor }
    model.actionHistory = try entry.integer("actionHistory", 0...100) ?? 0
    model.stateHistory = try entry.integer("stateHistory", 0...100) ?? 0
    model.angles = try entry.strings("angles") ?? []
    model.integrals = try entry.words("integrate") ?? [:]
    model.restPseudoData = try entry.integer("restPseudoData", 0...100_000) ?? 0
    if let sampler = try entry.choice(
      "sampler", SamplerName.self, among: SamplerName.allCases.map(\.rawValue))
    {
      model.sampler.name = sampler
    }
    if let noise = try entry.choice(
      "noise", DrawnNoise.self, among: DrawnNoise.allCases.map(\.rawValue))
    {
      model.sampler.noise = noise
    }
    if let points = try entry.integer("tablePoints", 1_000...10_000_000) {
      model.sampler.tablePoints = points
    }
    model.sampler.rank = try entry.integer("rank", 1...10_000)
    model.sampler.gridPoints = try entry.integer("gridPoints", 4...100)
    if let points = try entry.integer("inducingPoints", 1...5_000) {
      model.sampler.inducingPoints = points
    }
    if let features = try entry.integer("features", 1...10_000) {
      model.sampler.features = features
    }
    if let likelihood = try entry.choice(
      "likelihood", LikelihoodMethod.self, among: LikelihoodMethod.allCases.map(\.rawValue))
    {
      model.fit.likelihood = likelihood
    }
  }

  private mutating func readObjective(_ yaml: YAMLMapping) throws {
    if let entry = try yaml.mapping("policy") {
      if let layers = try entry.numbers("layers") {
        guard layers.allSatisfy({ $0 == $0.rounded() && $0 >= 1 && $0 <= 4_096 }) else {
          throw entry.error("layers", "must be a list of whole numbers from 1 to 4096")
        }
        policy.layers = layers.map { Int($0) }
      }
      policy.basisFunctions = try entry.integer("radialBasis", 1...4_096)
      if policy.basisFunctions != nil, try entry.numbers("layers") != nil {
        throw entry.error("radialBasis", "and layers exclude each other: one kind of policy")
      }
      if let goal = try entry.choice(
        "goal", GoalInput.self, among: ["none", "concatenated", "error"])
      {
        policy.goalInput = goal
      }
    }
    rewards = try (yaml.mappings("reward") ?? []).map { try rewardTerm($0) }
    if rewards.isEmpty {
      throw yaml.error(
        "reward", "is missing; for example: reward: {saturating: {weights: [10, 0.1]}}")
    }
    for case .learned(let column, _) in rewards {
      guard layout.rewardColumn ?? column == column else {
        throw yaml.error("reward", "learns from two columns; one is possible")
      }
      layout.rewardColumn = column
    }
    start = try distribution("start", yaml)
    goal = try distribution("goal", yaml)
  }

  private func rewardTerm(_ entry: YAMLMapping) throws -> RewardTerm {
    func weights(_ term: YAMLMapping) throws -> ([Double], RewardUnits) {
      let weights = try required(term.numbers("weights"), "weights", term)
      guard weights.count == layout.states.count else {
        throw term.error(
          "weights", "has \(weights.count) numbers for \(layout.states.count) states")
      }
      let units = try term.choice("units", RewardUnits.self, among: ["standardised", "physical"])
      return (weights, units ?? .standardised)
    }
    if let term = try entry.mapping("saturating") {
      let (weights, units) = try weights(term)
      return .saturating(weights: weights, width: try term.positive("width") ?? 1, units: units)
    }
    if let term = try entry.mapping("quadratic") {
      let (weights, units) = try weights(term)
      let actions = try term.numbers("actionWeights") ?? []
      guard actions.isEmpty || actions.count == layout.actions.count else {
        throw term.error(
          "actionWeights", "has \(actions.count) numbers for \(layout.actions.count) actions")
      }
      return .quadratic(weights: weights, actionWeights: actions, units: units)
    }
    if let weight = try entry.number("actionChange") { return .actionChange(weight) }
    if let term = try entry.mapping("learned") {
      let column = try required(term.string("column"), "column", term)
      return .learned(column: column, weight: try term.positive("weight") ?? 1)
    }
    try entry.finish()
    throw entry.error("saturating", "or quadratic, actionChange or learned is expected in a reward")
  }

  /// [x, ...], or {lower: [...], upper: [...]}, or {mean: [...], deviation: [...]}.
  private func distribution(_ key: String, _ yaml: YAMLMapping) throws -> StateDistribution {
    let result: StateDistribution
    if yaml.isList(key), let state = try yaml.numbers(key) {
      result = .fixed(state)
    } else if let entry = try yaml.mapping(key) {
      if let lower = try entry.numbers("lower") {
        let upper = try required(entry.numbers("upper"), "upper", entry)
        guard lower.count == upper.count, zip(lower, upper).allSatisfy({ $0 <= $1 }) else {
          throw entry.error("lower", "must be as long as 'upper' and not above it")
        }
        result = .uniform(lower: lower, upper: upper)
      } else {
        let mean = try required(entry.numbers("mean"), "mean", entry)
        let deviation = try required(entry.numbers("deviation"), "deviation", entry)
        guard mean.count == deviation.count, deviation.allSatisfy({ $0 >= 0 }) else {
          throw entry.error("deviation", "must be as long as 'mean' and not negative")
        }
        result = .normal(mean: mean, deviation: deviation)
      }
    } else {
      throw yaml.error(key, "is missing; give one number a state, or {lower: [...], upper: [...]}")
    }
    guard result.length == layout.states.count else {
      throw yaml.error(key, "has \(result.length) numbers for \(layout.states.count) states")
    }
    return result
  }

  private mutating func readSearch(_ yaml: YAMLMapping) throws {
    guard let entry = try yaml.mapping("optimise") else { return }
    if let value = try entry.integer("particles", 1...10_000_000) { search.particles = value }
    if let value = try entry.integer("horizon", 1...1_000_000) { search.horizon = value }
    if let value = try entry.integer("iterations", 1...10_000_000) { search.iterations = value }
    if let value = try entry.integer("starts", 1...1_000) { search.starts = value }
    if let value = try entry.positive("learningRate") { search.learningRate = value }
    if let value = try entry.positive("gradientNorm") { search.gradientNorm = value }
    if let value = try entry.integer("evaluationInterval", 1...1_000_000) {
      search.evaluationInterval = value
    }
    if let value = try entry.integer("patience", 1...1_000_000) { search.patience = value }
    if let value = try entry.choice("draws", DrawSchedule.self, among: ["fresh", "fixed"]) {
      search.draws = value
    }
  }

  private mutating func readEvaluation(_ yaml: YAMLMapping) throws {
    evaluation.seconds = Double(search.horizon) * layout.timeStep
    guard let entry = try yaml.mapping("evaluate") else { return }
    if let value = try entry.integer("episodes", 1...100_000) { evaluation.episodes = value }
    if let value = try entry.positive("seconds") { evaluation.seconds = value }
    try checkSteps(evaluation.seconds, "seconds", entry)
    if let value = try entry.number("startSpread") {
      guard value >= 0 else { throw entry.error("startSpread", "must not be negative") }
      evaluation.startSpread = value
    }
    evaluation.tolerance = try required(entry.positive("tolerance"), "tolerance", entry)
    if let value = try entry.number("settle") { evaluation.settle = value }
    guard evaluation.settle >= 0, evaluation.settle < evaluation.seconds else {
      throw entry.error(
        "settle",
        "must lie within the episode of \(evaluation.seconds) s, not at "
          + "\(evaluation.settle) s")
    }
    if let value = try entry.positive("largestActionChange") {
      evaluation.largestActionChange = value
    }
  }

  /// An episode has from 2 steps to a million.
  private func checkSteps(_ seconds: Double, _ key: String, _ yaml: YAMLMapping) throws {
    guard (2...1e6).contains(seconds / layout.timeStep) else {
      throw yaml.error(
        key,
        "is \(seconds) s, \(seconds / layout.timeStep) time steps; from 2 to 1,000,000 are possible"
      )
    }
  }

  private func required<T>(_ value: T?, _ key: String, _ yaml: YAMLMapping) throws -> T {
    guard let value else { throw yaml.error(key, "is missing") }
    return value
  }
}
