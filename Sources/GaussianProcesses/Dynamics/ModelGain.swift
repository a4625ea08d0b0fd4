// SPDX-License-Identifier: Apache-2.0
// The variance that further rows of a log would remove from a model where it matters, and the model with these rows.

import LinearAlgebra

/// How much of a model's variance at some features would be left.
package struct ModelGain: Sendable {
  private let model: DynamicsModel
  /// One per output; nil where nothing but noise was looked for.
  private let gains: [ObservationGain?]

  /// - Parameters:
  ///   - model: with its data.
  ///   - features: where its variance matters [m][D], physical units.
  /// - Throws: `FactorizationError`.
  package init(_ model: DynamicsModel, at features: [[Double]]) throws {
    self.model = model
    let x = model.inputs(features)
    gains = try inParallel(model.processes.count) { m in
      model.processes[m].isNoise ? nil : try ObservationGain(model.processes[m], at: x[m])
    }
  }

  /// The part of the variance that is left once rows with these features [c][D], physical units, are known: the mean over outputs and
  /// points (of sums, points far outside the data would be nearly all). 1 where nothing is told.
  ///
  /// Throws: `FactorizationError`.
  package func remaining(observing features: [[Double]]) throws -> Double {
    let x = model.inputs(features)
    let parts = try inParallel(gains.count) { m -> Double? in
      guard let gain = gains[m] else { return nil }
      let parts = zip(try gain.variances(observing: x[m]), gain.variances).filter { $1 > 0 }
        .map { $0 / $1 }
      return parts.isEmpty ? nil : parts.reduce(0, +) / Double(parts.count)
    }.compactMap(\.self)
    return parts.isEmpty ? 1 : parts.reduce(0, +) / Double(parts.count)
  }
}

extension DynamicsModel {
  /// What each process reads of features in physical units [m][D].
  fileprivate func inputs(_ features: [[Double]]) -> [Matrix] {
    form.inputMatrices(saturated(Matrix(features.map(featureStandardiser.standardise))))
  }

  /// The model that it is expected to be with further rows, whose increments are as it predicts them: the same means, smaller variances.
  ///
  /// - Parameter features: of the rows [c][D], physical units.
  /// - Throws: `FactorizationError`.
  package func expected(with features: [[Double]]) throws -> DynamicsModel {
    let z = Matrix(features.map(featureStandardiser.standardise))
    let names = outputNames
    let own = inputs(features)
    let processes = try inParallel(self.processes.count) { m in
      let process = self.processes[m]
      let y = process.predict(own[m]).mean
      var more = try GaussianProcess(
        process.hyperparameters, x: process.x.above(own[m]), y: process.y + y,
        noiseProfile: process.noiseProfile, what: "output '\(names[m])'")
      more.calibration = process.calibration
      if process.isRefined { more.keepLikelihood(process.logMarginalLikelihood) }
      return more
    }
    return with(processes, of: self.features.above(z))
  }
}
