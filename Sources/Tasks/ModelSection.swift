// SPDX-License-Identifier: Apache-2.0
// The section `model` of a task file: what is learnt, and which posterior rollouts read.

import GaussianProcesses
import MachineLogs
import ModelChoice
import SafeText
import Samplers

extension ControlTask {
  /// What the section does not say is chosen.
  mutating func readModel(_ yaml: YAMLMapping) throws {
    model.choice.fixed = []
    defer {
      model.choice.mostInputs = model.sampler.name?.mostInputs
      model.choice.lightInputs = (model.sampler.name ?? .tabulated).mostInputs
    }
    guard let entry = try yaml.mapping("model") else { return }
    for (part, keys) in Self.fixingKeys where keys.contains(where: entry.has) {
      model.choice.fixed.formUnion(part)
    }
    if let profile = try entry.choice("covariance", RadialProfileName.self) {
      model.fit.profile = profile
    }
    let hasPhysics = entry.isMapping("mean")
    if !hasPhysics, let mean = try entry.choice("mean", MeanFunction.self) { model.fit.mean = mean }
    if let criterion = try entry.choice("criterion", FitCriterion.self) {
      model.fit.criterion = criterion
    }
    if let shortest = try entry.positive("shortestLengthscale", 1e-6...1e6) {
      model.fit.prior?.shortestLengthscale = shortest
    }
    if let floor = try entry.positive("noiseFloor", 1e-12...1) { model.fit.noiseFloor = floor }
    model.actionHistory = try entry.integer("actionHistory", 0...100) ?? 0
    model.actionDelay = try entry.integer("actionDelay", 0...100) ?? 0
    model.stateHistory = try entry.integer("stateHistory", 0...100) ?? 0
    for name in try entry.strings("angles") ?? [] { try readAngle(name, entry) }
    model.ignored = try entry.strings("ignore") ?? []
    model.integrals = try entry.words("integrate") ?? [:]
    try readInputs(entry)
    guard hasPhysics || !entry.has("constants") else {
      throw entry.error("constants", "are for formulas of known physics, mean: {STATE: formula}")
    }
    if hasPhysics { model.fit.physics = try knownPhysics(entry) }
    model.restPseudoData = try entry.integer("restPseudoData", 0...100_000) ?? 0
    if let sampler = try entry.choiceOrAutomatic("sampler", SamplerName.self) {
      model.sampler.name = sampler
    }
    if let noise = try entry.choice("noise", DrawnNoise.self) {
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
    if let likelihood = try entry.choiceOrAutomatic("likelihood", LikelihoodMethod.self) {
      model.fit.likelihood = likelihood
    }
    // It takes no other than the squared exponential, which is the plain model's.
    if model.sampler.name == .kissGP { model.choice.fixed.insert(.covariance) }
  }

  /// The keys that fix a part of the model; rest transitions are added to the plain one only.
  private static let fixingKeys: [(parts: [ModelPart], keys: [String])] = [
    ([.covariance], ["covariance"]),
    ([.mean], ["mean"]),
    ([.histories], ["stateHistory", "actionHistory", "actionDelay"]),
    ([.histories, .integrals, .inputs], ["inputs"]),
    ([.integrals], ["integrate"]),
    ([.noise], ["noise"]),
    (ModelPart.allCases, ["restPseudoData"]),
  ]

  /// inputs: {OUTPUT: [state, command or quantity, ...], ...}
  private mutating func readInputs(_ entry: YAMLMapping) throws {
    guard let section = try entry.mapping("inputs") else { return }
    guard !entry.has("restPseudoData") else {
      throw entry.error("inputs", "and restPseudoData exclude each other")
    }
    for output in section.keys {
      model.inputs[output] = try required(section.strings(output), output, section)
    }
    do {
      _ = try modelForm()
    } catch let fault as InputFault {
      throw section.error(fault.output, fault.problem)
    }
  }

  /// A state that turns round, by the units of its angle.
  private mutating func readAngle(_ name: String, _ entry: YAMLMapping) throws {
    guard let index = layout.states.firstIndex(where: { $0.name == name }) else {
      throw entry.error(
        "angles",
        "'\(shortened(name))' is not a state; the states are \(layout.states.map(\.name).joined(separator: ", "))"
      )
    }
    let channel = layout.states[index]
    guard channel.source == .column else {
      throw entry.error("angles", "'\(name)' is a derived rate; angles are measured")
    }
    guard let turn = fullTurn(units: channel.units) else {
      throw entry.error(
        "angles",
        "'\(name)' has the units '\(shortened(channel.units))'; an angle needs rad, deg, mrad, turns or gon"
      )
    }
    states[index].channel.turn = turn
  }
}
