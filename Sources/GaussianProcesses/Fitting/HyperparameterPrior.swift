// SPDX-License-Identifier: Apache-2.0
// Weak priors that keep the fit away from what real logs tempt it to: short lengthscales (then the
// posterior falls back to the prior mean a step outside the data) and a vanishing noise.
//
//   log lengthscale ~ N(log 3, 1)                      in standard deviations of the input
//   penalty (0.5 / lengthscale)^20                     a wall: dynamics are smoother than that
//   penalty ((log sf - log sn) / log 1000)^30          signal-to-noise guard (PILCO's code)
//   log shape ~ N(0, 2)                                beyond e^4 a rational quadratic is a squared exponential, and the
//                                                      likelihood is flat
//   penalty (0.1 / shape)^20                           a wall: below, a rational quadratic is a spike on a plateau, which
//                                                      no table holds
//
// Much data do not override the wall, as they override a normal prior: on a log of 2,200 points with hidden states
// (spool, hoses) maximum likelihood takes lengthscales of 0.05-0.2, memorising single movements.
//
// Linear variances and signal variances are free. log p is in nats; the gradient is with respect to the
// logarithms.

import Foundation

/// Prior over the hyperparameters of one Gaussian process.
package struct HyperparameterPrior: Hashable, Sendable, Codable {
  /// Mean and deviation of each log lengthscale.
  package var logLengthscaleMean = log(3.0)
  package var logLengthscaleDeviation = 1.0
  /// Deviation of the log shape of profiles that have one; its mean is 0.
  package var logShapeDeviation = 2.0
  /// Below this a shape is penalised steeply; 0 for no such wall.
  package var smallestShape = 0.1
  /// Below this a lengthscale is penalised steeply, in standard deviations of the input.
  package var shortestLengthscale = 0.5
  /// Signal-to-noise ratio (of deviations) beyond which the penalty grows steeply.
  package var largestSignalToNoise = 1_000.0

  package init() {}

  /// Log density (unnormalised) and its gradient with respect to (covariance parameters, log noise
  /// variance).
  func logDensity(
    _ covariance: CovarianceFunction, logNoiseVariance: Double
  ) -> (value: Double, gradient: [Double]) {
    let parameters = covariance.parameters
    var value = 0.0
    var gradient = [Double](repeating: 0, count: parameters.count + 1)
    for (index, kind) in covariance.parameterKinds.enumerated() {
      switch kind {
      case .lengthscale:
        let z = (parameters[index] - logLengthscaleMean) / logLengthscaleDeviation
        let wall = pow(shortestLengthscale / exp(parameters[index]), 20)
        value -= 0.5 * z * z + wall
        gradient[index] += 20 * wall - z / logLengthscaleDeviation
      case .signalVariance:
        // log sf - log sn = half the difference of the log variances.
        let limit = log(largestSignalToNoise)
        let ratio = max(0.5 * (parameters[index] - logNoiseVariance) / limit, 0)
        let slope = 30 * pow(ratio, 29) * 0.5 / limit
        value -= pow(ratio, 30)
        gradient[index] -= slope
        gradient[parameters.count] += slope
      case .shape:
        let z = parameters[index] / logShapeDeviation
        let wall = pow(smallestShape / exp(parameters[index]), 20)
        value -= 0.5 * z * z + wall
        gradient[index] += 20 * wall - z / logShapeDeviation
      case .linearVariance: break
      }
    }
    return (value, gradient)
  }
}
