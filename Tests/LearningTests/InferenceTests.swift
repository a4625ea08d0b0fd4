// SPDX-License-Identifier: Apache-2.0
// Fast inference against references and against the exact methods: KISS-GP, LOVE, sparse processes, BBMM's
// likelihood, noise that varies, errors of left-out blocks; and what breaks them.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs
import Samplers
import Tasks
import Testing

/// K + sn2 I of the references' squared exponential.
private func noisyCovariance(_ h: Hyperparameters, _ x: Matrix) -> Matrix {
  var k = h.covariance.matrix(x, x)
  for i in 0..<x.rows { k[i, i] += h.noiseVariance }
  return k
}

private func column(_ values: [Double]) -> Matrix {
  Matrix(rows: values.count, columns: 1, values: values)
}

/// No preconditioning.
private struct Identity: Preconditioner {
  func solve(_ r: Matrix) -> Matrix { r }
}

@Suite("fast inference")
struct InferenceTests {
  @Test("KISS-GP's interpolation weights are GPyTorch's")
  func gridWeights() throws {
    let kiss = try References.load().kiss
    let grid = try referenceGrid(kiss)
    #expect(grid.counts == kiss.counts && distance(grid.lower, kiss.lower) < 1e-12)
    let weights = GridWeights(grid, Matrix(kiss.z))
    for (row, expected) in kiss.weights.enumerated() {
      let (points, values) = weights.entries(row: row)
      let found = Dictionary(zip(points, values)) { $0 + $1 }
      for entry in expected {
        #expect(abs((found[Int(entry[0])] ?? .nan) - entry[1]) < 1e-12)
      }
      #expect(abs(values.reduce(0, +) - 1) < 1e-12)
    }
    // W^T is the transpose of W: <W g, v> = <g, W^T v>.
    let g = column(DrawKey(seed: 1).normals(particle: 0, step: 0, count: grid.size))
    let v = column(DrawKey(seed: 2).normals(particle: 0, step: 0, count: kiss.z.count))
    let (left, right) = (
      dot(weights.times(g).values, v.values), dot(g.values, weights.transposedTimes(v).values)
    )
    #expect(abs(left - right) < 1e-12 * Double(grid.size))
  }

  @Test("KISS-GP predicts what NumPy does on the same grid")
  func kissPredictions() throws {
    let references = try References.load()
    let kiss = references.kiss
    let grid = try referenceGrid(kiss)
    let process = try GaussianProcess(
      references.squaredExponential, x: Matrix(kiss.x), y: references.y)
    let (rows, points) = (
      GridWeights(grid, Matrix(kiss.x)), GridWeights(grid, Matrix(kiss.z))
    )
    let cache = try GridConditioning(process, rows, probes: points, rank: .rank(24))
    #expect(cache.hasConverged)
    // The solve's residual is 1e-6, divided by the noise.
    #expect(distance(points.times(column(cache.mean)).values, kiss.mean) < 1e-6 / 0.05 * 5)
    let prior = try GridCovariance(
      references.squaredExponential, weights: points, scales: kiss.z.map { _ in 1 })
    let reduction = points.times(cache.root)
    let variance = kiss.z.indices.map { i -> Double in
      var unit = kiss.z.map { _ in 0.0 }
      unit[i] = 1
      return prior.times(unit)[i] - 0.05 - dot(reduction.row(i), reduction.row(i))
    }
    // 24 Lanczos steps on 24 points are exact up to rounding / noise.
    #expect(distance(variance, kiss.variance) < 1e-9)
  }

