// SPDX-License-Identifier: Apache-2.0
// What disturbs a particle: a logged stretch, from a row that is drawn for it, each as likely; a disturbance that is constant over
// an episode is that of the row all the time. A stretch that ends before the rollout goes back the way it came.
//
//   rows  [.. mirrored | logged stretch | mirrored .. | .. mirrored | the next | ..]   one table of all stretches
//   carry: the number of the particle's row in it, one more at every step; no derivative goes through it

import Draws
import GaussianProcesses
import LinearAlgebra
import Programs

/// The disturbances in a step: what they carry and read.
struct DisturbanceReplay: Sendable {
  /// Values of the shared arrays that it reads.
  let data: [String: [Double]]

  /// Numbers in the table's rows of the disturbances that vary and of those that are constant over an episode.
  private let varying: [Int]
  private let constant: [Int]
  /// Number of a row in the table; nil where none varies.
  private let place: CarrySlot?
  /// Values of the constant ones; nil where none is.
  private let held: CarrySlot?
  /// Logged rows [W], and the number of each in the table.
  private let rows: [[Double]]
  private let places: [Int]

  /// Rows of the table, at most: places are exact in single precision far beyond.
  private static let mostRows = 1 << 20

  private static let table = "disturbances"
  private static let geometry = "disturbance_rows"
  private static let mean = "disturbance_mean"
  private static let scale = "disturbance_scale"

  /// nil for a machine that nothing disturbs.
  ///
  /// - Parameters:
  ///   - model: that has logged disturbances.
  ///   - horizon: steps of the longest rollout.
  ///   - slots: where it declares what particles carry.
  init?(_ model: DynamicsModel, horizon: Int, _ slots: inout StepSlots) {
    let kinds = model.layout.disturbances
    guard !kinds.isEmpty else { return nil }
    varying = kinds.indices.filter { !kinds[$0].isConstant }
    constant = kinds.indices.filter { kinds[$0].isConstant }
    place =
      varying.isEmpty ? nil : slots.carry("row of the disturbances", length: 1, start: .drawn)
    held =
      constant.isEmpty
      ? nil : slots.carry("constant disturbances", length: constant.count, start: .drawn)
    // Interpolation wants a row beside the last one that is read.
    let (before, after) = (model.form.longestLag + 1, horizon + 1)
    let logged = model.loggedDisturbances
    let all = logged.stretches
    let padded = logged.rows.count + all.count * (before + after)
    let kept = evenlySpreadRows(
      count: all.count, wanted: max(1, all.count * Self.mostRows / max(padded, Self.mostRows)))
    var (rows, table): ([[Double]], [[Double]]) = ([], [])
    var places: [Int] = []
    for stretch in kept.map({ all[$0] }) {
      let first = table.count + before
      places += stretch.indices.map { first + $0 - stretch.lowerBound }
      rows += logged.rows[stretch]
      table += (-before..<stretch.count + after).map {
        logged.rows[stretch.lowerBound + mirrored($0, stretch.count)]
      }
    }
    (self.rows, self.places) = (rows, places)
    let columns = varying.map { w in table.map { $0[w] } }
    let standardiser = model.loggedDisturbances.standardiser
    var data = [Self.mean: standardiser.mean, Self.scale: standardiser.scale]
    if !columns.isEmpty {
      data[Self.table] = Interpolation.sideBySide(columns)
      data[Self.geometry] = [0, 1, Double(table.count)]
    }
    self.data = data
  }

  /// Disturbances [W] as a policy sees them.
  static func standardised(_ disturbances: Value) -> Value {
    let (builder, count) = (disturbances.builder, disturbances.length)
    return (disturbances - builder.shared(mean, length: count))
      / builder.shared(scale, length: count)
  }

  /// What a particle carries before its first step.
  func first(_ key: DrawKey, particle: Int) -> [CarrySlot: [Double]] {
    let u = key.uniforms(particle: particle, step: ReservedStep.disturbances.rawValue, count: 1)[0]
    let row = min(Int(u * Double(rows.count)), rows.count - 1)
    var drawn: [CarrySlot: [Double]] = [:]
    if let place { drawn[place] = [Double(places[row])] }
    if let held { drawn[held] = constant.map { rows[row][$0] } }
    return drawn
  }

  /// Goes on by a step.
  func advance(_ carry: Value, next: inout [CarrySlot: Value]) {
    if let place { next[place] = carry[place] + 1 }
    if let held { next[held] = carry[held] }
  }

  /// Disturbances so many rows ago, physical [W].
  func value(_ carry: Value, ago lag: Int) -> Value {
    let moved = place.map { place in
      carry.builder.apply(
        .interpolation(
          Interpolation(
            table: Self.table, geometry: Self.geometry, dimensions: 1, outputs: varying.count)),
        detach(carry[place]) - Double(lag))
    }
    let parts = (0..<varying.count + constant.count).compactMap { w -> Value? in
      if let k = varying.firstIndex(of: w) { return moved?[k] }
      return constant.firstIndex(of: w).flatMap { k in held.map { carry[$0][k] } }
    }
    return carry.builder.concatenate(parts).named("disturbances")
  }
}

/// The row of a stretch of so many at which one is that walks on and turns back at its ends.
private func mirrored(_ row: Int, _ count: Int) -> Int {
  guard count > 1 else { return 0 }
  let period = 2 * (count - 1)
  let place = ((row % period) + period) % period
  return min(place, period - place)
}
