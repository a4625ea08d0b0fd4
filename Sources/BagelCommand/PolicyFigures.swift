// SPDX-License-Identifier: Apache-2.0
// A search's policy and its sampler as sentences and as keys of the JSON contract.

import Bagel
import Foundation
import LinearAlgebra
import Samplers

extension OptimizedPolicy {
  /// Says so if no gradient ever led anywhere.
  func warnOfFlatness(_ console: Console) {
    // Adam's epsilon: shorter gradients do not move the parameters.
    guard state.gradientNorms.allSatisfy({ $0 < 1e-8 }) else { return }
    console.say(
      "  warning: the reward is flat at all states of the particles (gradients below 1e-8): nothing was learnt. Widen the "
        + "reward, or start nearer to the goal")
  }

  /// Says how much a flat reward was widened.
  func sayWidening(_ console: Console) {
    guard state.firstWidening > 1 else { return }
    console.say(
      "  the reward was flat at the start of the search: it was widened by a factor of \(number(state.firstWidening)), "
        + (state.widening == 1
          ? "later not at all"
          : "at the end by \(number(state.widening)): the policy does not come near enough to the goal; the return is "
            + "that of the widened reward"))
  }

  /// 0 for a search from the start.
  private var resumedIteration: Int {
    if case .resumed(let iteration) = beginning { iteration } else { 0 }
  }

  var json: [String: Any] {
    var result: [String: Any] = [
      "optimizeSeconds": seconds, "secondsPerIteration": secondsPerIteration,
      "iterations": state.iteration, "returns": state.returns, "bestReturn": state.bestReturn,
      "bestIteration": state.bestIteration, "converged": state.hasConverged,
      "diverged": state.diverged, "widening": [state.firstWidening, state.widening],
      "resumed": resumedIteration, "truncated": state.truncated,
      "outsideFraction": outsideFraction,
      "outsideStates": Dictionary(
        outsideStates.map { ($0.name, $0.fraction) }, uniquingKeysWith: max),
      "policyFingerprint": best.fingerprint,
      "device": device, "deviceReason": deviceReason ?? NSNull(),
    ]
    if !constraints.isEmpty {
      result["constraints"] = constraints.map { $0.json("rollouts") }
      result["countSeconds"] = countSeconds
      result["freestReturn"] = state.freestReturn
    }
    result.merge(sampler.json) { $1 }
    return result
  }

  func describe(_ console: Console) {
    switch beginning {
    case .fresh: break
    case .resumed(let iteration): console.say("resumed the saved search at iteration \(iteration)")
    case .setAside(let path):
      console.say(
        "a saved search of another model, task or sampler was moved to \(path); this search starts from the beginning"
      )
    }
    console.say(
      "found a policy in \(number(seconds)) s: \(state.iteration) iterations in \(state.startsDone) starts at "
        + "\(number(1e3 * secondsPerIteration)) ms (\(device)), "
        + (state.hasConverged ? "converged" : "stopped at the limit"))
    if let deviceReason { console.say("  \(deviceReason)") }
    // The first return of a widened reward is that of another reward.
    let first = state.firstWidening > 1 ? "" : "\(number(state.returns.first ?? .nan)) -> "
    console.say(
      "  return \(first)\(number(state.bestReturn)) (best, iteration \(state.bestIteration))")
    warnOfFlatness(console)
    sayWidening(console)
    sampler.describe(console)
    describeDoubts(console)
  }

  /// What makes the predicted return doubtful, each line behind a prefix.
  func describeDoubts(_ console: Console, prefix: String = "  ") {
    describeConstraints(console, prefix: prefix)
    if state.diverged > 0 {
      let all = state.iteration * predicted.particles
      console.say(
        "\(prefix)\(state.diverged) of \(all) particles, over all iterations, diverged and were frozen"
      )
    }
    if outsideFraction > 0.05 {
      let states = outsideStates.prefix(3).map { "\($0.name) in \(number(100 * $0.fraction)) %" }
      console.say(
        "\(prefix)\(number(100 * outsideFraction)) % of the predicted steps lie outside the logged data "
          + "(\(states.joined(separator: ", "))): the model extrapolates there")
    }
  }
}

extension MeasuredSampler {
  /// Whether nobody should search through it: its deviation is wrong by more than itself, and nothing says that it does not matter.
  var isUseless: Bool {
    certificate.worst.deviation.isNaN || certificate.worst.deviation > 1
      ? certificate.outcome?.isGood != true : false
  }

  package var json: [String: Any] {
    [
      "sampler": sampler.name.rawValue, "samplerSummary": sampler.summary,
      "samplerError": certificate.errorJSON,
      "withinTolerance": isWithinTolerance, "outcome": certificate.outcome?.json ?? NSNull(),
      "rejected": rejected.map { certificate in
        [
          "sampler": certificate.sampler.rawValue, "samplerSummary": certificate.summary,
          "samplerError": certificate.errorJSON,
          "outcome": certificate.outcome?.json ?? NSNull(),
        ] as [String: Any]
      },
    ]
  }

  package func describe(_ console: Console) {
    for certificate in rejected {
      console.say(
        "  \(certificate.sampler.rawValue) (\(certificate.summary)), output "
          + "\(certificate.outputs.map { "\($0 + 1)" }.joined(separator: " and ")), is beyond the tolerance: "
          + certificate.sentence)
      if let outcome = certificate.outcome { console.say("    \(outcome.sentence)") }
    }
    console.say("  sampler: \(description)")
    console.say("    error against \(certificate.reference): " + certificate.sentence)
    for reason in unsuitable { console.say("    not possible: " + reason) }
    if let outcome = certificate.outcome { console.say("    \(outcome.sentence)") }
    if let outcome = certificate.outcome, !outcome.isGood {
      console.say(
        "    warning: with the exact posterior the policy behaves differently; --sampler exact searches with it"
      )
    } else if !isWithinTolerance, certificate.outcome == nil {
      let accepted = "\(number(tolerance.mean)), \(number(100 * tolerance.deviation)) %"
      console.say(
        wasChosen
          ? "    above the tolerance (\(accepted)), as is every sampler that can be used with this model"
          : "    above the tolerance (\(accepted)); --sampler automatic selects the cheapest that is as good as the exact "
            + "posterior")
    }
  }
}

extension SamplerCertificate {
  fileprivate var errorJSON: [String: Any] { ["mean": worst.mean, "sd": worst.deviation] }
}

extension SamplerOutcome {
  var json: [String: Any] {
    [
      "returnThroughSampler": returnThroughSampler, "returnThroughExact": returnThroughExact,
      "standardError": standardError, "relativeCRPS": relativeCRPS,
      "isGood": isGood, "policy": secondsPerIteration == nil ? "final" : "short search",
    ]
  }
}
