// SPDX-License-Identifier: Apache-2.0
// Coefficients of the cubic B-spline through values on a regular grid, axis by axis (Unser 1999). Along an axis
// (c_{i-1} + 4 c_i + c_{i+1}) / 6 = f_i. At the ends the curvature h^2 f'' = c_{-1} - 2 c_0 + c_1 is that of the cubic through
// four values, whose error decays by 0.27 a point; so the grid reaches two points beyond the box, and not four as without it
// (in 4 dimensions half of the points of a table that is 30 wide, a quarter of one that is 6 wide).

enum SplineTable {
  /// Points beyond each face at which values are needed; coefficients are kept of the nearest one.
  static let support = 2

  /// Values [n_1, ..., n_D] -> coefficients of the points inside the box and one beyond each face.
  static func coefficients(of values: [Double], counts: [Int]) -> [Double] {
    var values = values
    for axis in counts.indices {
      let stride = counts[(axis + 1)...].reduce(1, *)
      for start in values.indices where start / stride % counts[axis] == 0 {
        solve(&values, start: start, stride: stride, count: counts[axis])
      }
    }
    return cropped(values, counts)
  }

  /// Thomas' algorithm on one line, in place.
  private static func solve(_ f: inout [Double], start: Int, stride: Int, count: Int) {
    // 6 f_0 = c_{-1} + 4 c_0 + c_1 = 6 c_0 + h^2 f''.
    func end(_ first: Int, _ step: Int) -> Double {
      let v = (0..<4).map { f[start + (first + $0 * step) * stride] }
      return v[0] - (2 * v[0] - 5 * v[1] + 4 * v[2] - v[3]) / 6
    }
    let ends = (end(0, 1), end(count - 1, -1))
    f[start] = ends.0
    f[start + (count - 1) * stride] = ends.1
    var upper = [Double](repeating: 0, count: count)
    for i in 1..<count - 1 {
      let pivot = 4 - upper[i - 1]
      upper[i] = 1 / pivot
      let index = start + i * stride
      f[index] = (6 * f[index] - f[index - stride]) / pivot
    }
    for i in Swift.stride(from: count - 2, through: 1, by: -1) {
      let index = start + i * stride
      f[index] -= upper[i] * f[index + stride]
    }
  }

  private static func cropped(_ values: [Double], _ counts: [Int]) -> [Double] {
    let cut = support - 1
    return values.indices.filter { index in
      var rest = index
      for axis in counts.indices.reversed() {
        let i = rest % counts[axis]
        if i < cut || i >= counts[axis] - cut { return false }
        rest /= counts[axis]
      }
      return true
    }.map { values[$0] }
  }
}
