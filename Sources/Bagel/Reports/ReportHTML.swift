// SPDX-License-Identifier: Apache-2.0
// A report's data -> HTML. Texts of a report become HTML here, their titles in PageHTML.swift: each is escaped once.

import Foundation
import SafeText

extension ReportPage {
  /// Writes the page; returns why a picture is missing, or nil. Throws: `OutputError`.
  package func writeHTML(to path: String, _ store: VersionStore?) throws -> PlotFailure? {
    let (text, failure) = html(store)
    try writing(path) { try text.write(toFile: path, atomically: true, encoding: .utf8) }
    return failure
  }

  /// The page, and why a picture is missing, or nil.
  ///
  /// - Parameter store: of the output folder; nil where there is none, and versions have no numbers.
  package func html(_ store: VersionStore?) -> (text: String, failure: PlotFailure?) {
    var failure: PlotFailure?
    let facts = ReportFacts(self, store)
    let order = Section.Kind.allCases
    let ordered = order.flatMap { kind in sections.filter { $0.kind == kind } }
    let body =
      ([facts.table] + facts.remarks).map { $0.html(&failure) }
      + ordered.flatMap { section in
        (section.blocks.prefix(1) + facts.remarks(on: section) + section.blocks.dropFirst())
          .map { $0.html(&failure) }
      } + facts.versions.map { $0.html(&failure) }
    return (htmlPage(title: title, body), failure)
  }
}

extension ReportPage.Block {
  fileprivate func html(_ failure: inout PlotFailure?) -> String {
    switch self {
    case .heading(let text, let level): return "<h\(level)>\(escapedForHTML(text))</h\(level)>"
    case .words(let text, let lead, let mood):
      let bold = lead.isEmpty ? "" : "<b>\(escapedForHTML(lead))</b> "
      return "<p\(mood.attribute)>\(bold)\(escapedForHTML(text))</p>"
    case .list(let lines):
      return "<ul>" + lines.map { "<li>\(escapedForHTML($0))</li>" }.joined() + "</ul>"
    case .table(let head, let rows): return Self.table(head, rows)
    case .picture(let plot): return plot.figure(failure: &failure)
    case .panels(let panels, let title, let key):
      let entries = key.map {
        "<span><b style=\"background:\(escapedForHTML($0.color))\"></b>\(escapedForHTML($0.name))</span>"
      }
      let figures = panels.map { panel in
        panel.plot.figure(
          caption: panel.caption.isEmpty
            ? ""
            : "<figcaption\(panel.mood.attribute)>\(escapedForHTML(panel.caption))</figcaption>",
          failure: &failure)
      }
      return
        "<p class=\"key\"><strong>\(escapedForHTML(title))</strong> \(entries.joined())</p>\n<div class=\"panels\">"
        + figures.joined(separator: "\n") + "</div>"
    }
  }

  /// Without a head it is one of names and words.
  private static func table(_ head: [String], _ rows: [[ReportPage.Cell]]) -> String {
    let lines = rows.map { row in
      "<tr>"
        + row.map {
          let text = escapedForHTML($0.text)
          return "<td>\($0.isBold ? "<b>\(text)</b>" : text)</td>"
        }.joined() + "</tr>"
    }
    let top = head.map { "<th>\(escapedForHTML($0))</th>" }.joined()
    return "<table\(head.isEmpty ? " class=\"facts\"" : "")>"
      + ((head.isEmpty ? [] : ["<tr>\(top)</tr>"]) + lines).joined(separator: "\n") + "</table>"
  }
}

extension ReportPage.Mood {
  fileprivate var attribute: String { self == .plain ? "" : " class=\"\(rawValue)\"" }
}
