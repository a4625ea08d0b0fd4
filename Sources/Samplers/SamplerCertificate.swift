// SPDX-License-Identifier: Apache-2.0
// How far a sampler's program is from the exact posterior, measured: the program is run at random
// points of the box and of the data and compared with equations 2-3 in double precision.

import GaussianProcesses
import LinearAlgebra
import Programs

/// Errors of one output's mean (in signal standard deviations) and standard deviation (in predictive
/// standard deviations of an observation: what is far below the noise does not matter).
public struct SamplerError: Hashable, Sendable, Codable {
  public var meanRMS = 0.0
  public var meanMax = 0.0
  public var deviationRMS = 0.0
  public var deviationMax = 0.0
}

/// What was measured of a sampler.
public struct SamplerCertificate: Hashable, Sendable, Codable {
  public var sampler: String
  /// Random points of the box, and as many of the data, evenly spread.
  public var points: Int
  /// One an output: the worse of box and data in each figure.
  public var errors: [SamplerError]

  /// The default tolerance on the RMS: 1e-3 of the signal for means, 1e-2 of the predictive deviation.
  public static let meanTolerance = 1e-3
  public static let deviationTolerance = 1e-2

  public func isWithin(mean: Double, deviation: Double) -> Bool {
    errors.allSatisfy { $0.meanRMS <= mean && $0.deviationRMS <= deviation }
  }

  /// Largest RMS over the outputs.
  public var worst: (mean: Double, deviation: Double) {
    (errors.map(\.meanRMS).max() ?? 0, errors.map(\.deviationRMS).max() ?? 0)
  }
}

extension PosteriorSampler {
  /// Measures the sampler at `count` random points of `box` and `count` of the data.
  ///
  /// - Parameter noise: what the sampler's deviation includes.
  func certificate(
    _ model: DynamicsModel, box: [ClosedRange<Double>], count: Int, noise: DrawnNoise
  ) -> SamplerCertificate {
    let builder = ProgramBuilder()
    let moments = moments(at: builder.input("x", length: box.count))
    builder.output("mean", moments.mean)
    builder.output("deviation", moments.deviation)
    let program = builder.finish()
    let interpreter = Interpreter(shared: data)
    let data = model.processes[0].x
    let dataRows = (0..<count).map { ($0 * data.rows + data.rows / 2) / count }
    let sets = [randomPoints(box, count: count), dataRows.map(data.row)]
    var errors = model.processes.map { _ in SamplerError() }
    for points in sets {
      let results = points.map { interpreter.run(program, inputs: ["x": $0]).outputs }
      for (m, process) in model.processes.enumerated() {
        let exact = process.predict(Matrix(points))
        let added = noise == .observed ? process.hyperparameters.noiseVariance : 0
        let meanErrors = results.indices.map {
          abs((results[$0]["mean"]?[m] ?? .nan) - exact.mean[$0]) / process.signalDeviation
        }
        let deviationErrors = results.indices.map { i in
          let deviation = (exact.variance[i] + added).squareRoot()
          return abs((results[i]["deviation"]?[m] ?? .nan) - deviation)
            / (exact.variance[i] + process.hyperparameters.noiseVariance).squareRoot()
        }
        errors[m].meanRMS = worse(errors[m].meanRMS, rootMeanSquare(meanErrors))
        errors[m].meanMax = worse(errors[m].meanMax, meanErrors.reduce(0, worse))
        errors[m].deviationRMS = worse(errors[m].deviationRMS, rootMeanSquare(deviationErrors))
        errors[m].deviationMax = worse(errors[m].deviationMax, deviationErrors.reduce(0, worse))
      }
    }
    return SamplerCertificate(sampler: name, points: count, errors: errors)
  }
}

/// The larger of two errors; NaN wins, so that it cannot pass for a small one.
private func worse(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : max(a, b) }

/// Points spread uniformly over a box, the same every time.
func randomPoints(_ box: [ClosedRange<Double>], count: Int, seed: UInt64 = 1) -> [[Double]] {
  (0..<count).map { index in
    zip(box, DrawKey(seed: seed).uniforms(particle: index, step: 0, count: box.count)).map {
      $0.lowerBound + ($0.upperBound - $0.lowerBound) * $1
    }
  }
}

func rootMeanSquare(_ values: [Double]) -> Double {
  (values.reduce(0) { $0 + $1 * $1 } / Double(max(values.count, 1))).squareRoot()
}
