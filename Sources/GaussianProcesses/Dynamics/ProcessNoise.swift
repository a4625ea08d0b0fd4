// SPDX-License-Identifier: Apache-2.0
// What moves an output beside its mean, as rollouts draw it. A one-step residual is part the sensor's, which moves nothing, and part the
// machine's; and a function that is too high here is too high at the next step too, so that independent draws per step make
// trajectories too narrow (Hewing, Arcari, Froehlich, Zeilinger 2020). Both are one number an output:
//
//   deviation of a draw   sqrt(latent variance + share^2 noise variance)
//   from step to step     z' = rho z + sqrt(1 - rho^2) e
//
// They are learnt from runs over left-out blocks (ModelChoice). A model without them is drawn as the paper does (equation 9).

import LinearAlgebra

/// The draws of one output.
package struct ProcessNoise: Hashable, Sendable, Codable {
  /// Of the residual's deviation, the machine's part, 0 ... 1; the rest is the sensor's.
  package var share: Double
  /// rho, 0 ... 1: of the draws at one step and the next.
  package var correlation: Double

  package init(share: Double, correlation: Double) {
    (self.share, self.correlation) = (share, correlation)
  }

  var isSound: Bool { (0...1).contains(share) && (0...0.999).contains(correlation) }
}

extension DynamicsModel {
  /// The standard deviation of each state's sensor, as residuals tell it: of what is the sensor's of them (all, where nobody split it),
  /// an increment has two errors of a measured state, and one of a derived rate six of its position, of which the rate itself has
  /// two. 0 of positions that follow from a rate with a sensor of its own: nothing tells of theirs. Physical units [S].
  package var sensorDeviations: [Double] { sensorDeviations(countsAll: false) }

  /// The same; if it counts all, as though nothing of the residuals were the machine's: the most that the sensors' noise can be.
  package func sensorDeviations(countsAll: Bool) -> [Double] {
    form.updates.indices.map { state in
      guard case .increment(let m) = form.updates[state] else { return 0 }
      let share = countsAll ? 0 : processNoise?[m].share ?? 0
      let process = processes[m]
      let points = process.x.selecting(
        rows: evenlySpreadRows(count: process.x.rows, wanted: 500))
      let variances = process.addedVariance(points)
      let residual = variances.reduce(0, +) / Double(max(variances.count, 1))
      let errors = layout.states[state].source == .column ? 2.0 : 3.0
      return ((1 - share * share) * residual / errors).squareRoot() * incrementStandardiser.scale[m]
    }
  }
}
