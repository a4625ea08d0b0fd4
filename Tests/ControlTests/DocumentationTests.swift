// SPDX-License-Identifier: Apache-2.0
// What readers find: the reference of commands is what `--help` says, and every link of README and Documentation leads somewhere.

import Foundation
import TestSupport
import Testing

@Suite("documentation")
struct DocumentationTests {
  private static let checkout =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test("the reference of commands is what the command says (Scripts/commands-reference.sh)")
  func commands() throws {
    let folder = Self.checkout.path
    let made = try run(
      "/bin/sh", [folder + "/Scripts/commands-reference.sh", bagelBinary],
      environment: ["COLUMNS": "80"])
    #expect(made.status == 0, "\(made.errors)")
    let kept = try String(contentsOfFile: folder + "/Documentation/Commands.md", encoding: .utf8)
    let differing = zip(made.output.split(separator: "\n"), kept.split(separator: "\n"))
      .first { $0 != $1 }
    #expect(
      made.output == kept,
      "Scripts/commands-reference.sh > Documentation/Commands.md; first difference: \(String(describing: differing))"
    )
  }

  @Test("links lead to files, and to headings where they name one")
  func links() throws {
    let folder = Self.checkout.appendingPathComponent("Documentation")
    let articles = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".md") }.map { folder.appendingPathComponent($0) }
    let pages =
      articles
      + ["README.md", "CONTRIBUTING.md", "Python/README.md"].map {
        Self.checkout.appendingPathComponent($0)
      }
    var count = 0
    for page in pages {
      let text = try String(contentsOf: page, encoding: .utf8)
      for match in text.matches(of: #/\]\(([^)\s]+)\)/#) {
        let link = String(match.output.1)
        if link.contains("://") { continue }
        count += 1
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let target =
          parts[0].isEmpty
          ? page : page.deletingLastPathComponent().appendingPathComponent(String(parts[0]))
        #expect(
          FileManager.default.fileExists(atPath: target.path), "\(page.lastPathComponent): \(link)")
        guard parts.count == 2, target.pathExtension == "md" else { continue }
        let headings = try String(contentsOf: target, encoding: .utf8).split(separator: "\n")
          .filter { $0.hasPrefix("#") }.map(Self.anchor)
        #expect(headings.contains(String(parts[1])), "\(page.lastPathComponent): \(link)")
      }
    }
    #expect(count > 50)
  }

  /// "## Which model of a log" -> "which-model-of-a-log"
  private static func anchor(_ heading: Substring) -> String {
    heading.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
      .filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" }.replacing(" ", with: "-")
  }
}
