// SPDX-License-Identifier: Apache-2.0
// What all figures have in common: they run until they are complete or told to end, and then have numbers, a page and a CSV.

import Bagel
import Foundation

/// A figure of the paper, measured again.
package protocol ReproducedFigure {
  /// Of its files.
  var name: String { get }
  /// Measures.
  ///
  /// - Parameter tell: gets the fraction done and the current work, between two steps (up to some ten seconds apart); false ends then.
  /// - Throws: what learning, searching and driving throw where nothing can go on.
  mutating func run(_ tell: @escaping Progress) throws
  /// Whether everything was measured, or says why not.
  var isComplete: Bool { get }
  /// For --json.
  var json: [String: Any] { get }
  /// nil where nothing was measured yet.
  var page: Page? { get }
  /// Columns' units stand in their names.
  var csv: String { get }
}

/// (fraction done 0 ... 1, what is being done) -> whether to go on.
package typealias Progress = (Double, String) -> Bool

extension ReproducedFigure {
  /// Writes NAME.html and NAME.csv to a folder, with `png` also each picture as NAME-1.png and so on. What an earlier run wrote
  /// there is moved to NAME.old-1 and so on.
  ///
  /// - Parameters:
  ///   - folder: which must be there.
  ///   - png: pictures as files too.
  ///   - isQuick: the page says that it is to be judged by nobody.
  /// - Throws: Foundation's file errors; `ReproductionError` where gnuplot draws no PNG.
  /// - Returns: the page's path; nil where nothing was measured.
  package func write(to folder: String, png: Bool = false, isQuick: Bool = false) throws -> String?
  {
    guard let page else { return nil }
    try moveEarlierAway(in: folder)
    let path = "\(folder)/\(name).html"
    var notices: [String] = []
    if !isComplete { notices.append("Interrupted: not everything was measured.") }
    if isQuick {
      notices.append(
        "A quick run: little data and short budgets. This is a smoke test; its figures are not meaningful."
      )
    }
    try page.html(notices: notices).write(toFile: path, atomically: true, encoding: .utf8)
    try csv.write(toFile: "\(folder)/\(name).csv", atomically: true, encoding: .utf8)
    for (index, data) in (png ? try page.pictures() : []).enumerated() {
      try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)-\(index + 1).png"))
    }
    return path
  }

  private func moveEarlierAway(in folder: String) throws {
    let files = FileManager.default
    let earlier = try files.contentsOfDirectory(atPath: folder).filter { file in
      file == "\(name).html" || file == "\(name).csv"
        || file.hasPrefix("\(name)-") && file.hasSuffix(".png")
    }
    if earlier.isEmpty { return }
    let aside = firstFreePath { "\(folder)/\(name).old-\($0)" }
    try files.createDirectory(atPath: aside, withIntermediateDirectories: false)
    for file in earlier {
      try files.moveItem(atPath: "\(folder)/\(file)", toPath: "\(aside)/\(file)")
    }
  }
}
