// SPDX-License-Identifier: Apache-2.0
// Outputs that read the same inputs and share a sampler. A model in which every output reads all features is one group.

import LinearAlgebra

/// Gaussian processes on the same inputs.
package struct ProcessGroup: Sendable {
  /// Which of the model's outputs they are, ascending.
  package let outputs: [Int]
  /// Indices of the features that they read, ascending.
  package let inputs: [Int]
  /// One per output.
  package let processes: [GaussianProcess]
  /// Of the residual's deviation, what draws with noise contain, one per output: 1 but where `ProcessNoise` was learnt.
  package let noiseShares: [Double]

  /// Standardised training inputs [n, D].
  package var x: Matrix { processes[0].x }
  /// D
  package var dimensions: Int { inputs.count }

  /// The name of a shared array of output k of the group, or of the whole group; nothing else of the model has it.
  package func array(_ name: String, _ k: Int = 0) -> String { "\(name)_\(outputs[k])" }
}

extension DynamicsModel {
  /// In the order of each group's first output.
  package var groups: [ProcessGroup] {
    let outputs = form.outputs
    let members = Dictionary(grouping: outputs.indices) { outputs[$0].inputs }.values
    return members.sorted { $0[0] < $1[0] }.map { m in
      ProcessGroup(
        outputs: m, inputs: outputs[m[0]].inputs, processes: m.map { processes[$0] },
        noiseShares: m.map { processNoise?[$0].share ?? 1 })
    }
  }
}

extension ModelForm {
  /// The columns of x [n, D] that each output reads; outputs that read the same share a matrix.
  func inputMatrices(_ x: Matrix) -> [Matrix] {
    var made = [Array(features.indices): x]
    return outputs.map { output in
      let matrix = made[output.inputs] ?? x.selecting(columns: output.inputs)
      made[output.inputs] = matrix
      return matrix
    }
  }
}
