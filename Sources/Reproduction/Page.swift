// SPDX-License-Identifier: Apache-2.0
// A self-contained page: sections of text, tables and pictures inside it.

import Bagel
import Foundation

/// Colours that the colour-blind tell apart (Okabe & Ito 2008), dark enough for paper.
enum Palette {
  static let colors = [
    "#000000", "#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#e69f00",
    "#888888",
  ]
}

/// One HTML page.
struct Page {
  struct Section {
    var title: String?
    var html: [String] = []
    var plot: Plot?
  }

  let title: String
  let sections: [Section]

  /// Writes NAME.html and NAME.csv to a folder, with `png` also NAME-1.png and so on; returns the page's path.
  ///
  /// Throws: Foundation's file errors.
  func write(_ name: String, csv: String, to folder: String, png: Bool) throws -> String {
    for (index, plot) in (png ? sections.compactMap(\.plot) : []).enumerated() {
      try plot.png()?.write(to: URL(fileURLWithPath: "\(folder)/\(name)-\(index + 1).png"))
    }
    try csv.write(toFile: "\(folder)/\(name).csv", atomically: true, encoding: .utf8)
    let path = "\(folder)/\(name).html"
    try html.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  var html: String {
    let body = sections.flatMap { section -> [String] in
      var lines = section.title.map { ["<h2>\(escaped($0))</h2>"] } ?? []
      lines += section.html
      if let plot = section.plot {
        lines.append(
          "<figure>\(plot.svg() ?? "<p>no picture, because gnuplot was not found.</p>")</figure>")
      }
      return lines
    }
    return """
      <!doctype html><html lang="en"><head><meta charset="utf-8">
      <title>BAGEL: \(escaped(title))</title><style>\(pageStyle)</style></head><body>
      <h1>\(escaped(title))</h1>
      \(body.joined(separator: "\n"))
      </body></html>

      """
  }
}
