// SPDX-License-Identifier: Apache-2.0
// A dynamics model <-> a safetensors file: training data as tensors, everything else (channels, units,
// form, standardisers, hyperparameters, provenance) as JSON in the header. The factorisations are computed
// again on reading, 0.1 s at n = 2,200.

import Foundation
import LinearAlgebra
import MachineLogs
import TensorFiles

private struct ModelDescription: Codable {
  var layout: LogLayout
  var form: ModelForm
  var stateStandardiser: Standardiser
  var featureStandardiser: Standardiser
  var incrementStandardiser: Standardiser
  var featureBounds: [ClosedRange<Double>]
  var stateBounds: [ClosedRange<Double>]
  var hyperparameters: [Hyperparameters]
  /// One an output.
  var noiseProfiles: [LocalNoiseDescription]
  var calibrations: [LocalNoiseDescription]
  var reward: RewardDescription?
}

/// What the header says of a learnt reward; inputs and targets are tensors.
private struct RewardDescription: Codable {
  var column: String
  var features: [InputFeature]
  var mean: Double
  var scale: Double
  var hyperparameters: Hyperparameters
  var noiseProfile: LocalNoiseDescription

  init(_ model: RewardModel) {
    (column, features) = (model.column, model.features)
    (mean, scale) = (model.mean, model.scale)
    hyperparameters = model.process.hyperparameters
    noiseProfile = LocalNoiseDescription(model.process.noiseProfile)
  }

  /// Throws: `TensorFileError`, `FactorizationError`.
  func model(states: Standardiser, _ file: TensorFile, path: String) throws -> RewardModel {
    let inputs = try file.tensor("reward_inputs", path: path)
    let y = try file.tensor("reward_targets", path: path).values
    let columns = features.count
    guard inputs.shape == [y.count, columns], !y.isEmpty, scale > 0 else {
      throw TensorFileError(path: path, "is damaged: its reward does not fit the model")
    }
    let process = try GaussianProcess(
      hyperparameters, x: Matrix(rows: y.count, columns: columns, values: inputs.values), y: y,
      noiseProfile: try noiseProfile.noise("reward_noise", columns: columns, file, path: path),
      what: "\(path), reward")
    return RewardModel(
      column: column, features: features, states: states, process: process, mean: mean, scale: scale
    )
  }
}

/// What the header says of a local noise; its numbers are tensors.
private struct LocalNoiseDescription: Codable {
  var isLocal: Bool
  /// nil for the same factor everywhere.
  var bandwidth: Double?

  init(_ noise: LocalNoise?) { (isLocal, bandwidth) = (noise != nil, noise?.bandwidth) }

  /// Throws: `TensorFileError`.
  func noise(_ name: String, columns: Int, _ file: TensorFile, path: String) throws -> LocalNoise? {
    guard isLocal else { return nil }
    let inputs = try file.tensor(name + "_inputs", path: path)
    let squares = try file.tensor(name + "_squares", path: path).values
    guard inputs.shape == [squares.count, columns], !squares.isEmpty, bandwidth ?? 1 > 0 else {
      throw TensorFileError(path: path, "is damaged: \(name) does not fit the model")
    }
    return LocalNoise(
      inputs: Matrix(rows: squares.count, columns: columns, values: inputs.values),
      squares: squares, bandwidth: bandwidth)
  }
}

extension DynamicsModel {
  static var fileFormat: String { "bagel-model-4" }

