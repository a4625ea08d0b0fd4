// SPDX-License-Identifier: Apache-2.0
// Models and policies as versions of an output folder, in words: what was kept, what is the current one, and why.

import Bagel
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import Samplers
import Tasks
import TensorFiles

extension Console {
  /// Keeps a model, and makes it the current one.
  ///
  /// - Parameters:
  ///   - version: what is known of it.
  ///   - store: of the output folder.
  ///   - write: writes its files into the folder that it gets.
  /// - Returns: its number. Throws: `OutputError`, and what `write` throws.
  @discardableResult func keepModel(
    _ version: Version, in store: VersionStore, write: (_ folder: String) throws -> Void
  ) throws -> Int {
    let kept = try store.add(version, write: write)
    if let former = try store.use(kept) {
      say("the former model is version \(former.number); this one is version \(kept.number)")
    }
    return kept.number
  }

  /// Keeps a policy, and makes it the current one unless the one that is would earn more on the same model.
  ///
  /// - Parameters:
  ///   - version: what is known of it.
  ///   - store: of the output folder.
  ///   - task: by whose reward, starts and goals policies are compared.
  ///   - model: on which they are; nil for taking it in any case.
  ///   - write: writes its files into the folder that it gets.
  /// - Returns: the version, whether it is the current one, and how it does beside the former one on the model, in words; nil where they
  ///   were not compared. Throws: `OutputError`, and what `write` throws.
  @discardableResult func keepPolicy(
    _ version: Version, in store: VersionStore, _ task: ControlTask, on model: DynamicsModel?,
    write: (_ folder: String) throws -> Void
  ) throws -> (version: Version, isCurrent: Bool, beside: String?) {
    let kept = try store.add(version, write: write)
    var beside: String?
    if let model, let former = try store.adopt(.policy), former.number != kept.number {
      let isBetter: Bool
      (isBetter, beside) = try self.isBetter(former, than: kept, in: store, task, on: model)
      if isBetter { return (kept, false, beside) }
    }
    if let former = try store.use(kept) {
      let value = (former.predictedReturn).map { ", return \(number($0)) on its model" } ?? ""
      say(
        "the former policy is version \(former.number)\(value); this one is version \(kept.number)")
    }
    return (kept, true, beside)
  }

  /// Whether a former policy would earn more than a new one, beyond chance; says so. Also the comparison in words, if there was one.
  private func isBetter(
    _ former: Version, than new: Version, in store: VersionStore, _ task: ControlTask,
    on model: DynamicsModel
  ) throws -> (isBetter: Bool, words: String?) {
    // What the plant says counts more than what a model says.
    if new.isSolved == false, former.isProven {
      say(
        "version \(former.number) stays the current policy: it succeeded on the plant, and the new one did not. The new one is version "
          + "\(new.number); to use it, give --replace or run `bagel use`")
      return (true, nil)
    }
    let expected = task.policyDescription
    // A policy of another machine is no rival.
    guard let one = try? PolicyController.read(path: store.path(former), for: expected) else {
      return (false, nil)
    }
    let other = try PolicyController.read(path: store.path(new), for: expected)
    let comparison: PolicyComparison
    do {
      comparison = try task.compare(one.controller, other.controller, on: model)
    } catch let error as UnsuitableSampler {
      say("the former policy could not be compared with this one: \(words(of: error))")
      return (false, nil)
    }
    let words =
      "on this model version \(former.number) earns \(number(comparison.returns.first)), version \(new.number) "
      + "\(number(comparison.returns.second)): \(comparison.words)"
    guard comparison.secondIsWorse else { return (false, words) }
    comparison.describe("version \(former.number)", "the new one", self)
    say(
      "version \(former.number) stays the current policy: on this model it earns \(number(comparison.returns.first)), the new one "
        + "\(number(comparison.returns.second)) (\(comparison.words)). The new one is version \(new.number); to use it, give "
        + "--replace or run `bagel use`")
    return (true, words)
  }
}

extension PolicyComparison {
  /// "12.3 less, 10.1 to 14.5 with 95 %, in 1000 paired rollouts"
  var words: String {
    let (low, high) = (interval.lowerBound, interval.upperBound)
    let size = number(abs(difference))
    let range =
      difference < 0
      ? "\(number(-high)) to \(number(-low))" : "\(number(low)) to \(number(high))"
    return
      "\(size) \(difference < 0 ? "less" : "more"), \(range) with 95 %, in \(rollouts) paired rollouts"
  }

  /// What beside returns tells the two apart, each line on its own.
  func describe(_ first: String, _ second: String, _ console: Console) {
    if keeps.first != keeps.second {
      console.say(
        "\(keeps.first ? first : second) keeps the constraints in these rollouts, \(keeps.first ? second : first) does not"
      )
    }
    for (name, count) in [(first, diverged.first), (second, diverged.second)] where count > 0 {
      console.say("\(name): \(counted(count, "rollout")) diverged and were frozen")
    }
  }

  var json: [String: Any] {
    [
      "keepsConstraints": [keeps.first, keeps.second],
      "diverged": [diverged.first, diverged.second],
      "returns": [returns.first, returns.second], "difference": difference,
      "standardError": standardError, "rollouts": rollouts,
      "interval95": [interval.lowerBound, interval.upperBound],
    ]
  }
}

extension Version {
  /// One line of `bagel history`.
  var line: String {
    let seed = seed.map { ", seed \($0)" } ?? ""
    let plant =
      plantEpisodes.map { "; \(plantSuccesses ?? 0) of \(counted($0, "episode")) on the plant" }
      ?? ""
    let parts = [date.replacingOccurrences(of: "T", with: " "), kind.rawValue, task]
      .filter { !$0.isEmpty }
    return "\(parts.joined(separator: "  "))\(seed)  \(words)\(plant)"
  }

  var json: [String: Any] {
    [
      "version": number, "kind": kind.rawValue, "date": date,
      "seed": seed.map { $0 as Any } ?? NSNull(),
      "task": task, "words": words, "modelFingerprint": model ?? NSNull(),
      "policyFingerprint": policy ?? NSNull(), "data": data ?? NSNull(),
      "predictedReturn": predictedReturn ?? NSNull(),
      "plantSuccesses": plantSuccesses ?? NSNull(), "plantEpisodes": plantEpisodes ?? NSNull(),
    ]
  }
}

extension VersionStore {
  /// Reads the folder's model or policy; where its file cannot be used and that of a version can, the error says which.
  ///
  /// - Parameters:
  ///   - kind: of the versions.
  ///   - path: of the file in the folder.
  ///   - read: reads a file of this kind.
  /// - Throws: `TensorFileError`.
  func reading<Content>(
    _ kind: Version.Kind, _ path: String, _ read: (String) throws(TensorFileError) -> Content
  ) throws(TensorFileError) -> Content {
    do {
      return try read(path)
    } catch {
      let sound = versions.last { $0.kind == kind && (try? read(self.path($0))) != nil }
      guard let sound else { throw error }
      throw TensorFileError(
        path: error.path,
        "\(error.problem); `bagel use TASK \(sound.number)` brings version \(sound.number) back",
        isWriting: error.isWriting)
    }
  }
}
