// SPDX-License-Identifier: Apache-2.0
// Logs compared with each other -> differences that suggest other units, and the part of a held-out log outside the range of
// the training logs. In words; nothing here is refused, since a machine may well have rested in one log and run in another.

import SafeText

extension LogLayout {
  /// Spreads and magnitudes that differ by this factor are those of other units, 57 (degrees and radians) upwards. A machine
  /// at rest has a small spread, but seldom at 0.
  private static let unitFactor = 50.0
  /// Part of held-out rows outside the training data that is worth a word.
  private static let outsidePart = 0.1
  /// Channels that are named one by one.
  private static let mostSentences = 3

  /// Training logs of which a channel spreads far more than in another.
  package func differences(between episodes: [Episode]) -> [String] {
    let files = Dictionary(grouping: episodes.indices) { episodes[$0].reading?.file ?? "" }
      .sorted { $0.value[0] < $1.value[0] }
    guard files.count > 1 else { return [] }
    return few(
      comparedChannels.compactMap { name, value in
        let sizes = files.map { file, indices in
          (file: file, size: Size(indices.flatMap { e in values(episodes[e], value) }))
        }.filter { $0.size.spread > 0 }
        guard let most = sizes.max(by: { $0.size.spread < $1.size.spread }),
          let least = sizes.min(by: { $0.size.spread < $1.size.spread }),
          most.size.isOther(than: least.size, by: Self.unitFactor)
        else { return nil }
        return
          "'\(shortened(name))' spreads \(format(most.size.spread / least.size.spread)) times as much in "
          + "\(shortened(most.file)) (deviation \(format(most.size.spread))) as in \(shortened(least.file)) "
          + "(\(format(least.size.spread))): other units, or a machine at rest?"
      })
  }

  /// Channels of held-out episodes that differ from those that were learnt from.
  package func differences(of heldOut: [Episode], from training: [Episode]) -> [String] {
    few(
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
        let (size, knownSize) = (Size(new), Size(known))
        let isOther = size.isOther(than: knownSize, by: Self.unitFactor)
        guard part > Self.outsidePart || isOther else { return nil }
        return
          "held out: '\(shortened(name))' goes from \(format(newLow)) to \(format(newHigh)), but the training logs from \(format(low)) "
          + "to \(format(high))"
          + (part > Self.outsidePart
            ? "; \(Int((100 * part).rounded())) % of its rows lie outside, where the model extrapolates"
            : "")
          + (isOther
            ? "; it spreads \(format(size.spread / knownSize.spread)) times as much: other units?"
            : "")
      })
  }

  /// The first sentences, and how many more there are.
  private func few(_ sentences: [String]) -> [String] {
    let rest = sentences.count - Self.mostSentences
    guard rest > 0 else { return sentences }
    return sentences.prefix(Self.mostSentences)
      + ["\(counted(rest, "other channel")) \(rest == 1 ? "differs" : "differ") in the same way"]
  }

  /// Name and value of the channels that are columns.
  private var comparedChannels: [(String, (Episode, Int) -> Double)] {
    states.indices.filter { states[$0].source == .column && states[$0].turn == nil }
      .map { i in (states[i].name, { $0.states[$1][i] }) }
      + exogenous.enumerated().map { j, channel in (channel.name, { $0.exogenous(at: $1)[j] }) }
  }

  private func values(_ episode: Episode, _ value: (Episode, Int) -> Double) -> [Double] {
    (0..<episode.count).map { value(episode, $0) }
  }
}

/// How large the values of a channel are.
private struct Size {
  /// Standard deviation; 0 where it is rounding.
  let spread: Double
  /// Root mean square.
  let magnitude: Double

  init(_ values: [Double]) {
    let count = Double(max(values.count, 1))
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    let deviation = variance.squareRoot()
    spread = deviation > LogLayout.constantSpread * abs(mean) ? deviation : 0
    magnitude = (variance + mean * mean).squareRoot()
  }

  func isOther(than other: Size, by factor: Double) -> Bool {
    guard spread > 0, other.spread > 0 else { return false }
    let ratios = [spread / other.spread, magnitude / other.magnitude]
    return ratios.allSatisfy { $0 > factor } || ratios.allSatisfy { $0 < 1 / factor }
  }
}