  @Test("a Kronecker product is the product of its factors' entries")
  func kronecker() {
    let factors = [3, 4, 2].enumerated().map { index, n in
      let draws = DrawKey(seed: 3).normals(particle: index, step: 0, count: n * n)
      let a = Matrix(rows: n, columns: n, values: draws)
      return Matrix(
        rows: n, columns: n, values: zip(a.values, a.transposed.values).map(+))
    }
    let v = DrawKey(seed: 4).normals(particle: 0, step: 0, count: 48)
    let found = KroneckerProduct(factors).times(Matrix(rows: 24, columns: 2, values: v))
    for row in 0..<24 {
      for c in 0..<2 {
        let expected = (0..<24).reduce(0.0) { sum, k in
          let entry =
            factors[0][row / 8, k / 8] * factors[1][row / 2 % 4, k / 2 % 4]
            * factors[2][row % 2, k % 2]
          return sum + entry * v[k * 2 + c]
        }
        #expect(abs(found[row, c] - expected) < 1e-11)
      }
    }
  }

  @Test("LOVE's root gives the inverse at full rank, and never too small a variance before")
  func lanczos() throws {
    let references = try References.load()
    let (h, x) = (references.squaredExponential, Matrix(references.x))
    let k = noisyCovariance(h, x)
    let process = try GaussianProcess(h, x: x, y: references.y)
    let cross = h.covariance.matrix(x, Matrix(references.z))
    let exact = process.predict(Matrix(references.z)).variance
    let prior = h.covariance.diagonal(Matrix(references.z))
    var lanczos = LanczosRoot(start: cross.column(0), capacity: 30)
    var variance = prior
    while let s = lanczos.column(DenseOperator(lowerTriangle: k)) {
      for (i, overlap) in cross.times(s, transposed: true).enumerated() {
        variance[i] -= overlap * overlap
      }
      #expect(zip(variance, exact).allSatisfy { $0 >= $1 - 1e-9 })
    }
    #expect(lanczos.rank == 24)
    #expect(distance(variance, exact) < 1e-9)
  }

  @Test(
    "conjugate gradients solve, say how they ended, and their tridiagonals give the log determinant"
  )
  func conjugateGradient() throws {
    let references = try References.load()
    let (h, x) = (references.squaredExponential, Matrix(references.x))
    let k = noisyCovariance(h, x)
    let factor = try Cholesky(k, what: "test")
    let sides = Matrix(
      rows: 24, columns: 3,
      values: references.y + DrawKey(seed: 5).normals(particle: 0, step: 0, count: 48))
    let a = DenseOperator(lowerTriangle: k)
    let solved = conjugateGradients(
      a, sides, preconditioner: Identity(), tolerance: 1e-10, iterations: 100)
    #expect(solved.hasConverged && solved.residual <= 1e-10)
    // Relative residual times the condition number, about 200.
    #expect(distance(solved.solution.values, factor.solve(sides).values) < 1e-7)
    let cut = conjugateGradients(
      a, sides, preconditioner: Identity(), tolerance: 1e-10, iterations: 2)
    #expect(!cut.hasConverged && cut.residual > 1e-10 && cut.iterations == 2)
    // The preconditioned solve agrees and needs fewer products.
    let pivoted = PivotedCholesky(
      diagonal: h.covariance.diagonal(x), rank: 20, tolerance: 1e-6
    ) { h.covariance.matrix(x, x.selecting(rows: [$0])).values }
    let preconditioner = try LowRankPreconditioner(
      DenseFactor(transposed: pivoted.factor), noise: h.noiseVariance)
    let faster = conjugateGradients(
      a, sides, preconditioner: preconditioner, tolerance: 1e-10, iterations: 100)
    #expect(faster.hasConverged && faster.iterations < solved.iterations)
    #expect(distance(faster.solution.values, solved.solution.values) < 1e-7)
    // The mean of z^T log(K) z over the coordinate vectors' quadratures is tr log K = log|K|.
    let units = Matrix(
      rows: 24, columns: 24, values: (0..<576).map { $0 / 24 == $0 % 24 ? 1 : 0 })
    let all = conjugateGradients(
      a, units, preconditioner: Identity(), tolerance: 1e-13, iterations: 60)
    let logDeterminant = all.tridiagonals.reduce(0) { $0 + logQuadrature(tridiagonal: $1) }
    #expect(abs(logDeterminant - factor.logDeterminant) < 1e-6)
  }

