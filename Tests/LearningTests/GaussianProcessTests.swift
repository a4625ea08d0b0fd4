// SPDX-License-Identifier: Apache-2.0
// Marginal likelihood, gradient, posterior: against GPyTorch and NumPy; and properties that hold for any data.

import Bagel
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs
import Testing

@Suite("Gaussian processes")
struct GaussianProcessTests {
  @Test("likelihood, gradient and posterior of every covariance function agree with GPyTorch")
  func references() throws {
    let references = try References.load()
    #expect(references.cases.count == 7)
    let x = Matrix(references.x)
    for reference in references.cases {
      let h = references.hyperparameters(reference)
      let (value, gradient) = try logMarginalLikelihood(h, x: x, y: references.y)
      #expect(abs(value - reference.logMarginalLikelihood) < 1e-9 * abs(value), "\(reference.name)")
      for (found, expected) in zip(gradient, reference.gradient) {
        // Central differences with step 1e-5 are good to about 1e-8.
        #expect(abs(found - expected) < 1e-6 * max(1, abs(expected)), "\(reference.name)")
      }
      let process = try GaussianProcess(h, x: x, y: references.y)
      let prediction = process.predict(Matrix(references.z))
      for i in references.z.indices {
        #expect(abs(prediction.mean[i] - reference.mean[i]) < 1e-9)
        #expect(abs(prediction.variance[i] - reference.variance[i]) < 1e-9)
      }
    }
  }

  @Test("the linear mean's coefficients are those of generalised least squares")
  func linearMean() throws {
    let references = try References.load()
    var h = references.squaredExponential
    h.mean = .linear
    let process = try GaussianProcess(h, x: Matrix(references.x), y: references.y)
    let expected = references.linearMean
    #expect(zip(process.meanCoefficients, expected.coefficients).allSatisfy { abs($0 - $1) < 1e-9 })
    #expect(abs(process.logMarginalLikelihood - expected.logMarginalLikelihood) < 1e-9)
    let mean = process.predict(Matrix(references.z)).mean
    #expect(zip(mean, expected.mean).allSatisfy { abs($0 - $1) < 1e-9 })
  }

  @Test("the gradient holds with a linear mean too, where the coefficients move along")
  func linearMeanGradient() throws {
    let references = try References.load()
    let x = Matrix(references.x)
    for reference in references.cases {
      var h = references.hyperparameters(reference)
      h.mean = .linear
      let (_, gradient) = try logMarginalLikelihood(h, x: x, y: references.y)
      for i in gradient.indices {
        func value(_ step: Double) throws -> Double {
          var vector = h.vector
          vector[i] += step
          return try logMarginalLikelihood(h.with(vector: vector), x: x, y: references.y).value
        }
        let difference = (try value(1e-5) - value(-1e-5)) / 2e-5
        #expect(abs(gradient[i] - difference) < 1e-6 * max(1, abs(difference)), "\(reference.name)")
      }
    }
  }

  @Test(
    "the fit finds the maximum: no gradient is left")
  func fit() throws {
    let references = try References.load()
    var options = FitOptions()
    options.criterion = .marginalLikelihood
    options.prior = nil
    options.mean = .zero
    options.fullIterations = 200
    options.tolerance = 1e-12
    let x = Matrix(references.x)
    let result = try fitHyperparameters(x: x, y: references.y, options: options, what: "test")
    let (value, gradient) = try logMarginalLikelihood(
      result.hyperparameters, x: x, y: references.y)
    #expect(value > references.cases[0].logMarginalLikelihood)
    // libLBFGS stops at |g| < 1e-5 max(1, |theta|) of the objective divided by n = 24, |theta| about 20.
    #expect(gradient.allSatisfy { abs($0) < 24 * 1e-5 * 100 }, "\(gradient)")
  }

  @Test("a rational quadratic's fit finds what GPyTorch's covariance and PyTorch's search find")
  func rationalQuadraticFit() throws {
    let reference = try References.load().rationalQuadraticFit
    var options = FitOptions()
    options.profile = .rationalQuadratic
    options.criterion = .marginalLikelihood
    options.prior = nil
    options.mean = .zero
    options.fullIterations = 500
    options.tolerance = 1e-13
    let x = Matrix(reference.x.map { [$0] })
    let h = try fitHyperparameters(x: x, y: reference.y, options: options, what: "test")
      .hyperparameters
    let found = try logMarginalLikelihood(h, x: x, y: reference.y).value
    #expect(abs(found - reference.logMarginalLikelihood) < 1e-6 * abs(found))
    // Lengthscale, signal variance, shape; the likelihood is flat to second order there.
    #expect(zip(h.covariance.parameters, reference.parameters).allSatisfy { abs($0 - $1) < 1e-2 })
    #expect(abs(log(h.noiseVariance) - reference.parameters[3]) < 1e-2)
  }

  @Test("variances are between 0 and the prior's, at any point")
  func varianceBounds() throws {
    let references = try References.load()
    for reference in references.cases {
      let process = try GaussianProcess(
        references.hyperparameters(reference), x: Matrix(references.x), y: references.y)
      let points = Matrix(references.x + references.z)
      let variance = process.predict(points).variance
      let prior = process.hyperparameters.covariance.diagonal(points)
      #expect(zip(variance, prior).allSatisfy { $0 >= 0 && $0 <= $1 * (1 + 1e-12) })
    }
  }

  @Test("the low-rank posterior agrees with the exact one")
  func lowRank() throws {
    let references = try References.load()
    let process = try GaussianProcess(
      references.squaredExponential, x: Matrix(references.x), y: references.y)
    let exact = process.predict(Matrix(references.z))
    let cheap = try LowRankPosterior(process, tolerance: 1e-9).predict(Matrix(references.z))
    #expect(zip(exact.mean, cheap.mean).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(zip(exact.variance, cheap.variance).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test("repeated inputs get a reported jitter or a named error, NaN another one")
  func failures() throws {
    let x = Matrix([[0, 0], [0, 0], [1, 1]])
    var singular = Hyperparameters(
      covariance: References.covariance("squared-exponential", inputs: 2), mean: .zero,
      noiseVariance: 0,
      noiseFloor: 0)
    singular.logNoiseVariance = -200
    let process = try GaussianProcess(singular, x: x, y: [1, 1, 0])
    #expect(process.jitter > 0)
    let indefinite = Matrix([[1, 2], [2, 1]])
    do {
      _ = try Cholesky(indefinite, what: "test matrix")
      Issue.record("an indefinite matrix was factorised")
    } catch let error as FactorizationError {
      #expect("\(error)".contains("test matrix") && "\(error)".contains("pivot 2"))
    }
    do {
      _ = try Cholesky(Matrix([[1, .nan], [.nan, 1]]), what: "test matrix")
      Issue.record("NaN was factorised")
    } catch let error as FactorizationError {
      #expect("\(error)".contains("not finite"))
    }
  }
}
