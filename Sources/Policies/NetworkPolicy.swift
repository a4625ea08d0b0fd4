// SPDX-License-Identifier: Apache-2.0
// Feedforward networks: h_1 = tanh(W_1 z + b_1), ..., raw = W_L h + b_L. Parameters in the order
// W_1 (row-major), b_1, W_2, ... A network without hidden layers is a linear policy.

import Draws
import Programs

extension Policy {
  /// A network with tanh hidden layers (the paper's [8, 8], [64, 64]).
  ///
  /// Weights start from N(0, 2 / inputs of the layer) (He 2015, reference 38 of the paper), biases from zero.
  /// (A ten times smaller last layer, so that a new policy hardly acts, left searches stuck inside the
  /// boom's deadband.)
  package static func network(
    hidden: [Int], inputs: PolicyInputs, lower: [Double], upper: [Double],
    largestChange: [Double] = [], rest: [Double]? = nil
  ) -> Policy {
    let widths = [inputs.length] + hidden + [lower.count]
    let layers = Layer.layers(widths: widths)
    return Policy(
      form: .network(hidden: hidden), inputs: inputs,
      lower: lower, upper: upper, largestChange: largestChange, rest: rest,
      parameterCount: layers.reduce(0) { $0 + $1.inputs * $1.outputs + $1.outputs },
      parameterBlocks: layers.enumerated().flatMap { index, layer in
        [
          ParameterBlock(
            name: "layers.\(index).weight", offset: layer.offset,
            shape: [layer.outputs, layer.inputs]),
          ParameterBlock(
            name: "layers.\(index).bias", offset: layer.bias.offset, shape: [layer.outputs]),
        ]
      },
      initialParameters: { seed in Layer.initial(layers, seed: seed) },
      body: { input, dropout in
        var h = input
        for (index, layer) in layers.enumerated() {
          let isLast = index + 1 == layers.count
          if isLast && index > 0 { h = dropout(h) }
          let z = input.builder.affine(layer.weights, bias: layer.bias, h)
          h = isLast ? z.named("raw_action") : tanh(z).named("hidden")
        }
        return h
      })
  }

  /// raw = W z + b.
  package static func linear(
    inputs: PolicyInputs, lower: [Double], upper: [Double], largestChange: [Double] = [],
    rest: [Double]? = nil
  ) -> Policy {
    network(
      hidden: [], inputs: inputs, lower: lower, upper: upper, largestChange: largestChange,
      rest: rest)
  }
}

private struct Layer: Sendable {
  let inputs: Int
  let outputs: Int
  let offset: Int

  var weights: SharedMatrix {
    SharedMatrix(
      array: RolloutProgram.parameters, offset: offset, rows: outputs, columns: inputs)
  }

  var bias: SharedSlice {
    SharedSlice(array: RolloutProgram.parameters, offset: offset + inputs * outputs)
  }

  static func layers(widths: [Int]) -> [Layer] {
    var offset = 0
    return zip(widths, widths.dropFirst()).map { inputs, outputs in
      defer { offset += inputs * outputs + outputs }
      return Layer(inputs: inputs, outputs: outputs, offset: offset)
    }
  }

  static func initial(_ layers: [Layer], seed: UInt64) -> [Double] {
    layers.enumerated().flatMap { index, layer in
      let scale = (2 / Double(layer.inputs)).squareRoot()
      let draws = DrawKey(seed: seed, stream: .networkParameters).normals(
        particle: index, step: 0, count: layer.inputs * layer.outputs)
      return draws.map { scale * $0 } + Array(repeating: 0, count: layer.outputs)
    }
  }
}
