// SPDX-License-Identifier: Apache-2.0
// A promise, and how it was kept, as sentences and as keys of the JSON contract.

import Bagel
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import Samplers
import Tasks

extension Promise {
  /// Says what is promised, each line behind a prefix.
  func describe(_ task: ControlTask, _ console: Console, prefix: String = "") {
    for (most, tracked) in zip(errors, task.evaluation.tracked) {
      let channel = task.goalChannels[tracked.goal]
      console.say(
        "\(prefix)promised with 90 % confidence: \(channel.name) at most \(Unit(channel.units).shown(most)) from its goal, on average from "
          + "\(number(task.evaluation.settle)) s on"
          + (seenResponses > 0
            ? ", from models and \(counted(seenResponses, "response")) on the plant" : ""))
    }
    for figures in constraints { console.say("\(prefix)promised: \(figures.promise)") }
    let part = 100 * exploited / max(abs(searchedReturn), 1e-9)
    let range = episodeReturn.map {
      "\(distinct($0)), "
    }
    console.say(
      "\(prefix)return \(range ?? "")\(number(meanReturn)) on average, from models of half of the rows each; \(number(searchedReturn)) on "
        + "the model of the search, of which \(number(max(part, 0))) % may come from model errors that the search exploited"
    )
  }

  package func json(_ task: ControlTask, _ score: PromiseScore?) -> [String: Any] {
    let names = task.evaluation.tracked.map { task.goalChannels[$0.goal].name }
    let tracked = zip(names, errors.indices).map { name, t -> (String, Any) in
      var entry: [String: Any] = ["atMost90": errors[t]]
      if let score { (entry["inside"], entry["steps"]) = (score.errorsInside[t], score.steps) }
      return (name, entry)
    }
    var result: [String: Any] = [
      "tracked": Dictionary(tracked) { $1 }, "meanReturn": meanReturn,
      "searchedReturn": searchedReturn, "exploited": exploited, "rollouts": rollouts,
      "seenResponses": seenResponses,
      "constraints": constraints.indices.map { c in
        var entry = constraints[c].json("rollouts")
        if let own = score?.constraints[c] {
          entry["plant"] = [
            "violations": own.violations, "episodes": own.trials, "isKept": own.isKept,
          ]
        }
        return entry
      },
    ]
    if let episodeReturn, score.map({ $0.returns > 0 }) ?? true {
      result["return"] = [
        "interval90": [episodeReturn.lowerBound, episodeReturn.upperBound],
        "inside": score?.returnsInside ?? 0, "episodes": score?.returns ?? 0,
      ]
    }
    return result
  }
}

/// Both ends with as many digits as tell them apart: "147.62 to 147.66".
private func distinct(_ range: ClosedRange<Double>) -> String {
  let ends = [range.lowerBound, range.upperBound]
  let texts = (4...8).lazy.map { digits in ends.map { String(format: "%.\(digits)g", $0) } }
  let short = ends.map { number($0) }
  let shown = short[0] != short[1] ? short : texts.first { $0[0] != $0[1] } ?? short
  return shown.joined(separator: " to ")
}

extension PromiseScore {
  /// Says how a promise was kept, each line behind a prefix.
  ///
  /// - Parameter what: constraints were counted of.
  func describe(
    _ task: ControlTask, _ console: Console, prefix: String = "", of what: String = "episode"
  ) {
    for (inside, tracked) in zip(errorsInside, task.evaluation.tracked) where steps > 0 {
      let name = task.goalChannels[tracked.goal].name
      console.say(
        "\(prefix)the promise for \(name) was kept in \(inside) of \(counted(steps, "response"))")
    }
    for (own, constraint) in zip(constraints, task.constraints) {
      console.say(
        "\(prefix)the promise for \(constraint.words) was \(own.isKept ? "kept" : "BROKEN"): \(own.violations) of "
          + "\(counted(own.trials, what)) violated it")
    }
    if returns > 0 {
      console.say(
        "\(prefix)the return was as promised in \(returnsInside) of \(counted(returns, "episode"))")
    }
  }
}

extension ControlTask {
  /// The promise of a policy, by the model in its folder if that is the one it was found on; says why where there is none.
  ///
  /// - Parameters:
  ///   - controller: the policy.
  ///   - description: of its file.
  ///   - folder: of its file.
  ///   - seen: errors of its responses on the plant so far [responses][tracked].
  ///   - console: prints messages.
  /// - Returns: it and the model. Throws: `FactorizationError`, `ExecutionError`, `LogError`.
  func promise(
    of controller: PolicyController, _ description: PolicyDescription, in folder: String,
    seen: [[Double]], _ console: Console
  ) throws -> (promise: Promise, model: DynamicsModel)? {
    let path = folder + "/model.safetensors"
    guard !objective.rewards.isEmpty, hasStart, description.model != nil,
      description.model == (try? DynamicsModel.fingerprint(path: path))
    else { return nil }
    let model = try DynamicsModel(path: path)
    return try promise(of: controller, on: model, seen: seen, console).map { ($0, model) }
  }

  /// The promise of a policy on a model; says why where there is none.
  ///
  /// - Parameters:
  ///   - controller: the policy.
  ///   - model: on which it was found.
  ///   - seen: errors of its responses on the plant so far [responses][tracked].
  ///   - console: prints messages.
  ///   - prefix: of what is said.
  /// - Throws: `ExecutionError`, `LogError`.
  func promise(
    of controller: PolicyController, on model: DynamicsModel, seen: [[Double]] = [],
    _ console: Console, prefix: String = ""
  ) throws -> Promise? {
    func none(_ why: String) -> Promise? {
      console.say("\(prefix)nothing is promised: \(why)")
      return nil
    }
    if let obstacle = obstacleToPromise(model) { return none(obstacle) }
    do {
      guard let promise = try promise(of: controller, on: model, seen: seen) else {
        return none("most returns of its rollouts are not finite")
      }
      promise.describe(self, console, prefix: prefix)
      return promise
    } catch let error as UnsuitableSampler {
      return none(words(of: error))
    } catch let error as FactorizationError {
      return none(words(of: error))
    }
  }
}
