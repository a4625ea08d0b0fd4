// SPDX-License-Identifier: Apache-2.0
// A self-contained page: sections of text, tables and pictures inside it.

import Bagel
import Foundation
import SafeText

/// Colours that the colour-blind tell apart (Okabe & Ito 2008, their yellow darkened), dark enough for paper.
enum Palette {
  private static let colors = [
    "#000000", "#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#e69f00", "#888888",
    "#9a7d0a",
  ]
  static let black = color(0)
  static let blue = color(1)
  static let sky = color(2)
  static let vermilion = color(4)

  /// One of nine, again from the first.
  static func color(_ index: Int) -> String { colors[index % colors.count] }
}

/// One HTML page.
package struct Page {
  struct Section {
    var title: String?
    var html: [String] = []
    var plot: Plot?
  }

  let title: String
  let sections: [Section]

  /// Each picture as a PNG file's bytes. Throws: `ReproductionError` where gnuplot draws none.
  func pictures() throws -> [Data] {
    try sections.compactMap(\.plot).map { plot in
      do {
        return try plot.png()
      } catch {
        throw ReproductionError(
          "no PNG files: \(error); its terminal pngcairo is needed")
      }
    }
  }

  /// - Parameter notices: what a reader must know before anything else.
  func html(notices: [String]) -> String {
    var failure: PlotFailure?
    let body = sections.flatMap { section -> [String] in
      var lines = section.title.map { ["<h2>\(escapedForHTML($0))</h2>"] } ?? []
      lines += section.html
      if let plot = section.plot { lines.append(plot.figure(failure: &failure)) }
      return lines
    }
    return htmlPage(
      title: title, notices.map { "<p><b>\(escapedForHTML($0))</b></p>" } + body)
  }
}

/// A CSV column's name with its unit.
func column(_ name: String, _ units: String) -> String {
  units.isEmpty ? name : "\(name)_\(units.replacingOccurrences(of: "/", with: "_per_"))"
}
