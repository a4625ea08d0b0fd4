// SPDX-License-Identifier: Apache-2.0
// What moves an output beside its mean, as rollouts draw it. A one-step residual is part the sensor's, which moves nothing, and part the
// machine's; and a function that is too high here is too high at the next step too, so that independent draws a step make
// trajectories too narrow (Hewing, Arcari, Froehlich, Zeilinger 2020). Both are one number an output:
//
//   deviation of a draw   sqrt(latent variance + share^2 noise variance)
//   from step to step     z' = rho z + sqrt(1 - rho^2) e
//
// They are learnt from runs over left-out blocks (ModelChoice). A model without them is drawn as the paper does (equation 9).

/// The draws of one output.
public struct ProcessNoise: Hashable, Sendable, Codable {
  /// Of the residual's deviation, the machine's part, 0 ... 1; the rest is the sensor's.
  public var share: Double
  /// rho, 0 ... 1: of the draws at one step and the next.
  public var correlation: Double

  public init(share: Double, correlation: Double) {
    (self.share, self.correlation) = (share, correlation)
  }

  var isSound: Bool { (0...1).contains(share) && (0...0.999).contains(correlation) }
}