  /// Throws: `TensorFileError`.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - provenance: what the model came from, for people.
  public func write(to path: String, provenance: String) throws {
    let description = ModelDescription(
      layout: layout, form: form, stateStandardiser: stateStandardiser,
      featureStandardiser: featureStandardiser, incrementStandardiser: incrementStandardiser,
      featureBounds: featureBounds, stateBounds: stateBounds,
      hyperparameters: processes.map(\.hyperparameters),
      noiseProfiles: processes.map { LocalNoiseDescription($0.noiseProfile) },
      calibrations: processes.map { LocalNoiseDescription($0.calibration) },
      reward: rewardModel.map(RewardDescription.init))
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let json: Data
    do {
      json = try encoder.encode(description)
    } catch {
      throw TensorFileError(
        path: path,
        "cannot be written: the model has numbers that are not finite; are the logs' values beyond 1e100?",
        isWriting: true)
    }
    let x = processes[0].x
    var tensors = ["inputs": Tensor(shape: [x.rows, x.columns], values: x.values)]
    tensors["logged_states"] = Tensor(
      shape: [loggedStates.count, layout.states.count], values: loggedStates.flatMap { $0 })
    func add(_ noise: LocalNoise?, _ name: String) {
      guard let noise else { return }
      tensors[name + "_inputs"] = Tensor(
        shape: [noise.inputs.rows, noise.inputs.columns], values: noise.inputs.values)
      tensors[name + "_squares"] = Tensor(noise.squares)
    }
    for (m, process) in processes.enumerated() {
      tensors["targets_\(m)"] = Tensor(process.y)
      add(process.noiseProfile, "noise_profile_\(m)")
      add(process.calibration, "calibration_\(m)")
    }
    if let reward = rewardModel?.process {
      tensors["reward_inputs"] = Tensor(
        shape: [reward.x.rows, reward.x.columns], values: reward.x.values)
      tensors["reward_targets"] = Tensor(reward.y)
      add(reward.noiseProfile, "reward_noise")
    }
    try TensorFile(
      tensors: tensors,
      metadata: [
        "format": Self.fileFormat, "model": String(decoding: json, as: UTF8.self),
        "provenance": provenance,
      ]
    ).write(to: path)
  }

  /// Throws: `TensorFileError`, `FactorizationError`.
  public init(path: String) throws {
    let file = try TensorFile(path: path)
    try file.checkFormat(Self.fileFormat, path: path, advice: "run `bagel fit` again")
    guard let json = file.metadata["model"],
      let description = try? JSONDecoder().decode(ModelDescription.self, from: Data(json.utf8))
    else { throw TensorFileError(path: path, "is damaged: its description cannot be read") }
    let inputs = try file.tensor("inputs", path: path)
    let scales = [
      description.stateStandardiser, description.featureStandardiser,
      description.incrementStandardiser,
    ].flatMap(\.scale)
    guard inputs.shape.count == 2, inputs.shape[0] > 0,
      inputs.shape[1] == description.form.features.count,
      description.hyperparameters.count == description.form.outputCount,
      description.form.outputCount > 0,
      description.noiseProfiles.count == description.form.outputCount,
      description.calibrations.count == description.form.outputCount,
      scales.allSatisfy({ $0 > 0 && $0.isFinite })
    else { throw TensorFileError(path: path, "is damaged: its parts do not fit together") }
    let x = Matrix(rows: inputs.shape[0], columns: inputs.shape[1], values: inputs.values)
    layout = description.layout
    form = description.form
    stateStandardiser = description.stateStandardiser
    featureStandardiser = description.featureStandardiser
    incrementStandardiser = description.incrementStandardiser
    featureBounds = description.featureBounds
    stateBounds = description.stateBounds
    let states = description.layout.states.count
    let logged = try file.tensor("logged_states", path: path)
    guard logged.shape.count == 2, logged.shape[0] > 0, logged.shape[1] == states else {
      throw TensorFileError(path: path, "is damaged: its logged states do not fit")
    }
    loggedStates = (0..<logged.shape[0]).map {
      Array(logged.values[$0 * states..<($0 + 1) * states])
    }
    rewardModel = try description.reward.map {
      try $0.model(states: description.stateStandardiser, file, path: path)
    }
    // Side by side as they were fitted, so that the bits are the same.
    processes = try inParallel(description.hyperparameters.count) { m in
      let hyperparameters = description.hyperparameters[m]
      let y = try file.tensor("targets_\(m)", path: path).values
      guard y.count == x.rows else {
        throw TensorFileError(path: path, "has \(x.rows) inputs and \(y.count) targets")
      }
      var process = try GaussianProcess(
        hyperparameters, x: x, y: y,
        noiseProfile: try description.noiseProfiles[m].noise(
          "noise_profile_\(m)", columns: x.columns, file, path: path),
        what: "\(path), output \(m)")
      process.calibration = try description.calibrations[m].noise(
        "calibration_\(m)", columns: x.columns, file, path: path)
      return process
    }
  }
}