  @Test("the sparse posterior is Titsias's, also as sums over its inducing points")
  func sparse() throws {
    let references = try References.load()
    let posterior = try LowRankPosterior(
      references.squaredExponential, x: Matrix(references.x), y: references.y, tolerance: 1e-12,
      largestRank: 8)
    #expect(posterior.pivots == Matrix(references.sparse.pivots.map { references.x[$0] }))
    let points = Matrix(references.z)
    let prediction = posterior.predict(points)
    #expect(distance(prediction.mean, references.sparse.mean) < 1e-9)
    #expect(distance(prediction.variance, references.sparse.variance) < 1e-9)
    let (weights, root) = try posterior.weightedSums()
    let k = references.squaredExponential.covariance.matrix(points, posterior.pivots)
    #expect(distance(k.times(weights), references.sparse.mean) < 1e-9)
    #expect((1..<root.rows).allSatisfy { i in (0..<i).allSatisfy { root[i, $0] == 0 } })
    let reduction = k.times(root)
    let prior = references.squaredExponential.covariance.diagonal(points)
    let variance = (0..<points.rows).map { prior[$0] - dot(reduction.row($0), reduction.row($0)) }
    #expect(distance(variance, references.sparse.variance) < 1e-9)
  }

  @Test(
    "noise that differs from row to row: posterior and likelihood are NumPy's, exact and low-rank")
  func varyingNoise() throws {
    let references = try References.load()
    let expected = references.varyingNoise
    // A bandwidth of nothing gives each row its own factor: (3 + z2) / (3 + 1 - 2).
    let squares = expected.factors.map { 2 * $0 - 3 }
    let profile = LocalNoise(inputs: Matrix(references.x), squares: squares, bandwidth: 1e-6)
    #expect(distance(profile.factors(Matrix(references.x)), expected.factors) < 1e-9)
    let process = try GaussianProcess(
      references.squaredExponential, x: Matrix(references.x), y: references.y,
      noiseProfile: profile)
    let points = Matrix(references.z)
    let prediction = process.predict(points)
    #expect(distance(prediction.mean, expected.mean) < 1e-9)
    #expect(distance(prediction.variance, expected.variance) < 1e-9)
    #expect(abs(process.logMarginalLikelihood - expected.logMarginalLikelihood) < 1e-8)
    let lowRank = try LowRankPosterior(process, tolerance: 1e-9)
    #expect(distance(lowRank.predict(points).mean, expected.mean) < 1e-6)
    #expect(abs(lowRank.logMarginalLikelihood - expected.logMarginalLikelihood) < 1e-4)
    // Far from the data the factor is the prior's 3, between rows it is theirs.
    #expect(profile.factors(Matrix([[50, 50, 50]])) == [3])
  }

  @Test("errors of left-out blocks are those of predicting them from the other rows")
  func blockOut() throws {
    let references = try References.load()
    var h = references.squaredExponential
    h.mean = .linear
    let found = try blockOutErrors(
      h, x: Matrix(references.x), y: references.y,
      episodeOf: (0..<24).map { $0 / 8 })
    #expect(distance(found.errors, references.blockOut.errors) < 1e-8)
    #expect(distance(found.variances, references.blockOut.variances) < 1e-7)
  }

