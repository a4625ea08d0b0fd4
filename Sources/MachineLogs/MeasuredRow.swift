// SPDX-License-Identifier: Apache-2.0
// A row of a run as it is measured, before anything is decided on it.

/// A measured row of a run.
package struct MeasuredRow: Sendable {
  /// Measured columns as the sensors gave them [C] (`LogLayout.measuredColumns`).
  package var measured: [Double]
  /// States [S], derived rates among them; physical units.
  package var states: [Double]
  /// [W], physical units.
  package var disturbances: [Double]
  /// The command that was sent after the row before [A]; nil at the first row.
  package var action: [Double]?
  /// Seconds since the row before; nil for one time step.
  package var elapsed: Double?
  /// Whether an operator commands in place of the controller.
  package var isOverridden: Bool

  package init(
    measured: [Double], states: [Double], disturbances: [Double] = [], action: [Double]?,
    elapsed: Double? = nil, isOverridden: Bool = false
  ) {
    (self.measured, self.states, self.disturbances) = (measured, states, disturbances)
    (self.action, self.elapsed, self.isOverridden) = (action, elapsed, isOverridden)
  }
}

extension Episode {
  /// Its rows as a run measured them. What a derived rate's column measured is its state's value, turns undone.
  package func measuredRows(_ layout: LogLayout) -> [MeasuredRow] {
    let columns = layout.measuredColumns.map { layout.state(ofColumn: $0) }
    return states.indices.map { k in
      let elapsed = k > 0 && times.count == count ? times[k] - times[k - 1] : nil
      return MeasuredRow(
        measured: columns.map { $0.map { states[k][$0] } ?? .nan }, states: states[k],
        disturbances: disturbances(at: k), action: k > 0 ? actions[k - 1] : nil, elapsed: elapsed)
    }
  }
}
