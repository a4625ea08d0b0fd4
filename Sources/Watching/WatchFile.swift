// SPDX-License-Identifier: Apache-2.0
// A watch's limits <-> a safetensors file beside the model that they belong to.

import Faults
import MachineLogs
import SafeText
import TensorFiles

extension WatchCalibration {
  static var fileFormat: String { "bagel-watch-1" }

  /// Writes the limits. Throws: `TensorFileError`, which names a number that is not finite or out of its range.
  package func write(to path: String) throws(TensorFileError) {
    var stored = StoredWatch(self)
    let metadata = try stored.structure.metadata(format: Self.fileFormat, path: path)
    try TensorTable.write(to: path, metadata: metadata) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
  }

  /// Reads limits.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - layout: of the machine that is watched.
  /// - Throws: `TensorFileError`, also where they are of other channels.
  package init(path: String, for layout: LogLayout) throws(TensorFileError) {
    let file = try TensorFile(path: path)
    try file.checkFormat(Self.fileFormat, path: path, remedy: .fit)
    var stored = StoredWatch(try WatchStructure(file, path: path))
    try TensorTable.read(file, path: path) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
    self = stored.calibration
    guard
      stored.structure.columns == layout.measuredColumns,
      stored.structure.states == layout.states.map(\.name),
      stored.structure.actions == layout.actions.count
    else {
      throw TensorFileError(
        path: path,
        "belongs to a machine with the states \(shortened(stored.structure.states.joined(separator: ", "))) and \(stored.structure.actions) actions",
        remedy: .fit)
    }
  }
}

/// A watch without its numbers.
private struct WatchStructure: FileStructure {
  var model: String
  var columns: [String]
  var states: [String]
  var actions: Int
  /// Rows of the whitening; nil where innovations are not judged.
  var order: Int?

  var problem: String? {
    if model.count != 16 || !model.allSatisfy(\.isHexDigit) {
      return "'\(shortened(model))' is no fingerprint of a model"
    }
    guard (1...mostChannels).contains(actions), (0...1_000).contains(order ?? 0) else {
      return "it has \(actions) actions and looks \(order ?? 0) rows back"
    }
    return namesProblem(states, ["command"]) ?? namesProblem(columns, ["command"])
  }
}

private struct StoredWatch {
  let structure: WatchStructure
  private var repeats: [Double] = []
  private var deviations: [Double] = []
  private var changeDeviations: [Double] = []
  /// [S, memories]
  private var excitationWeights: [Double] = []
  /// [S, p (S + A)]; none where p is 0.
  private var whitening: [Double] = []
  private var whitenedDeviations: [Double] = []
  private var slacks: [Double] = []
  /// [S, departures]
  private var limits: [Double] = []

  init(_ structure: WatchStructure) { self.structure = structure }

  init(_ calibration: WatchCalibration) {
    let innovations = calibration.innovations
    structure = WatchStructure(
      model: calibration.model, columns: calibration.columns, states: calibration.states,
      actions: calibration.actions, order: innovations?.whitening.order)
    repeats = calibration.longestRepeats.map(Double.init)
    guard let innovations else { return }
    (deviations, changeDeviations) = (innovations.deviations, innovations.changeDeviations)
    excitationWeights = innovations.excitation.flatMap(\.weights)
    whitening = innovations.whitening.coefficients.flatMap { $0 }
    (whitenedDeviations, slacks) = (innovations.whitenedDeviations, innovations.slacks)
    limits = innovations.limits.flatMap { $0 }
  }

  mutating func rows(_ table: inout TensorTable) throws(TensorFileError) {
    try table.row(
      "longest_repeats", &repeats, [.count(structure.columns.count)], .within(0...1e9))
    guard let order = structure.order else { return }
    let states = TensorTable.Size.count(structure.states.count)
    let actions = TensorTable.Size.count(structure.actions)
    try table.row("deviations", &deviations, [states], .positive)
    try table.row("change_deviations", &changeDeviations, [actions], .positive)
    try table.row(
      "excitation_weights", &excitationWeights, [states, .count(CommandActivity.memories.count)],
      .within(0...1e9))
    if order > 0 {
      try table.row(
        "whitening", &whitening,
        [states, .count(order * (structure.states.count + structure.actions))], .parameters)
    }
    try table.row("whitened_deviations", &whitenedDeviations, [states], .positive)
    try table.row("slacks", &slacks, [states], .within(0...1e9))
    try table.row("limits", &limits, [states, .count(Departure.allCases.count)], .positive)
  }

  var calibration: WatchCalibration {
    func rows(_ values: [Double]) -> [[Double]] {
      let width = values.count / structure.states.count
      return structure.states.indices.map { Array(values[width * $0..<width * ($0 + 1)]) }
    }
    let innovations = structure.order.map { order in
      InnovationLimits(
        deviations: deviations, changeDeviations: changeDeviations,
        whitening: Whitening(
          order: order, states: structure.states.count, actions: structure.actions,
          coefficients: rows(whitening)),
        excitation: rows(excitationWeights).map { Excitation(weights: $0) },
        whitenedDeviations: whitenedDeviations, slacks: slacks, limits: rows(limits))
    }
    return WatchCalibration(
      model: structure.model, columns: structure.columns, states: structure.states,
      actions: structure.actions, longestRepeats: repeats.map { Int($0) }, innovations: innovations)
  }
}
