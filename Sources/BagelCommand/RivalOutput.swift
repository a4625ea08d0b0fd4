// SPDX-License-Identifier: Apache-2.0
// The rival of an evaluation: the same episodes with a PID controller, as sentences and as keys of the JSON contract.

import Bagel
import Foundation

/// An evaluation of a rival.
struct RivalEvaluation {
  let rival: PIDRival
  let evaluation: Evaluation
}

extension ControlTask {
  /// The same episodes with the PID controller of the same model; nil where there is none, says why where one could be.
  ///
  /// - Parameters:
  ///   - description: of the policy whose rival it is.
  ///   - folder: with that policy's model; its PID controller is kept there.
  ///   - seed: of the episodes.
  ///   - spread: of the plant's parameters.
  ///   - console: hears why there is none.
  /// - Throws: as `pidRival` and `evaluate`.
  func evaluateRival(
    of description: PolicyDescription, in folder: String, seed: UInt64, spread: Double,
    _ console: Console
  ) throws -> RivalEvaluation? {
    let path = "\(folder)/model.safetensors"
    guard pidTask != nil, description.model != nil,
      description.model == (try? DynamicsModel.fingerprint(path: path))
    else { return nil }
    do {
      let rival = try pidRival(on: DynamicsModel(path: path), in: folder) {
        !InterruptSignal.wasRaised
      }
      guard let rival, !InterruptSignal.wasRaised else { return nil }
      let evaluation = try evaluate(
        rival.controller, seed: seed, spread: spread, within: .init(rival.description),
        goesOn: { !InterruptSignal.wasRaised })
      return InterruptSignal.wasRaised ? nil : RivalEvaluation(rival: rival, evaluation: evaluation)
    } catch let error as SearchError {
      console.say("  no PID controller as a rival: \(error)")
    } catch let error as UnsuitableSampler {
      console.say("  no PID controller as a rival: \(error)")
    }
    return nil
  }
}

extension ControlTask {
  /// Searches the PID controller that is the task's fallback.
  ///
  /// - Parameters:
  ///   - model: of the machine.
  ///   - folder: where its file goes.
  ///   - device: where rollouts run.
  ///   - console: hears of it.
  /// - Throws: as `pidRival`; `LogError` where there is nothing that it could track.
  func findFallback(
    on model: DynamicsModel, in folder: String, _ device: DeviceOptions, _ console: Console
  ) throws {
    guard pidTask != nil else {
      throw LogError(
        file: place,
        "has `fallback: pid`, and a PID controller needs a goal with a tolerance, and another policy beside it"
      )
    }
    guard let found = try pidRival(on: model, in: folder, device: device.device) else { return }
    console.say("fallback: a PID controller, \(folder)/\(Self.pidFileName)")
    for line in found.gains.lines(self) { console.say("  \(line)") }
  }
}

extension RivalEvaluation {
  func describe(_ task: ControlTask, _ console: Console) {
    let (steps, successes) = (evaluation.steps.count, evaluation.stepSuccesses)
    let what =
      steps > evaluation.episodes.count
      ? "\(successes) of \(steps) steps"
      : "\(evaluation.successes) of \(evaluation.episodes.count) episodes succeed"
    console.say("rival: a PID controller that was found on the same model: \(what)")
    for (index, tracked) in task.evaluation.tracked.enumerated()
    where !evaluation.whole.episodes.isEmpty {
      let figures = evaluation.whole.figures(ofTracked: index)
      let unit = Unit(task.goalChannels[tracked.goal].units)
      let mean =
        figures.reduce(0) { $0 + $1.steadyStateError } / Double(max(figures.count, 1))
      console.say(
        "  \(task.goalChannels[tracked.goal].name): mean steady-state error \(unit.shown(mean)), largest error "
          + unit.shown(figures.map(\.largestError).max() ?? 0))
    }
    for line in rival.gains.lines(task) { console.say("  \(line)") }
  }

  func json(_ task: ControlTask) -> [String: Any] {
    evaluation.json(task).merging([
      "kind": "pid", "gains": rival.gains.json, "policyFingerprint": rival.controller.fingerprint,
    ]) { $1 }
  }
}

extension PIDGains {
  /// A line for each action, in physical units: "valve = 0.1 + 2.3 e + 0.4 int e - 0.2 d/dt, e = goal - angle".
  func lines(_ task: ControlTask) -> [String] {
    let goals = task.pidErrors.map { task.goalChannels[$0].name }
    return task.layout.actions.indices.map { j in
      let terms = goals.indices.map { e in
        let name = goals.count == 1 ? "e" : "e(\(goals[e]))"
        let rate = "d/dt \(goals[e])"
        return "\(signed(proportional[j][e])) \(name) \(signed(integral[j][e])) int \(name) "
          + "\(signed(-derivative[j][e])) \(rate)"
      }
      return "\(task.layout.actions[j].name) = \(number(bias[j])) \(terms.joined(separator: " ")), "
        + "e = goal - measured, its filter \(filterTime.map { number($0) }.joined(separator: ", ")) s, anti-windup "
        + "\(number(trackingTime[j])) s"
    }
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
