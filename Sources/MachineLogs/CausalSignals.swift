// SPDX-License-Identifier: Apache-2.0
// Measured columns -> states, row by row, from the past alone: the same code derives the states of a log
// and those that a controller sees on the machine. In: measured [C], one row a time step. Out: states [S].
//
//   d_k = (x_k - x_(k-1)) / T_k,   r_0 = 0,   r_1 = d_1,   r_k = r_(k-1) + a (d_k - r_(k-1)),   a = 1 - exp(-T_k / tau)
//
// T_k is the time that passed since the last row, tau the channel's filter time; a = 1 without one. Angles that turn lose
// their jumps by whole turns first.

import Foundation

/// The states of a machine as they become known, one row after another.
package struct CausalSignals: Sendable {
  private let layout: LogLayout
  /// Column of each state.
  private let columnOf: [Int]
  /// Of each column; nil where it does not turn.
  private var unwrapping: [Unwrapping?]
  private var lastMeasured: [Double] = []
  private var lastStates: [Double] = []
  private var rows = 0

  /// A row this close to its time (fraction of the time step) is on it: stamps are rounded when they are written.
  package static let timeTolerance = 1e-3

  package init(_ layout: LogLayout) {
    self.layout = layout
    let columns = layout.measuredColumns
    columnOf = layout.states.map { columns.firstIndex(of: $0.column) ?? 0 }
    unwrapping = columns.map { layout.turn(ofColumn: $0).map(Unwrapping.init) }
  }

  /// States [S] from the next row of measured columns [C] (`LogLayout.measuredColumns`). Rates are zero in the
  /// first row, where nothing is known of them.
  ///
  /// - Parameters:
  ///   - measured: as the sensors give it.
  ///   - elapsed: s since the last row; nil for the time step.
  package mutating func next(_ measured: [Double], elapsed: Double? = nil) -> [Double] {
    let measured = measured.indices.map { unwrapping[$0]?.next(measured[$0]) ?? measured[$0] }
    let timeStep = layout.timeStep
    // A plant that repeats its time is refused when its row is stamped.
    let isOnTime =
      elapsed.map { $0 <= 0 || abs($0 - timeStep) <= Self.timeTolerance * timeStep } ?? true
    let seconds = isOnTime ? timeStep : elapsed ?? timeStep
    let states = layout.states.enumerated().map { i, channel -> Double in
      let value = measured[columnOf[i]]
      guard case .rate = channel.source else { return value }
      guard rows > 0 else { return 0 }
      let difference = (value - lastMeasured[columnOf[i]]) / seconds
      guard rows > 1 else { return difference }
      let gain = channel.source.smoothing(timeStep: seconds)
      return lastStates[i] + gain * (difference - lastStates[i])
    }
    (lastMeasured, lastStates) = (measured, states)
    rows += 1
    return states
  }
}

extension LogLayout {
  /// A full turn of a measured column that turns round, in its units; nil of others.
  package func turn(ofColumn column: String) -> Double? {
    state(ofColumn: column).flatMap { states[$0].turn }
  }

  /// From a log's units of a measured column to the task's; nil where they are the same.
  package func conversion(ofColumn column: String) -> UnitConversion? {
    state(ofColumn: column).flatMap { states[$0].conversion }
  }

  /// The state that is a measured column itself; nil of a column that rates alone are read from.
  package func state(ofColumn column: String) -> Int? {
    states.firstIndex { $0.source == .column && $0.column == column }
  }
}

extension Channel.Source {
  /// a of a rate: the part of a new difference that enters it, 1 without a filter.
  package func smoothing(timeStep: Double) -> Double {
    guard case .rate(_, let filterTime) = self, filterTime > 0 else { return 1 }
    return 1 - exp(-timeStep / filterTime)
  }
}
