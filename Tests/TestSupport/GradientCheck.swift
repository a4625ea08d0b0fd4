// SPDX-License-Identifier: Apache-2.0
// The checks of gradients, for every test that needs one. Of a program in double precision: tangent against adjoint,
// <w, J v> = <J^T w, v> to 1e-12, and central differences along a random direction. Of any other gradient: the central difference
// along a random direction. Out: the relative disagreements.

import Draws
import Programs

package struct GradientCheck {
  /// |<w, J v> - <J^T w, v>| and |<w, J v> - central difference|, relative to the larger.
  package var adjointError = 0.0
  package var differenceError = 0.0

  /// - Parameters:
  ///   - differentiated: inputs and shared arrays to differentiate by.
  ///   - adjoint: the adjoint program to check; nil for the program's own.
  package init(
    _ program: Program, inputs: [String: [Double]], shared: [String: [Double]] = [:],
    differentiatedShared: Set<String> = [], seed: UInt64, adjoint: Program? = nil
  ) {
    let names = Set(inputs.keys)
    let key = DrawKey(seed: seed)
    func direction(_ values: [Double], _ particle: Int) -> [Double] {
      key.normals(particle: particle, step: 0, count: values.count)
    }
    let v = Dictionary(
      uniqueKeysWithValues: inputs.sorted { $0.key < $1.key }.enumerated().map {
        ($1.key, direction($1.value, $0))
      })
    let vShared = Dictionary(
      uniqueKeysWithValues: differentiatedShared.sorted().enumerated().map {
        ($1, direction(shared[$1] ?? [], 100 + $0))
      })
    let w = Dictionary(
      uniqueKeysWithValues: program.outputs.enumerated().map {
        ($1.name, direction([Double](repeating: 0, count: program[$1.value].length), 200 + $0))
      })
    let draws = { (first: Int, count: Int) in
      DrawKey(seed: 5).normals(particle: 0, step: 0, first: first, count: count)
    }

    func tagged(_ values: [String: [Double]], _ prefix: String) -> [String: [Double]] {
      Dictionary(uniqueKeysWithValues: values.map { (prefix + $0.key, $0.value) })
    }
    let tangent = program.tangent(withRespectTo: names, sharedArrays: differentiatedShared)
    let jv = Interpreter(shared: shared.merging(tagged(vShared, "tangent_")) { $1 }).run(
      tangent, inputs: inputs.merging(tagged(v, "tangent_")) { $1 }, draws: draws)
    let forward = w.reduce(0) { $0 + inner($1.value, jv.outputs["tangent_" + $1.key] ?? []) }

    let reverse =
      adjoint ?? program.adjoint(withRespectTo: names, sharedArrays: differentiatedShared)
    let interpreter = Interpreter(shared: shared)
    let jtw = interpreter.run(
      reverse, inputs: inputs.merging(tagged(w, "adj_")) { $1 }, draws: draws)
    let backward =
      v.reduce(0) { $0 + inner($1.value, jtw.outputs["adj_" + $1.key] ?? []) }
      + vShared.reduce(0) { $0 + inner($1.value, jtw.sharedAdjoints[$1.key] ?? []) }

    func objective(_ step: Double) -> Double {
      let moved = inputs.merging(v) { zip($0, $1).map { $0 + step * $1 } }
      let movedShared = shared.merging(vShared) { zip($0, $1).map { $0 + step * $1 } }
      let result = Interpreter(shared: movedShared).run(program, inputs: moved, draws: draws)
      return w.reduce(0) { $0 + inner($1.value, result.outputs[$1.key] ?? []) }
    }
    let step = 1e-5
    let difference = (objective(step) - objective(-step)) / (2 * step)
    let scale = max(abs(forward), abs(backward), abs(difference), 1e-3)
    adjointError = abs(forward - backward) / scale
    differenceError = abs(forward - difference) / scale
  }

  private func inner(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
  }
}

/// A gradient along a random direction, beside the central difference of its function there.
package struct DirectionalCheck {
  /// <gradient, v>
  package let slope: Double
  /// (f(p + h v) - f(p - h v)) / 2h
  package let difference: Double

  /// - Parameters:
  ///   - gradient: of f at the parameters [P].
  ///   - parameters: p [P].
  ///   - step: h; its error is h^2 times the third derivative, and rounding by 1/h.
  ///   - value: f.
  package init(
    _ gradient: [Double], at parameters: [Double], step: Double = 1e-5,
    value: ([Double]) throws -> Double
  ) rethrows {
    let direction = DrawKey(seed: 4).normals(particle: 0, step: 0, count: gradient.count)
    func moved(_ by: Double) -> [Double] { zip(parameters, direction).map { $0 + by * $1 } }
    slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    difference = (try value(moved(step)) - value(moved(-step))) / (2 * step)
  }

  /// |slope - difference|, relative to the slope or to `least`, whichever is larger.
  package func error(least: Double = 1) -> Double {
    abs(slope - difference) / max(least, abs(slope))
  }
}
