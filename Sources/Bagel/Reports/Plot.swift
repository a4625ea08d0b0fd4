// SPDX-License-Identifier: Apache-2.0
// A picture as data: curves, axes, size. In: numbers, names and units. Out: what gnuplot draws (Gnuplot.swift), and what a page's script
// reads for a pointer and a zoom (PlotData.swift). A stored page holds it as JSON, which is read like any text from outside.

import Foundation
import SafeText

/// One picture.
package struct Plot: Codable, Hashable, Sendable {
  package enum Style: Codable, Hashable, Sendable {
    case lines(color: String, width: Double)
    /// `kind` tells dashes apart where colours do not: 0 is a whole line, nine others then repeat.
    case dashes(color: String, width: Double, kind: Int = 1)
    /// Filled between `y` and `upper`.
    case band(color: String)
    case boxes(color: String, width: Double)
    case dots(color: String)
    case crosses(color: String)
  }

  /// Points whose x is a number, to seven digits: a picture of a stored page has the same as the first one.
  package struct Curve: Codable, Hashable, Sendable {
    /// In the key; nil for none there.
    package let title: String?
    /// What a pointer is told; empty for the title.
    package let name: String
    package let style: Style
    package let x: [Double]
    package let y: [Double]
    package let upper: [Double]

    package init(
      title: String?, name: String = "", style: Style, x: [Double], y: [Double],
      upper: [Double] = []
    ) {
      (self.title, self.name, self.style) = (title, name, style)
      // A diverged rollout along its own path has none.
      let places = x.indices.filter { x[$0].isFinite }
      func kept(_ values: [Double]) -> [Double] {
        values.count == x.count ? places.map { rounded(values[$0]) } : values.map(rounded)
      }
      (self.x, self.y, self.upper) = (kept(x), kept(y), kept(upper))
    }
  }

  package var title: String
  package var xLabel: String
  package var yLabel: String
  /// Powers of ten along the x axis.
  package var hasLogarithmicX = false
  package var hasLogarithmicY = false
  /// Whether a unit is as long along both axes.
  package var hasEqualScales = false
  /// Of the axes; nil for what the curves need.
  package var xRange: ClosedRange<Double>?
  package var yRange: ClosedRange<Double>?
  /// Names at 0, 1, ... in place of numbers along the x axis.
  package var xNames: [String] = []
  package var curves: [Curve] = []
  /// Whether the curves' titles stand above it.
  package var hasKey = true
  /// Points of a screen.
  package var width = 760
  package var height = 400
  package var fontSize = 13

  package init(title: String, xLabel: String, yLabel: String) {
    (self.title, self.xLabel, self.yLabel) = (title, xLabel, yLabel)
  }
}

/// To seven significant digits.
private func rounded(_ value: Double) -> Double {
  guard value.isFinite, value != 0 else { return value }
  let digits = 6 - Int(log10(abs(value)).rounded(.down))
  // The nearest double of the decimal, so that it is written with as few digits.
  guard (0...22).contains(digits) else { return Double(String(format: "%.7g", value)) ?? value }
  let power = pow(10, Double(digits))
  return (value * power).rounded() / power
}

extension Plot {
  /// Most points of a picture, and most curves.
  private static let most = (points: 10_000_000, curves: 20_000)

  /// Why nobody can have drawn it, in words, or nil. Colours are the only texts that go into gnuplot's script as they are.
  var problem: String? {
    let colors = curves.map(\.style.color)
    if let color = colors.first(where: { !Self.isColor($0) }) {
      return "'\(shortened(color))' is no colour"
    }
    guard (100...4_000).contains(width), (100...4_000).contains(height),
      (4...40).contains(fontSize)
    else { return "a picture is \(width) by \(height) points" }
    if curves.contains(where: {
      if case .dashes(_, _, let kind) = $0.style { kind < 0 } else { false }
    }) {
      return "a kind of dashes is below 0"
    }
    if curves.contains(where: { !($0.style.width > 0 && $0.style.width < 1e9) }) {
      return "a line has no width"
    }
    guard curves.count <= Self.most.curves,
      curves.reduce(0, { $0 + $1.x.count }) <= Self.most.points
    else { return "a picture has \(curves.count) curves" }
    let isWhole = curves.allSatisfy {
      $0.x.count == $0.y.count && ($0.upper.isEmpty || $0.upper.count == $0.y.count)
        && $0.x.allSatisfy(\.isFinite)
    }
    return isWhole ? nil : "a curve has fewer values than times"
  }

  /// "#rrggbb", or "#aarrggbb" as gnuplot has it, where 00 hides all behind it.
  static func isColor(_ text: String) -> Bool {
    text.first == "#" && [7, 9].contains(text.utf8.count)
      && text.utf8.dropFirst().allSatisfy {
        (48...57).contains($0) || (65...70).contains($0) || (97...102).contains($0)
      }
  }
}

extension Plot.Style {
  /// Points of the screen; of boxes a length along the x axis.
  var width: Double {
    switch self {
    case .lines(_, let width), .dashes(_, let width, _), .boxes(_, let width): width
    case .band, .dots: 1
    case .crosses: 2
    }
  }

  var color: String {
    switch self {
    case .lines(let color, _), .dashes(let color, _, _), .band(let color), .boxes(let color, _),
      .dots(let color), .crosses(let color):
      color
    }
  }
}
