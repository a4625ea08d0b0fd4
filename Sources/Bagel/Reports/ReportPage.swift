// SPDX-License-Identifier: Apache-2.0
// A report as data: sections of sentences, tables and pictures, each with whose numbers they are. In: what `Report` gathers. Out: the
// file report.json beside report.html, from which `bagel report` draws the page again, and HTML (ReportHTML.swift). Texts are stored unchanged:
// they are escaped only when HTML is made of them.

import Foundation
import MachineLogs
import SafeText
import TensorFiles

/// The contents of a report.
package struct ReportPage: Codable, Hashable, Sendable {
  static var format: String { "bagel-report-1" }

  private(set) var format = ReportPage.format
  package var title: String
  package var sections: [Section]

  package struct Section: Codable, Hashable, Sendable {
    /// In the order of a page.
    package enum Kind: String, Codable, Sendable, CaseIterable {
      case loop, evaluation, policy, model
    }
    package var kind: Kind
    package var origin: ReportOrigin
    package var blocks: [Block]
  }

  package enum Mood: String, Codable, Sendable { case plain, good, bad, soft }

  package enum Block: Codable, Hashable, Sendable {
    case heading(String, level: Int)
    /// A sentence, behind words that stand out.
    case words(String, lead: String = "", mood: Mood = .plain)
    case list([String])
    case table(head: [String], rows: [[Cell]])
    case picture(Plot)
    /// Small pictures beside each other, with a caption each, and the key of all.
    case panels([Panel], title: String, key: [KeyEntry])
  }

  package struct Cell: Codable, Hashable, Sendable, ExpressibleByStringInterpolation {
    package var text: String
    package var isBold = false

    package init(_ text: String, isBold: Bool = false) { (self.text, self.isBold) = (text, isBold) }
    package init(stringLiteral text: String) { self.init(text) }
  }

  package struct Panel: Codable, Hashable, Sendable {
    package var plot: Plot
    package var caption: String
    package var mood: Mood
  }

  package struct KeyEntry: Codable, Hashable, Sendable {
    package var name: String
    package var color: String
  }
}

extension ReportPage.Block {
  package var plots: [Plot] {
    switch self {
    case .picture(let plot): [plot]
    case .panels(let panels, _, _): panels.map(\.plot)
    case .heading, .words, .list, .table: []
    }
  }
}

extension ReportPage {
  /// The file beside a page.
  package static func dataPath(of page: String) -> String {
    (page.hasSuffix(".html") ? String(page.dropLast(5)) : page) + ".json"
  }

  /// Throws: `OutputError`.
  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try writing(path) {
      try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
    }
  }

  /// Bytes of a file, at most.
  private static let largest = 1 << 29

  /// nil where there is no such file. Throws: `LogError` where it is none of BAGEL's.
  package static func read(_ path: String) throws -> ReportPage? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= largest,
      let data = FileManager.default.contents(atPath: path),
      jsonProblem(Array(data)) == nil, let page = try? decoder.decode(Self.self, from: data),
      page.format == format
    else {
      throw LogError(file: path, "is not a report of BAGEL, or is damaged")
    }
    if let problem = page.problem { throw LogError(file: path, "is damaged: \(problem)") }
    return page
  }

  /// Why no command can have written it, in words, or nil.
  private var problem: String? {
    let blocks = sections.flatMap(\.blocks)
    for plot in blocks.flatMap(\.plots) {
      if let problem = plot.problem { return problem }
    }
    for case .panels(_, _, let key) in blocks {
      if let entry = key.first(where: { !Plot.isColor($0.color) }) {
        return "'\(shortened(entry.color))' is no colour"
      }
    }
    for case .heading(_, let level) in blocks where !(2...3).contains(level) {
      return "a heading has the level \(level)"
    }
    return nil
  }
}
