// SPDX-License-Identifier: Apache-2.0
// Values of shared arrays by name, as the parts of a rollout bring them.

/// Puts the parts' arrays together.
package enum SharedArrays {
  /// All arrays of the parts. Two of one name with different values are a caller's bug: one part would read the other's numbers.
  package static func joined(_ parts: [[String: [Double]]]) -> [String: [Double]] {
    parts.reduce(into: [:]) { all, part in
      for (name, values) in part {
        precondition(
          all[name] == nil || all[name] == values,
          "two shared arrays are called '\(name)', of \(all[name]?.count ?? 0) and \(values.count) numbers"
        )
        all[name] = values
      }
    }
  }
}
