// SPDX-License-Identifier: Apache-2.0
// How far a sampler is from the exact posterior, measured. Of marginal samplers the compiled program is run at random
// points of the box and at data, in single precision as in rollouts, and compared with equations 2-3 in double precision
// (beyond 5,000 data with the posterior through up to 1,000 inducing points).

import Execution
import GaussianProcesses
import LinearAlgebra
import Programs

/// Errors of one output's mean (in signal standard deviations) and standard deviation (in predictive
/// standard deviations of an observation: what is far below the noise does not matter).
package struct SamplerError: Hashable, Sendable {
  package var meanRMS = 0.0
  package var meanMax = 0.0
  package var deviationRMS = 0.0
  package var deviationMax = 0.0
}

/// How much error is accepted, as RMS over the points.
package struct SamplerTolerance: Hashable, Sendable, Codable {
  /// In signal standard deviations.
  package var mean = 1e-3
  /// In predictive standard deviations of an observation.
  package var deviation = 1e-2

  package init() {}
}

/// What was measured of a sampler.
package struct SamplerCertificate: Hashable, Sendable {
  package var sampler: SamplerName
  package var summary: String
  /// Random points of the box, and as many of the data, evenly spread.
  package var points: Int
  /// What it was compared with: "the exact posterior", or one through inducing points where there are many data.
  package var reference: String
  /// Which of the model's outputs are measured.
  package var outputs: [Int]
  /// One per output: the worse of box and data in each figure.
  package var errors: [SamplerError]
  /// What searches through it come to, where that was asked.
  package var outcome: SamplerOutcome?

  package func isWithin(_ tolerance: SamplerTolerance) -> Bool {
    errors.allSatisfy { $0.meanRMS <= tolerance.mean && $0.deviationRMS <= tolerance.deviation }
  }

  /// Largest RMS over the outputs.
  package var worst: (mean: Double, deviation: Double) {
    (errors.map(\.meanRMS).reduce(0, worse), errors.map(\.deviationRMS).reduce(0, worse))
  }

  /// Compares moments at sets of points with the processes' own.
  ///
  /// - Parameter moments: means and deviations [points][M] of draws at a set.
  init(
    _ sampler: some GroupSampler, sets: [Matrix], noise: DrawnNoise,
    moments: (Matrix) throws -> (mean: Matrix, deviation: Matrix)
  ) throws {
    let group = sampler.group
    (self.sampler, summary, points) = (sampler.name, sampler.summary, sets.first?.rows ?? 0)
    outputs = group.outputs
    let lowRank = group.processes.compactMap(\.lowRank)
    reference =
      lowRank.isEmpty
      ? "the exact posterior"
      : "the posterior through \(list(lowRank.map(\.rank))) inducing points"
    errors = group.processes.map { _ in SamplerError() }
    for set in sets {
      let found = try moments(set)
      for (m, process) in group.processes.enumerated() {
        let exact = process.predict(set)
        let observation = process.addedVariance(set)
        let variance =
          noise == .observed
          ? process.observedVariance(
            set, latent: exact.variance, share: group.noiseShares[m]) : exact.variance
        let meanErrors = (0..<set.rows).map {
          abs(found.mean[$0, m] - exact.mean[$0]) / process.signalScale
        }
        let deviationErrors = (0..<set.rows).map { i in
          abs(found.deviation[i, m] - variance[i].squareRoot())
            / (exact.variance[i] + observation[i]).squareRoot()
        }
        errors[m].meanRMS = worse(errors[m].meanRMS, rootMeanSquare(meanErrors))
        errors[m].meanMax = worse(errors[m].meanMax, meanErrors.reduce(0, worse))
        errors[m].deviationRMS = worse(errors[m].deviationRMS, rootMeanSquare(deviationErrors))
        errors[m].deviationMax = worse(errors[m].deviationMax, deviationErrors.reduce(0, worse))
      }
    }
  }
}

extension SamplerCertificate {
  /// What was measured of a sampler's parts, output by output.
  init(joining parts: [SamplerCertificate], of sampler: GroupedSampler) {
    (self.sampler, summary) = (sampler.name, sampler.summary)
    points = parts.map(\.points).min() ?? 0
    reference = Set(parts.map(\.reference)).sorted().joined(separator: ", ")
    let all = parts.flatMap { zip($0.outputs, $0.errors) }.sorted { $0.0 < $1.0 }
    (outputs, errors) = (all.map(\.0), all.map(\.1))
    outcome = parts.compactMap(\.outcome).first
  }
}

extension MarginalSampler {
  /// Runs the program of the moments at sets of points [.][points, D]. Throws: `ExecutionError`.
  package func certificate(at sets: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate {
    let m = group.processes.count
    let program = try PointwiseEvaluator(inputs: group.dimensions, data: data) { x in
      let moments = moments(at: x)
      return x.builder.concatenate([moments.mean, moments.deviation])
    }
    return try SamplerCertificate(self, sets: sets, noise: noise) { set in
      let both = Matrix(rows: set.rows, columns: 2 * m, values: try program.values(at: set.values))
      return (both.selecting(columns: 0..<m), both.selecting(columns: m..<2 * m))
    }
  }
}

/// The larger of two errors; NaN wins, so that it cannot pass for a small one.
private func worse(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : max(a, b) }

private func rootMeanSquare(_ values: [Double]) -> Double {
  (values.reduce(0) { $0 + $1 * $1 } / Double(max(values.count, 1))).squareRoot()
}
