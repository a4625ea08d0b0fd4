// SPDX-License-Identifier: Apache-2.0
// The parts of a stored model (StoredModel): a Gaussian process, its noise where that depends on the inputs, a learnt
// reward. Each has its rows of the file's table and becomes what it stands for.

import LinearAlgebra
import MachineLogs
import TensorFiles

extension AllowedNumbers {
  /// Standardised: a channel's deviation is at least 1e-12 of its mean, and a datum of n lies within sqrt(n) deviations.
  static let standardised = within(-1e15...1e15)
  /// Of a variance or lengthscale: the square of e^300 is a finite number, and so is its reciprocal.
  fileprivate static let logarithms = within(-300...300)
}

/// A Gaussian process but its inputs.
struct StoredProcess: Sendable {
  let structure: ProcessStructure
  /// Logarithms, in the order of `CovarianceFunction.parameterKinds`.
  private var hyperparameters: [Double] = []
  private var logNoiseVariance = 0.0
  private var noiseFloor = 0.0
  /// [n]
  private var targets: [Double] = []
  private var noiseProfile: StoredNoise
  private var calibration: StoredNoise

  init(_ structure: ProcessStructure) {
    self.structure = structure
    noiseProfile = StoredNoise(structure.noiseProfile)
    calibration = StoredNoise(structure.calibration)
  }

  init(_ process: GaussianProcess) {
    structure = process.structure
    hyperparameters = process.hyperparameters.covariance.parameters
    logNoiseVariance = process.hyperparameters.logNoiseVariance
    noiseFloor = process.hyperparameters.noiseFloor
    targets = process.y
    noiseProfile = StoredNoise(process.noiseProfile)
    calibration = StoredNoise(process.calibration)
  }

  mutating func rows(
    _ table: inout TensorTable, suffix: String, points: TensorTable.Size, inputs: Int
  ) throws(TensorFileError) {
    let count = structure.covariance.function(inputs: inputs).parameters.count
    try table.row("log_hyperparameters" + suffix, &hyperparameters, [.count(count)], .logarithms)
    // As small as the search liked: the floor is added to its exponential.
    try table.row("log_noise_variance" + suffix, &logNoiseVariance, .within(-1e15...300))
    try table.row("noise_floor" + suffix, &noiseFloor, .within(0...1))
    try table.row("targets" + suffix, &targets, [points], .standardised)
    try noiseProfile.rows(&table, name: "noise_profile" + suffix, inputs: inputs)
    try calibration.rows(&table, name: "calibration" + suffix, inputs: inputs)
  }

  /// Conditioned on inputs x [n, D]. Throws: `FactorizationError`.
  func process(_ x: Matrix, what: String) throws -> GaussianProcess {
    var all = Hyperparameters(
      covariance: structure.covariance.function(inputs: x.columns), mean: structure.mean,
      noiseVariance: 1, noiseFloor: noiseFloor)
    all = all.with(vector: hyperparameters + [logNoiseVariance])
    var process = try GaussianProcess(
      all, x: x, y: targets, noiseProfile: noiseProfile.noise(inputs: x.columns), what: what)
    process.calibration = calibration.noise(inputs: x.columns)
    if let likelihood = structure.oneStepLikelihood { process.keepLikelihood(likelihood) }
    return process
  }
}

extension GaussianProcess {
  var structure: ProcessStructure {
    ProcessStructure(
      covariance: CovarianceForm(hyperparameters.covariance), mean: hyperparameters.mean,
      noiseProfile: StoredNoise(noiseProfile).form, calibration: StoredNoise(calibration).form,
      oneStepLikelihood: isRefined ? logMarginalLikelihood : nil)
  }
}

/// A noise that depends on the inputs, or none.
struct StoredNoise: Sendable {
  let form: ProcessStructure.NoiseForm
  /// [k, D]
  private var inputs: [Double] = []
  /// [k]
  private var squares: [Double] = []
  /// 0 where the form has none.
  private var bandwidth = 0.0

  /// Rows of it: `LocalNoise` keeps fewer, and takes memory for each at every prediction.
  private static let most = 20_000

  init(_ form: ProcessStructure.NoiseForm) { self.form = form }

  init(_ noise: LocalNoise?) {
    guard let noise else {
      form = .none
      return
    }
    form = noise.bandwidth == nil ? .constant : .local
    inputs = noise.inputs.values
    squares = noise.squares
    bandwidth = noise.bandwidth ?? 0
  }

  mutating func rows(
    _ table: inout TensorTable, name: String, inputs columns: Int
  ) throws(TensorFileError) {
    if form == .none { return }
    let rows = TensorTable.Size.free("rows of \(name)", most: Self.most)
    try table.row(name + "_inputs", &inputs, [rows, .count(columns)], .standardised)
    try table.row(name + "_squares", &squares, [rows], .within(0...1e15))
    if form == .local { try table.row(name + "_bandwidth", &bandwidth, .within(1e-6...1e6)) }
  }

  func noise(inputs columns: Int) -> LocalNoise? {
    if form == .none { return nil }
    return LocalNoise(
      inputs: Matrix(rows: squares.count, columns: columns, values: inputs), squares: squares,
      bandwidth: form == .local ? bandwidth : nil)
  }
}

/// A learnt reward.
struct StoredReward {
  private let structure: RewardStructure
  private var mean = 0.0
  private var scale = 1.0
  /// [n, D]
  private var inputs: [Double] = []
  private var process: StoredProcess

  init(_ structure: RewardStructure) {
    self.structure = structure
    process = StoredProcess(structure.process)
  }

  init(_ model: RewardModel) {
    structure = RewardStructure(model)
    (mean, scale) = (model.mean, model.scale)
    inputs = model.process.x.values
    process = StoredProcess(model.process)
  }

  mutating func rows(_ table: inout TensorTable) throws(TensorFileError) {
    let points = TensorTable.Size.free("rewards")
    try table.row("reward_mean", &mean, .physical)
    try table.row("reward_scale", &scale, .positive)
    try table.row(
      "reward_inputs", &inputs, [points, .count(structure.features.count)], .standardised)
    try process.rows(&table, suffix: "_reward", points: points, inputs: structure.features.count)
  }

  /// The reward of states with this standardiser. Throws: `FactorizationError`.
  func model(states: Standardiser) throws -> RewardModel {
    let columns = structure.features.count
    let x = Matrix(rows: inputs.count / columns, columns: columns, values: inputs)
    return RewardModel(
      column: structure.column, features: structure.features, states: states,
      process: try process.process(x, what: "reward"), mean: mean, scale: scale)
  }
}
