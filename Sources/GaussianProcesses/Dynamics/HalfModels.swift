// SPDX-License-Identifier: Apache-2.0
// Two models of half of the data each. A search exploits whatever its model is wrong about; a model that saw other rows is wrong about
// other things, so that predictions of both halves for a policy are less affected by it. And each half is tried on the rows of the other: how far its
// mean stays off there for a second at a time, beyond what noise does, is what no posterior knows of itself.

import LinearAlgebra

/// A model of half of the data.
package struct HalfModel: Sendable {
  package let model: DynamicsModel
  /// Standard deviation of what the mean of each output is off by, for a second at a time (longer where the model has a part of the
  /// logs' rows), on the other half's rows: standardised increments [M]; 0 where blocks are shorter than that.
  package let offDeviations: [Double]
  /// What the posterior says of the same: root of the mean latent variance on those rows [M].
  package let latentDeviations: [Double]
  /// `UnseenErrors.ofCommands`, on those rows [M][A].
  package let commandErrors: [[Double]]
}

extension DynamicsModel {
  /// Blocks of rows that go to the halves in turn.
  private static let blocks = 16

  /// Models with this one's form, standardisers, hyperparameters and linear part, whose processes are conditioned on one half of the
  /// transitions each: blocks of neighbouring ones in turn.
  ///
  /// - Throws: `FactorizationError`.
  package func halves() throws -> [HalfModel] {
    let block = max(1, (features.rows + Self.blocks - 1) / Self.blocks)
    let parts = (0..<2).map { half in
      (0..<features.rows).filter { ($0 / block) % 2 == half }
    }
    return try inParallel(2) { half in
      let names = outputNames
      let model = with(
        try processes.enumerated().map { m, process in
          try process.conditioned(onRows: parts[half], what: "output '\(names[m])'")
        }, of: features.selecting(rows: parts[half]))
      let window = max(4, Int((1 / layout.timeStep).rounded()))
      let others = stride(from: 0, to: features.rows, by: block)
        .filter { ($0 / block) % 2 != half }.map { Array($0..<min($0 + block, features.rows)) }
      let off = zip(model.processes, processes).map { part, whole in
        part.offDeviation(
          others.map { rows in
            (whole.x.selecting(rows: rows), rows.map { whole.y[$0] })
          }, window: window)
      }
      let latent = zip(model.processes, processes).map { part, whole in
        part.latentDeviation(at: others.map { whole.x.selecting(rows: $0) })
      }
      return HalfModel(
        model: model, offDeviations: off, latentDeviations: latent,
        commandErrors: zip(model.processes, processes).map { part, whole in
          commandErrors(of: part, whole, others)
        })
    }
  }
}

extension GaussianProcess {
  /// The same conditioned on some of its data. Throws: `FactorizationError`.
  fileprivate func conditioned(onRows rows: [Int], what: String) throws -> GaussianProcess {
    var part = try GaussianProcess(
      hyperparameters, x: x.selecting(rows: rows), y: rows.map { y[$0] },
      noiseProfile: noiseProfile, what: what)
    part.calibration = calibration
    if isRefined { part.keepLikelihood(logMarginalLikelihood) }
    return part
  }

  /// Root of the mean latent variance at blocks of inputs [n, D].
  fileprivate func latentDeviation(at blocks: [Matrix]) -> Double {
    let variances = blocks.flatMap { predict($0).variance }
    return (variances.reduce(0, +) / Double(max(variances.count, 1))).squareRoot()
  }

  /// Of the means of residuals over windows of rows, the deviation that is not the residuals' own: 0 where they vary by chance alone.
  ///
  /// - Parameters:
  ///   - blocks: of neighbouring rows that it has not seen: inputs [n, D] and targets [n].
  ///   - window: rows.
  fileprivate func offDeviation(_ blocks: [(x: Matrix, y: [Double])], window: Int) -> Double {
    let windows = blocks.flatMap { block -> [ArraySlice<Double>] in
      let residuals = zip(block.y, predict(block.x).mean).map { $0 - $1 }
      return stride(from: 0, through: residuals.count - window, by: window).map {
        residuals[$0..<$0 + window]
      }
    }
    guard windows.count > 1 else { return 0 }
    let means = windows.map { $0.reduce(0, +) / Double(window) }
    let within = zip(windows, means).reduce(0) { sum, part in
      sum + part.0.reduce(0) { $0 + ($1 - part.1) * ($1 - part.1) } / Double(window - 1)
    }
    let chance = within / Double(windows.count) / Double(window)
    let all = means.reduce(0) { $0 + $1 * $1 } / Double(means.count)
    return max(0, all - chance).squareRoot()
  }
}
