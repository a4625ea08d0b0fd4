// SPDX-License-Identifier: Apache-2.0
// The inputs that a choice took for each output, and what those would gain that it left out, as sentences and JSON.

import Bagel
import GaussianProcesses
import ModelChoice

extension InputRelevance {
  /// Inputs that are named as left out.
  private static let mostNamed = 3

  /// "va reads u, va; left out: b (would take 0.5 % off its left-out error), ..."
  func sentences(_ model: DynamicsModel) -> [String] {
    zip(model.outputNames, outputs).map { name, output in
      let read = output.read.map { $0.words(model.layout) }.joined(separator: ", ")
      let others = output.others.prefix(Self.mostNamed).map {
        "\($0.feature.words(model.layout)) \(number(100 * max($0.gain, 0))) %"
      }
      return "\(name) reads, of \(output.read.count + output.others.count) inputs: \(read)"
        + (others.isEmpty
          ? ""
          : "; one more input would reduce its left-out error by: \(others.joined(separator: ", "))")
    }
  }

  func json(_ model: DynamicsModel) -> [String: Any] {
    Dictionary(
      uniqueKeysWithValues: zip(model.outputNames, outputs).map { name, output in
        let parts: [String: Any] = [
          "read": output.read.map { $0.words(model.layout) }, "leftOutError": output.error,
          "others": output.others.map {
            ["input": $0.feature.words(model.layout), "gain": $0.gain] as [String: Any]
          },
        ]
        return (name, parts)
      })
  }
}
