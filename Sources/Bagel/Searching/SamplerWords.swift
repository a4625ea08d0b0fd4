// SPDX-License-Identifier: Apache-2.0
// A sampler's measured error in words.

import LinearAlgebra
import Samplers

extension SamplerCertificate {
  /// Errors of mean and deviation. A deviation that is wrong by more than itself is no percentage that anybody could weigh.
  package var sentence: String {
    let mean =
      sampler == .pathwise
      ? "mean exact by construction" : "mean \(number(worst.mean)) of the signal"
    return mean
      + (worst.deviation > 1
        ? ", deviation wrong by \(number(worst.deviation)) times the predictive deviation"
          + (outcome?.isGood == true ? ", but not where the policy goes" : ": useless here")
        : ", deviation \(number(100 * worst.deviation)) % of the predictive (RMS)")
  }
}

extension SamplerOutcome {
  /// What a policy comes to through it.
  package var sentence: String {
    (secondsPerIteration.map {
      "after a short search, \(number(1e3 * $0)) ms per iteration:"
    } ?? "this policy:")
      + " return \(number(returnThroughSampler)), with the exact posterior \(number(returnThroughExact)) (standard error "
      + "\(number(standardError))); predicted distributions "
      + (relativeCRPS > 1.0005 ? "\(number(100 * (relativeCRPS - 1))) % worse (CRPS)" : "the same")
      + (isGood ? "" : ": NOT as good")
  }
}
