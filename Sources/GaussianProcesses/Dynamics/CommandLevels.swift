// SPDX-License-Identifier: Apache-2.0
// Commands with only few levels in a model's data: between them the model has no data.

extension DynamicsModel {
  /// Commands that the data have at few levels only: (action, levels), and what that means for a policy is up to the caller.
  package var commandLevels: [(action: Int, levels: [Double])] {
    let most = 5
    return form.newestActions.compactMap { d, action in
      let x = features
      var levels: [Double: Double] = [:]
      // Averages over a time step differ by rounding.
      for row in 0..<x.rows where levels.count <= most {
        levels[(x[row, d] * 1e6).rounded()] = x[row, d]
      }
      guard (2...most).contains(levels.count), x.rows >= 10 * most else { return nil }
      let (mean, scale) = (featureStandardiser.mean[d], featureStandardiser.scale[d])
      return (
        action,
        levels.values.sorted().map { z in
          let level = mean + scale * z
          return abs(level) < 1e-9 * scale ? 0 : level
        }
      )
    }
  }
}