  @Test("a fitted model's calibration is that of its own left-out blocks")
  func calibration() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 20
    let model = try task.fit().model
    for process in model.processes {
      // All rows are one episode; the fit took the inverse from its last evaluation.
      let found = try blockOutErrors(
        process.hyperparameters, x: process.x, y: process.y,
        episodeOf: process.y.map { _ in 0 }, noiseFactors: process.noiseFactors)
      let squares = zip(found.errors, found.variances).map { $0 * $0 / $1 }
      let calibration = try #require(process.calibration)
      // In units of their mean, which the calibration made 1.
      let mean = squares.reduce(0, +) / Double(squares.count)
      #expect(abs(mean - 1) < 1e-3)
      #expect(zip(squares, calibration.squares).allSatisfy { abs($0 - $1) < 1e-3 * max($1, 1) })
    }
  }

  @Test("covariances are those of libm's exponential, near and far")
  func exponentials() {
    let distances = [0, 1e-9, 0.5, 1, 3, 10, 36, 37.6, 38, 100]
    let x = Matrix(distances.map { [$0] })
    func value(_ profile: RadialProfileName, _ r: Double) -> Double {
      switch profile {
      case .squaredExponential: exp(-0.5 * r * r)
      case .matern32: (1 + 3.0.squareRoot() * r) * exp(-3.0.squareRoot() * r)
      case .matern52: (1 + 5.0.squareRoot() * r + 5 * r * r / 3) * exp(-5.0.squareRoot() * r)
      case .rationalQuadratic: pow(1 + 0.5 * r * r, -1)
      }
    }
    for profile in RadialProfileName.allCases {
      let covariance = CovarianceFunction.stationary(
        StationaryCovariance(profile, lengthscales: [1], signalVariance: 1))
      let row = covariance.matrix(x, Matrix([[0]])).values
      for (found, distance) in zip(row, distances) {
        let expected = value(profile, distance)
        // Below 1e-307 they are 0.
        #expect(abs(found - expected) <= 1e-13 * expected + 1e-307, "\(profile) at \(distance)")
      }
    }
    // Points so far apart that their squared distance is no number have nothing in common.
    for profile in [RadialProfileName.squaredExponential, .rationalQuadratic] {
      let covariance = CovarianceFunction.stationary(
        StationaryCovariance(profile, lengthscales: [1], signalVariance: 1))
      let value = covariance.matrix(Matrix([[1e200]]), Matrix([[0]])).values[0]
      #expect(value >= 0 && value < 1e-200, "\(profile)")
    }
  }

  @Test(
    "the program of a covariance is its matrix, in single precision, whatever the shape",
    arguments: [0.05, 1, 50, 1e4])
  func covarianceProgram(shape: Double) throws {
    let distances = (0..<200).map { 1e-4 * pow(1.07, Double($0)) }
    for profile in RadialProfileName.allCases {
      let covariance = CovarianceFunction.stationary(
        StationaryCovariance(profile, lengthscales: [1], signalVariance: 1, shape: shape))
      let found = try PointwiseEvaluator(
        inputs: 1, data: ["covariance": covariance.expressionData], device: .host
      ) { x in covariance.expression(x, 0 * x, array: "covariance") }.values(at: distances)
      let expected = covariance.matrix(Matrix(distances.map { [$0] }), Matrix([[0]])).values
      // Some roundings of 6e-8, and the exponent's, which is at most log(1e-7) where the value counts.
      #expect(distance(found, expected) < 2e-6, "\(profile)")
    }
  }

  @Test("the gradient of the block-out error is its derivative")
  func blockOutGradient() throws {
    let references = try References.load()
    for reference in references.cases where reference.name != "linear" {
      var h = references.hyperparameters(reference)
      h.mean = .linear
      func value(_ vector: [Double]) throws -> (value: Double, gradient: [Double]) {
        try blockOutObjective(
          h.with(vector: vector), x: Matrix(references.x), y: references.y,
          episodeOf: (0..<24).map { $0 / 8 })
      }
      let gradient = try value(h.vector).gradient
      for i in gradient.indices {
        var (up, down) = (h.vector, h.vector)
        up[i] += 1e-5
        down[i] -= 1e-5
        let difference = (try value(up).value - value(down).value) / 2e-5
        #expect(abs(gradient[i] - difference) < 1e-6 * max(1, abs(difference)), "\(reference.name)")
      }
    }
  }

  @Test(
    "BBMM's likelihood and gradient are the exact ones",
    arguments: [LikelihoodMethod.rowBlocks, .kissGP],
    [RadialProfileName.squaredExponential, .rationalQuadratic])
  func iterativeLikelihood(method: LikelihoodMethod, profile: RadialProfileName) throws {
    // A smooth function of 2 inputs, 400 points; of one where a grid wants a product over the inputs.
    let inputs = method == .kissGP && profile == .rationalQuadratic ? 1 : 2
    let key = DrawKey(seed: 7)
    let x = Matrix((0..<400).map { key.normals(particle: $0, step: 0, count: inputs) })
    let y = (0..<400).map { i in
      sin(x[i, 0]) + 0.3 * x[i, inputs - 1] + 0.1 * key.normals(particle: i, step: 1, count: 1)[0]
    }
    var h = Hyperparameters(
      covariance: .stationary(
        StationaryCovariance(
          profile, lengthscales: Array([1.2, 2][..<inputs]), signalVariance: 0.8, shape: 0.7)),
      mean: .linear, noiseVariance: 0.02)
    h.noiseFloor = 1e-6
    // Noise that differs from row to row, by up to a factor of 4.
    let factors = (0..<400).map { 0.5 + 1.5 * abs(sin(Double($0))) }
    let exact = try logMarginalLikelihood(h, x: x, y: y, noiseFactors: factors)
    let found = try logMarginalLikelihood(h, x: x, y: y, noiseFactors: factors, method: method)
    // CG's tolerance of 1e-3 enters the value quadratically; the preconditioner explains K to a hundredth of the noise,
    // so the quadrature's draws hardly matter. KISS-GP interpolates K.
    #expect(abs(found.value - exact.value) < (method == .kissGP ? 2e-3 : 5e-4) * abs(exact.value))
    // The trace of K^-1 dK comes from 8 probes: standard error sqrt(2 tr((K^-1 dK)^2) / 8), halved.
    func covariance(_ h: Hyperparameters) -> Matrix {
      var k = h.covariance.matrix(x, x)
      for i in 0..<x.rows { k[i, i] += factors[i] * h.noiseVariance }
      return k
    }
    let factor = try Cholesky(covariance(h), what: "test")
    for i in h.vector.indices {
      var (up, down) = (h.vector, h.vector)
      up[i] += 1e-5
      down[i] -= 1e-5
      let (a, b) = (
        covariance(h.with(vector: up)), covariance(h.with(vector: down))
      )
      let slope = Matrix(
        rows: 400, columns: 400, values: zip(a.values, b.values).map { ($0 - $1) / 2e-5 })
      let m = factor.solve(slope)
      let trace = zip(m.values, m.transposed.values).reduce(0) { $0 + $1.0 * $1.1 }
      let bound = 4 * 0.5 * (2 * trace / 8).squareRoot() + 1e-2 * abs(exact.gradient[i])
      #expect(abs(found.gradient[i] - exact.gradient[i]) < bound, "parameter \(i)")
    }
  }

  @Test("repeated inputs, no noise to speak of, one point, points outside the grid")
  func faults() throws {
    let references = try References.load()
    // Every input three times and a noise variance of 1e-6: no NaN, variances within bounds.
    var h = references.squaredExponential
    h.logNoiseVariance = log(1e-6)
    let x = Matrix(references.x + references.x + references.x)
    let process = try GaussianProcess(h, x: x, y: references.y + references.y + references.y)
    let points = Matrix(references.x + references.z + [[40, 40, 40]])
    let prior = h.covariance.diagonal(points)
    let lowRank = try LowRankPosterior(process)
    for variance in [process.predict(points).variance, lowRank.predict(points).variance] {
      #expect(zip(variance, prior).allSatisfy { $0 >= 0 && $0 <= $1 * (1 + 1e-9) })
    }
    let grid = RegularGrid(box: Array(repeating: -2.5...2.5, count: 3), pointsPerAxis: [8, 8, 8])
    let cache = try GridConditioning(
      process, GridWeights(grid, x), probes: GridWeights(grid, points),
      rank: .tolerance(1e-2, largest: 50))
    #expect(cache.mean.allSatisfy(\.isFinite) && cache.root.values.allSatisfy(\.isFinite))
    // One point.
    let one = try GaussianProcess(h, x: Matrix([[0, 0, 0]]), y: [1])
    #expect(abs(one.predict(Matrix([[0, 0, 0]])).mean[0] - 1) < 1e-4)
    #expect(try LowRankPosterior(one).rank == 1)
    let love = try one.lanczosConditioning(
      probes: Matrix([[0.1, 0, 0]]), rank: .tolerance(1e-3, largest: 10))
    #expect(love.root.columns == 1)
  }

  @Test(
    "solves say when something was not finite, and which of NaN's columns it was does not matter")
  func notFinite() throws {
    let sides = Matrix(rows: 2, columns: 2, values: [1, .nan, 1, 1])
    let a = DenseOperator(lowerTriangle: Matrix([[2, 0], [0.5, 1]]))
    let solved = conjugateGradients(
      a, sides, preconditioner: Identity(), tolerance: 1e-9, iterations: 10)
    #expect(solved.residual.isNaN && !solved.hasConverged)
    #expect(throws: FactorizationError.self) { try solved.checkFinite("test") }
  }

  @Test("beyond 5,000 points: inducing points, BBMM on a grid, every sampler that can serve")
  func manyPoints() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 260
    task.model.fit.fullIterations = 1
    let fit = try task.fit()
    let process = fit.model.processes[0]
    #expect(process.x.rows > GaussianProcess.largestExact)
    #expect(process.exact == nil && process.lowRank != nil && process.calibration != nil)
    #expect(fit.results[0].method == .kissGP && fit.results[0].unconvergedSolves == 0)
    // Fewer, exact: the same predictions to a few percent of the noise, which more data change.
    let rows = (0..<2_500).map { $0 * process.x.rows / 2_500 }
    let exact = try GaussianProcess(
      process.hyperparameters, x: process.x.selecting(rows: rows), y: rows.map { process.y[$0] },
      noiseProfile: process.noiseProfile)
    let points = process.x.selecting(rows: (0..<50).map { 100 * $0 })
    let noise = process.hyperparameters.noiseVariance.squareRoot()
    let differences = zip(process.predict(points).mean, exact.predict(points).mean).map {
      abs($0 - $1) / noise
    }
    #expect(differences.reduce(0, +) / 50 < 0.2)
    var options = SamplerOptions()
    options.rank = 10
    options.tablePoints = 4_000
    for name in [SamplerName.tabulated, .kissGP, .sparse, .love] {
      options.name = name
      let measured = try fit.model.sampler(options, actionLimits: task.actionLimits)
      #expect(measured.certificate.reference.contains("inducing"))
      #expect(measured.certificate.worst.deviation.isFinite)
    }
    options.name = .exact
    let own = try fit.model.sampler(options, actionLimits: task.actionLimits)
    #expect(own.isWithinTolerance && own.sampler.summary.contains("inducing points of"))
    options.name = .pathwise
    #expect(throws: UnsuitableSampler.self) {
      try fit.model.sampler(options, actionLimits: task.actionLimits)
    }
  }

  @Test("KISS-GP refuses five inputs and Matern in several, and names the alternatives")
  func gridLimits() throws {
    let se = CovarianceFunction.stationary(
      StationaryCovariance(
        .squaredExponential, lengthscales: Array(repeating: 1, count: 5), signalVariance: 1))
    for (covariance, inputs) in [(se, 5), (References.covariance("matern-3/2", inputs: 3), 3)] {
      do {
        _ = try covariance.gridStationary(inputs: inputs)
        Issue.record("\(inputs) inputs were accepted")
      } catch let error as GridError {
        #expect("\(error)".contains("love") && "\(error)".contains("exact"))
      }
    }
    // One input is a product over its inputs whatever the profile.
    _ = try References.covariance("matern-3/2", inputs: 1).gridStationary(inputs: 1)
  }

  /// The reference's grid: points one spacing beyond the box.
  private func referenceGrid(_ kiss: References.KissGP) throws -> RegularGrid {
    let box = kiss.counts.indices.map { axis in
      let lower = kiss.lower[axis] + kiss.spacing[axis]
      return lower...lower + kiss.spacing[axis] * Double(kiss.counts[axis] - 3)
    }
    return RegularGrid(box: box, pointsPerAxis: kiss.counts.map { $0 - 2 })
  }
}
