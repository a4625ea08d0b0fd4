// SPDX-License-Identifier: Apache-2.0
// Elementary functions that no prelude has, in the words of all preludes; a kernel contains those that its programs use.
// Errors against double precision (test "elementary functions"): hypot 2 ulp without overflow or underflow of squares,
// atan2 4 * 2^-23. Zeros have no sign; NaN stays NaN.

import Programs

enum ElementaryText {
  /// Definitions of what the programs use and a prelude lacks.
  static func definitions(for programs: [Program]) -> [String] {
    let words = Set(programs.flatMap(\.instructions).flatMap(\.operation.kernelWords))
    return texts.filter { words.contains($0.word) }.map(\.text)
  }

  private static let texts = [
    (
      // m sqrt(1 + (n / m)^2), m the larger and n the smaller magnitude
      word: "v_hypot",
      text: """
      INLINE vf v_hypot(vf a, vf b) {
        vf p = v_magnitude(a), q = v_magnitude(b);
        vf m = v_maximum(p, q), n = v_minimum(p, q);
        vf ratio = n / v_select(m > 0.f, m, splat(1.f));
        return v_select(a == a, m * v_sqrt(1.f + ratio * ratio), a);
      }

      """
    ),
    (
      // The arc tangent of n / m <= 1, about pi / 8 by Cephes' polynomial (Moshier 1992), then reflected at pi / 4, pi / 2, 0
      word: "v_atan2",
      text: """
      INLINE vf v_atan2(vf y, vf x) {
        vf p = v_magnitude(y), q = v_magnitude(x);
        vf m = v_maximum(p, q), n = v_minimum(p, q);
        vf ratio = n / v_select(m > 0.f, m, splat(1.f));
        vf r = v_select(ratio > 0.414213562f, (ratio - 1.f) / (ratio + 1.f), ratio), z = r * r;
        vf angle = (((8.05374449538e-2f * z - 1.38776856032e-1f) * z + 1.99777106478e-1f) * z
                    - 3.33329491539e-1f) * z * r + r;
        angle = v_select(ratio > 0.414213562f, angle + 0.785398163f, angle);
        angle = v_select(p > q, 1.57079633f - angle, angle);
        angle = v_select(x < 0.f, 3.14159265f - angle, angle);
        angle = v_select(y < 0.f, -angle, angle);
        return v_select(x == x, v_select(y == y, angle, y), x);
      }

      """
    ),
  ]
}

extension Operation {
  /// Names of kernel functions that compute it, its local function's summand included.
  fileprivate var kernelWords: [String] {
    let word: FunctionWord? =
      switch self {
      case .unary(let function, _): function.row.word
      case .binary(let function, _, _): function.row.word
      case .input, .constant, .shared, .normal, .select, .concatenate, .slice, .broadcast, .sum,
        .dot, .affine, .transposedProduct, .matrixVector, .transposedMatrixVector, .apply,
        .jacobian:
        nil
      }
    if case .call(let name, _) = word { return [name] }
    guard case .weightedSum(let sum) = localFunction else { return [] }
    return (sum.summand.instructions + sum.summandGradient.instructions)
      .flatMap(\.operation.kernelWords)
  }
}
