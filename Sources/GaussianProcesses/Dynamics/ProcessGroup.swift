// SPDX-License-Identifier: Apache-2.0
// Outputs that read the same inputs: what samplers and moment matching work on. A model in which every output reads all
// features is one group.

import LinearAlgebra

/// Gaussian processes on the same inputs.
public struct ProcessGroup: Sendable {
  /// Which of the model's outputs they are, ascending.
  public let outputs: [Int]
  /// Indices of the features that they read, ascending.
  public let inputs: [Int]
  /// One an output.
  public let processes: [GaussianProcess]

  /// Standardised training inputs [n, D].
  public var x: Matrix { processes[0].x }
  /// D
  public var dimensions: Int { inputs.count }

  /// The name of a shared array of output k of the group; no other output of the model has it.
  public func array(_ name: String, _ k: Int) -> String { "\(name)_\(outputs[k])" }

  /// The name of a shared array of the group; no other group of the model has it.
  public func array(_ name: String) -> String { outputs[0] == 0 ? name : array(name, 0) }
}

extension DynamicsModel {
  /// In the order of each group's first output.
  public var groups: [ProcessGroup] {
    let outputs = form.outputs
    let first = outputs.indices.filter { m in
      !outputs[..<m].contains { $0.inputs == outputs[m].inputs }
    }
    return first.map { m in
      let members = outputs.indices.filter { outputs[$0].inputs == outputs[m].inputs }
      return ProcessGroup(
        outputs: members, inputs: outputs[m].inputs, processes: members.map { processes[$0] })
    }
  }
}
