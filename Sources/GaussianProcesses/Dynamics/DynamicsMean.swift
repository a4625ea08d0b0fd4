// SPDX-License-Identifier: Apache-2.0
// The mean of a dynamics model: a matrix product and a sum over points, all that a run along logged actions needs; its variances on
// demand. In: standardised features [m, D]. Out: standardised increments [m, M].

import LinearAlgebra
import MachineLogs

/// Means of a model's increments.
package struct DynamicsMean: Sendable {
  package let model: DynamicsModel
  /// Of the features that it was conditioned on.
  package let spread: DataSpread
  private let linear: LinearPart?
  /// nil where all is noise: there is no mean.
  private let processes: [ProcessMean?]

  /// h(x)^T beta + k(x, Z) c of one output.
  private struct ProcessMean: Sendable {
    let hyperparameters: Hyperparameters
    let coefficients: [Double]
    let rows: Matrix
    let weights: [Double]
    /// [m] at x [m, D].
    let variances: @Sendable (_ x: Matrix) -> [Double]

    init(exact process: GaussianProcess, _ exact: ExactConditioning) {
      (hyperparameters, coefficients) = (process.hyperparameters, process.meanCoefficients)
      (rows, weights) = (process.x, exact.alpha)
      variances = { process.predict($0).variance }
    }

    init(_ posterior: LowRankPosterior) {
      self.init(posterior, weights: posterior.meanWeights, variances: posterior)
    }

    /// k(x, P) weights on the pivots of one posterior, with the variances of another.
    init(_ pivots: LowRankPosterior, weights: [Double], variances posterior: LowRankPosterior) {
      (hyperparameters, coefficients) = (pivots.hyperparameters, pivots.meanCoefficients)
      (rows, self.weights) = (pivots.pivots, weights)
      variances = { posterior.predict($0).variance }
    }

    func values(_ x: Matrix) -> [Double] {
      let sums = hyperparameters.covariance.matrix(x, rows).times(weights)
      return zip(hyperparameters.mean.values(x, coefficients), sums).map(+)
    }
  }

  /// Sums over more points than this go through inducing points ...
  private static let largestExact = 800
  /// ... at most so many: 500 tell the mean of 3,000 points to a part in a thousand.
  private static let inducing = 500

  /// Of the model as it is. Throws: `FactorizationError`.
  package init(_ model: DynamicsModel) throws {
    self.model = model
    linear = model.linear
    spread = try DataSpread(model.features)
    processes = try model.processes.map { process in
      if process.isNoise { return nil }
      if let exact = process.exact, process.x.rows <= Self.largestExact {
        return ProcessMean(exact: process, exact)
      }
      return ProcessMean(
        try process.lowRank
          ?? LowRankPosterior(process, tolerance: 1e-3, largestRank: Self.inducing))
    }
  }

  /// Of the model's standardisers and hyperparameters, conditioned on other episodes, through inducing points.
  ///
  /// - Parameters:
  ///   - model: with the hyperparameters.
  ///   - episodes: to learn from.
  ///   - options: how the model's linear part is found.
  ///   - rank: most inducing points.
  /// - Throws: `FactorizationError`, `LogError` where there are no transitions.
  package init(
    _ model: DynamicsModel, conditionedOn episodes: [Episode], options: FitOptions, rank: Int
  ) throws {
    self.model = model
    let data = TransitionSet(episodes, form: model.form)
    guard data.count > 1 else {
      throw LogError(
        file: episodes.first?.name ?? "", "too few rows besides a left-out block")
    }
    let z = Matrix(data.features.map(model.featureStandardiser.standardise))
    spread = try DataSpread(z)
    var targets = Matrix(data.increments.map(model.incrementStandardiser.standardise))
    // Known physics is known, whatever was left out.
    let known = model.physics == nil ? nil : model.linear
    let part =
      known
      ?? (options.linear == .joint
        ? nil : LinearPart(fitting: z, targets, ridge: options.ridge * Double(data.count)))
    if let part { targets = targets - part.values(z) }
    let x = model.form.inputMatrices(z)
    func posteriors(_ rank: Int) throws -> [LowRankPosterior?] {
      try inParallel(model.processes.count) { [targets] m in
        model.processes[m].isNoise
          ? nil
          : try LowRankPosterior(
            model.processes[m].hyperparameters, x: x[m], y: targets.column(m), tolerance: 1e-3,
            largestRank: rank)
      }
    }
    let all = try posteriors(rank)
    guard let part, options.isRefined else {
      linear = try part?.fitted(toRunsOf: episodes, options, model)
      processes = all.map { $0.map { ProcessMean($0) } }
      return
    }
    // The first of the same pivots.
    let some = try posteriors(RunRefinement.rank)
    let refined = try RunRefinement(
      model, linear: part, posteriors: some, on: episodes, options
    ).refined()
    linear = refined.linear
    processes = zip(all, refined.processes).enumerated().map { m, process in
      guard let pivots = some[m], let posterior = process.0 else { return nil }
      return ProcessMean(pivots, weights: process.1, variances: posterior)
    }
  }

  /// Means of the standardised increments [m, M] at standardised features [m, D].
  package func increments(_ z: Matrix) -> Matrix {
    var means = linear?.values(z) ?? Matrix(rows: z.rows, columns: model.form.outputCount)
    let x = model.form.inputMatrices(model.saturated(z))
    for (m, process) in processes.enumerated() {
      guard let process else { continue }
      for (i, value) in process.values(x[m]).enumerated() { means[i, m] += value }
    }
    return means
  }

  /// Variances of the standardised increments [m, M] at standardised features [m, D]: the functions' and the calibrated noises'.
  package func variances(_ z: Matrix) -> (latent: Matrix, noise: Matrix) {
    let x = model.form.inputMatrices(model.saturated(z))
    var latent = Matrix(rows: z.rows, columns: model.form.outputCount)
    var noise = latent
    for (m, process) in model.processes.enumerated() {
      let function = processes[m]?.variances(x[m]) ?? Array(repeating: 0, count: z.rows)
      let calibrated = process.observedVariance(x[m], latent: function, share: 0)
      for i in 0..<z.rows { latent[i, m] = max(calibrated[i], 0) }
      for (i, variance) in process.addedVariance(x[m]).enumerated() {
        noise[i, m] = max(variance, 0)
      }
    }
    return (latent, noise)
  }
}
