// SPDX-License-Identifier: Apache-2.0
// Logs beside each other -> where they differ as if one were in other units, and how much of a held-out log lies outside what
// was learnt from. In words; nothing here is refused, since a machine may well have rested in one log and run in another.

extension LogLayout {
  /// Spreads that differ by this factor: 25 (inches and millimetres) is the smallest usual one between two units.
  private static let unitFactor = 20.0
  /// Part of held-out rows outside the training data that is worth a word.
  private static let outsidePart = 0.1

  /// Training logs of which a channel spreads far more than in another.
  public func differences(between episodes: [Episode]) -> [String] {
    let files = Dictionary(grouping: episodes.indices) { episodes[$0].reading?.file ?? "" }
      .sorted { $0.value[0] < $1.value[0] }
    guard files.count > 1 else { return [] }
    return comparedChannels.compactMap { name, value in
      let spreads = files.map { file, indices in
        (file: file, spread: spread(indices.flatMap { e in values(episodes[e], value) }))
      }.filter { $0.spread > 0 }
      guard let most = spreads.max(by: { $0.spread < $1.spread }),
        let least = spreads.min(by: { $0.spread < $1.spread }),
        most.spread > Self.unitFactor * least.spread
      else { return nil }
      return "'\(shortened(name))' spreads \(format(most.spread / least.spread)) times as much in "
        + "\(shortened(most.file)) (deviation \(format(most.spread))) as in \(shortened(least.file)) "
        + "(\(format(least.spread))): other units, or a machine at rest?"
    }
  }

  /// Channels of held-out episodes that differ from those that were learnt from.
  public func differences(of heldOut: [Episode], from training: [Episode]) -> [String] {
    comparedChannels.compactMap { name, value in
      let (known, new) = (
        training.flatMap { values($0, value) }, heldOut.flatMap { values($0, value) }
      )
      guard let low = known.min(), let high = known.max(), let newLow = new.min(),
        let newHigh = new.max()
      else { return nil }
      let margin = 0.1 * (high - low)
      let outside = new.count { $0 < low - margin || $0 > high + margin }
      let part = Double(outside) / Double(new.count)
      let ratio = spread(new) / max(spread(known), .leastNormalMagnitude)
      let isOther = ratio > Self.unitFactor || ratio > 0 && ratio < 1 / Self.unitFactor
      guard part > Self.outsidePart || isOther else { return nil }
      return "held out: '\(shortened(name))' goes from \(format(newLow)) to \(format(newHigh)), learnt from \(format(low)) to "
        + "\(format(high))"
        + (part > Self.outsidePart
          ? "; \(Int((100 * part).rounded())) % of its rows lie outside, where the model guesses" : "")
        + (isOther ? "; it spreads \(format(ratio)) times as much: other units?" : "")
    }
  }

  /// Name and value of the channels that are columns.
  private var comparedChannels: [(String, (Episode, Int) -> Double)] {
    states.indices.filter { states[$0].source == .column && states[$0].turn == nil }
      .map { i in (states[i].name, { $0.states[$1][i] }) }
      + actions.indices.map { j in (actions[j].name, { $0.actions[$1][j] }) }
  }

  private func values(_ episode: Episode, _ value: (Episode, Int) -> Double) -> [Double] {
    (0..<episode.count).map { value(episode, $0) }
  }

  private func spread(_ values: [Double]) -> Double {
    let mean = values.reduce(0, +) / Double(max(values.count, 1))
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(values.count, 1))
    // Rounding is no spread.
    return variance.squareRoot() > Self.constantSpread * abs(mean) ? variance.squareRoot() : 0
  }
}
