// SPDX-License-Identifier: Apache-2.0
// A sampler's measured error in words.

import Samplers

extension SamplerCertificate {
  /// Errors of mean and deviation. A deviation that is wrong by more than itself is no percentage that anybody could weigh.
  public var sentence: String {
    let mean =
      sampler == .pathwise
      ? "mean exact by construction" : "mean \(number(worst.mean)) of the signal"
    return mean
      + (worst.deviation > 1
        ? ", deviation wrong by \(number(worst.deviation)) times the predictive deviation: useless here"
        : ", deviation \(number(100 * worst.deviation)) % of the predictive (RMS)")
  }
}
