// SPDX-License-Identifier: Apache-2.0
// The rival of an evaluation: the same episodes with a PID controller, as sentences and as keys of the JSON contract.

import Bagel
import Foundation
import MachineLogs
import Policies
import PolicySearch
import Samplers
import Tasks

/// An evaluation of a rival.
struct RivalEvaluation {
  let rival: PIDRival
  let evaluation: Evaluation
}

extension ControlTask {
  /// The PID controller of a policy's model, with a progress bar; says why there is none.
  ///
  /// - Parameters:
  ///   - description: of the policy.
  ///   - modelFolder: with that policy's model.
  ///   - folder: of the output, where the controller is kept.
  ///   - console: prints messages.
  /// - Returns: nil where there is none, or it was interrupted. Throws: as `pidRival`.
  private func pidController(
    of description: PolicyDescription, modelIn modelFolder: String, in folder: String,
    _ console: Console
  ) throws -> PIDRival? {
    func none(_ why: String) -> PIDRival? {
      console.say("no PID controller: \(why)")
      return nil
    }
    if let obstacleToPID { return none(obstacleToPID) }
    guard let model = try modelOfPolicy(description, in: modelFolder)
    else { return none("the model on which the policy was found is not in \(modelFolder)") }
    let bar = ProgressBar("finding a PID controller")
    defer { bar.finish() }
    do {
      return try pidRival(on: model, in: folder) { fraction in
        bar.update(fraction, "\(Int(100 * fraction)) %")
        return !InterruptSignal.wasRaised
      }
    } catch let error as SearchError {
      return none(words(of: error))
    } catch let error as UnsuitableSampler {
      return none(words(of: error))
    }
  }

  /// The same episodes with the PID controller of the same model.
  ///
  /// - Parameters:
  ///   - description: of the policy whose rival it is.
  ///   - modelFolder: with that policy's model.
  ///   - folder: of the output: where the controller, and the rows of a machine, are kept.
  ///   - seed: of the episodes.
  ///   - spread: of the plant's parameters.
  ///   - console: prints messages, also the reason if there is none.
  /// - Returns: nil where there is none, or it was interrupted.
  /// - Throws: as `pidRival` and `evaluate`.
  func evaluateRival(
    of description: PolicyDescription, modelIn modelFolder: String, in folder: String,
    seed: UInt64, spread: Double, _ console: Console
  ) throws -> RivalEvaluation? {
    let rival = try pidController(
      of: description, modelIn: modelFolder, in: folder, console)
    guard let rival, !InterruptSignal.wasRaised else { return nil }
    console.say("the same episodes with a PID controller:")
    rival.found?.describeDoubts(console)
    return try evaluateSameEpisodes(
      rival.controller, rival.description, logName: "evaluation-pid", in: folder, seed: seed,
      spread: spread, console
    ).map { RivalEvaluation(rival: rival, evaluation: $0) }
  }

  /// The policy that drives where a run's watch gives it to the fallback; nil where the safe action is held. A PID controller is found now
  /// where there is none yet.
  ///
  /// - Parameters:
  ///   - description: of the policy.
  ///   - modelFolder: with that policy's model.
  ///   - folder: of the output.
  ///   - console: prints messages.
  /// - Throws: `TensorFileError`; as `pidRival`.
  func findFallback(
    for description: PolicyDescription, modelIn modelFolder: String, in folder: String,
    _ console: Console
  ) throws -> PolicyController? {
    switch fallback {
    case .hold: return nil
    case .policy(let path): return try fallbackController(path)
    case .pid:
      let found = try pidController(
        of: description, modelIn: modelFolder, in: folder, console)
      guard let found else {
        throw LogError(file: place, "has `fallback: pid`, but there is no PID controller")
      }
      console.say("fallback: a PID controller, \(folder)/\(Self.pidFileName)")
      found.found?.describeDoubts(console)
      for line in found.gains.lines(self) { console.say("  \(line)") }
      return found.controller
    }
  }
}

extension RivalEvaluation {
  func describe(_ task: ControlTask, _ console: Console) {
    evaluation.describeBriefly(task, console)
    for line in rival.gains.lines(task) { console.say("  \(line)") }
  }

  func json(_ task: ControlTask) -> [String: Any] {
    evaluation.json(task).merging([
      "kind": "pid", "gains": rival.gains.json, "policyFingerprint": rival.controller.fingerprint,
    ]) { $1 }
  }
}

extension PIDGains {
  /// A line for each action, in physical units, and one of the time constants:
  /// "valve = 0.1 + 2.3 e + 0.4 int e - 0.2 d/dt angle   (angle in rad, e = goal - angle, s)".
  func lines(_ task: ControlTask) -> [String] {
    let channels = task.pidErrors.map { task.goalChannels[$0] }
    let actions = task.layout.actions.indices.map { j in
      let terms = channels.indices.map { e in
        let name = channels.count == 1 ? "e" : "e(\(channels[e].name))"
        return "\(signed(proportional[j][e])) \(name) \(signed(integral[j][e])) int \(name) "
          + "\(signed(-derivative[j][e])) d/dt \(channels[e].name)"
      }
      return "\(task.layout.actions[j].name) = \(number(bias[j])) \(terms.joined(separator: " "))"
    }
    let units = channels.map { $0.units.isEmpty ? $0.name : "\($0.name) in \($0.units)" }
    func seconds(_ times: [Double]) -> String {
      times.map { number($0) }.joined(separator: ", ") + " s"
    }
    return actions + [
      "e = goal - measured; \(units.joined(separator: ", ")), s; filter of the rate \(seconds(filterTime)), integral follows limits in "
        + seconds(trackingTime)
    ]
  }

  private func signed(_ value: Double) -> String {
    (value < 0 ? "- " : "+ ") + number(abs(value))
  }

  var json: [String: Any] {
    [
      "proportional": proportional, "integral": integral, "derivative": derivative, "bias": bias,
      "filterTime": filterTime, "trackingTime": trackingTime,
    ]
  }
}
