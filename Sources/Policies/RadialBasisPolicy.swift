// SPDX-License-Identifier: Apache-2.0
// Radial-basis policies, as in PILCO and MC-PILCO: raw = V phi(z) + b with Gaussians about K centres,
//
//   phi_k(z) = exp(-1/2 sum_d s_d^2 z_d^2 + c_k^T (s z) + a_k)
//
// which is exp(-1/2 ||s z - c_k||^2) times a constant that V takes up; a_k starts from -1/2 ||c_k||^2. In this form
// it is two matrix products and an exponential, whose gradients reach centres, widths and weights.

import Draws
import Programs

extension Policy {
  /// Gaussian basis functions of the standardised inputs.
  ///
  /// Parameters: inverse widths s [D] (from 1), centres c [K, D] (from N(0, 1)), exponents a [K], weights V [A, K] (from
  /// N(0, 1 / K)), biases [A] (from 0).
  package static func radialBasis(
    count: Int, inputs: PolicyInputs, lower: [Double], upper: [Double],
    largestChange: [Double] = [], rest: [Double]? = nil
  ) -> Policy {
    let (width, actions) = (inputs.length, lower.count)
    let centres = width
    let exponents = centres + count * width
    let weights = exponents + count
    let biases = weights + actions * count
    let array = RolloutProgram.parameters
    return Policy(
      form: .radialBasis(count: count), inputs: inputs, lower: lower, upper: upper,
      largestChange: largestChange, rest: rest, parameterCount: biases + actions,
      parameterBlocks: [
        ParameterBlock(name: "inverse_widths", offset: 0, shape: [width]),
        ParameterBlock(name: "centres", offset: centres, shape: [count, width]),
        ParameterBlock(name: "exponents", offset: exponents, shape: [count]),
        ParameterBlock(name: "weights", offset: weights, shape: [actions, count]),
        ParameterBlock(name: "biases", offset: biases, shape: [actions]),
      ],
      initialParameters: { seed in
        let key = DrawKey(seed: seed, stream: .radialBasisParameters)
        let c = (0..<count).map { key.normals(particle: $0, step: 0, count: width) }
        let v = key.normals(particle: 0, step: 1, count: actions * count)
        return Array(repeating: 1, count: width) + c.flatMap { $0 }
          + c.map { -0.5 * $0.reduce(0) { $0 + $1 * $1 } }
          + v.map { $0 / Double(count).squareRoot() } + Array(repeating: 0, count: actions)
      },
      body: { z, dropout in
        let scaled = z * z.builder.shared(array, length: width)
        let projected = z.builder.affine(
          SharedMatrix(array: array, offset: centres, rows: count, columns: width),
          bias: SharedSlice(array: array, offset: exponents), scaled)
        let basis = exp(projected - 0.5 * dot(scaled, scaled)).named("basis")
        return z.builder.affine(
          SharedMatrix(array: array, offset: weights, rows: actions, columns: count),
          bias: SharedSlice(array: array, offset: biases), dropout(basis)
        ).named("raw_action")
      })
  }
}
