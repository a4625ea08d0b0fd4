// SPDX-License-Identifier: Apache-2.0
// The origin of a policy as its file records it, and what distinguishes policies: plant, return on the model,
// fingerprint.

import Execution
import Foundation
import GaussianProcesses
import Policies
import SafeText
import Tasks

extension ControlTask {
  /// What the file of a policy says that was found on a model.
  package func description(
    of policy: OptimizedPolicy, on model: DynamicsModel
  ) -> PolicyDescription {
    var description = policyDescription(on: model)
    let best = policy.state.bestReturn
    description.predictedReturn = best.isFinite ? best : nil
    description.sampler = shortened(policy.sampler.description, to: longestMessage)
    return description
  }

  /// In words that the policy was found for another plant than this task's; nil where it was not, or nobody knows.
  ///
  /// - Parameters:
  ///   - description: of the policy's file.
  ///   - usual: the plant that the task had before another was chosen, for files that do not say theirs.
  package func otherPlant(
    than description: PolicyDescription, usual: PlantChoice? = nil
  ) -> String? {
    guard let found = description.plant ?? usual?.words, let own = plant?.words, found != own else {
      return nil
    }
    return "the policy was found for the plant '\(found)'; it is judged on '\(own)' here"
  }
}

extension PolicyDescription {
  /// In words that the policy was found on another model than the one in a folder; nil where it was not, there is none, or
  /// the policy's file does not say.
  package func otherModel(in folder: String) -> String? {
    let path = folder + "/model.safetensors"
    guard let own = model, FileManager.default.fileExists(atPath: path) else { return nil }
    let there: String
    do {
      there = try DynamicsModel.fingerprint(path: path)
    } catch {
      return
        "\(error); the policy's own model is looked for among the versions of the folder"
    }
    guard own != there else { return nil }
    return
      "the policy was found on another model (\(own)) than \(path) (\(there)); a new search finds one on that model"
  }
}

extension PolicyController {
  /// 16 hexadecimal digits of the SHA-256 of parameters, standardisers and goals' formulas: two policies with the same have the
  /// same numbers.
  package var fingerprint: String {
    let numbers = (parameters + stateMean + stateScale).withUnsafeBytes { sha256($0) }
    guard let goals, let quantities = policy.inputs.goalQuantities else {
      return String(numbers.prefix(16))
    }
    let own = (goals.mean + goals.scale).withUnsafeBytes { sha256($0) }
    return String(
      sha256((numbers + own + quantities.map(\.statement).joined(separator: ", ")).utf8).prefix(16))
  }
}
