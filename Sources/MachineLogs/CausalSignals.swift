// SPDX-License-Identifier: Apache-2.0
// Measured columns -> states, row by row, from the past alone: the same code derives the states of a log
// and those that a controller sees on the machine. In: measured [C], one row a time step. Out: states [S].
//
//   d_k = (x_k - x_(k-1)) / T,   r_0 = 0,   r_1 = d_1,   r_k = r_(k-1) + a (d_k - r_(k-1)),   a = 1 - exp(-T / tau)
//
// tau is the channel's filter time; a = 1 without one.

import Foundation

/// The states of a machine as they become known, one row after another.
public struct CausalSignals: Sendable {
  private let layout: LogLayout
  /// Column of each state.
  private let columnOf: [Int]
  private var lastMeasured: [Double] = []
  private var lastStates: [Double] = []
  private var rows = 0

  public init(_ layout: LogLayout) {
    self.layout = layout
    let columns = layout.measuredColumns
    columnOf = layout.states.map { columns.firstIndex(of: $0.column) ?? 0 }
  }

  /// States [S] from the next row of measured columns [C] (`LogLayout.measuredColumns`). Rates are zero in the
  /// first row, where nothing is known of them.
  public mutating func next(_ measured: [Double]) -> [Double] {
    let states = layout.states.enumerated().map { i, channel -> Double in
      let value = measured[columnOf[i]]
      guard case .rate = channel.source else { return value }
      guard rows > 0 else { return 0 }
      let difference = (value - lastMeasured[columnOf[i]]) / layout.timeStep
      guard rows > 1 else { return difference }
      let gain = channel.source.smoothing(timeStep: layout.timeStep)
      return lastStates[i] + gain * (difference - lastStates[i])
    }
    (lastMeasured, lastStates) = (measured, states)
    rows += 1
    return states
  }
}

extension Channel.Source {
  /// a of a rate: the part of a new difference that enters it, 1 without a filter.
  public func smoothing(timeStep: Double) -> Double {
    guard case .rate(_, let filterTime) = self, filterTime > 0 else { return 1 }
    return 1 - exp(-timeStep / filterTime)
  }
}
