// SPDX-License-Identifier: Apache-2.0
// What all figures have in common: they run until they are complete or told to end, and then have numbers, a page and a CSV.

import Foundation

/// A figure of the paper, measured again.
public protocol ReproducedFigure {
  /// Of its files.
  var name: String { get }
  /// Measures.
  ///
  /// - Parameter tell: hears the fraction done and what is being done, many times a second; false ends soon after.
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
public typealias Progress = (Double, String) -> Bool

extension ReproducedFigure {
  /// Writes NAME.html and NAME.csv to a folder, with `png` also each picture as NAME-1.png and so on.
  ///
  /// Throws: Foundation's file errors; `ReproductionError` where gnuplot draws no PNG.
  /// - Returns: the page's path; nil where nothing was measured.
  public func write(to folder: String, png: Bool = false) throws -> String? {
    guard let page else { return nil }
    try csv.write(toFile: "\(folder)/\(name).csv", atomically: true, encoding: .utf8)
    if png {
      for (index, data) in try page.pictures().enumerated() {
        try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)-\(index + 1).png"))
      }
    }
    let path = "\(folder)/\(name).html"
    try page.html(isComplete: isComplete).write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }
}
