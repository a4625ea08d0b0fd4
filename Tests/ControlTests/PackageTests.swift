// SPDX-License-Identifier: Apache-2.0
// Package.swift against the sources: every import of a module of BAGEL is declared, and every declared one is imported. (SwiftPM's own check
// also accepts what a dependency depends on.)

import Foundation
import TestSupport
import Testing

@Suite("the package")
struct PackageTests {
  private struct Manifest: Decodable {
    struct Dependency: Decodable {
      let byName: [String?]?
    }
    struct Target: Decodable {
      let name: String
      let type: String
      let path: String?
      let dependencies: [Dependency]
    }
    let targets: [Target]
  }

  @Test("every import is declared, and everything declared is imported")
  func imports() throws {
    let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path
    let manifest = try JSONDecoder().decode(
      Manifest.self,
      from: Data(
        output([
          "swift", "package", "--package-path", checkout, "--scratch-path", Scratch.folder(),
          "dump-package",
        ]).utf8))
    let names = Set(manifest.targets.map(\.name))
    #expect(names.count > 30)
    for target in manifest.targets where ["regular", "executable"].contains(target.type) {
      let folder = checkout + "/" + (target.path ?? "Sources/\(target.name)")
      let files = try #require(FileManager.default.enumerator(atPath: folder))
      var imported: Set<String> = []
      for case let file as String in files where file.hasSuffix(".swift") {
        let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
        imported.formUnion(
          text.matches(of: /(?m)^import (\w+)/).map { String($0.output.1) }.filter(names.contains))
      }
      let declared = Set(target.dependencies.compactMap { $0.byName?.first ?? nil })
      if imported.isEmpty { continue }  // C
      #expect(imported.subtracting(declared) == [], "\(target.name) imports what it does not name")
      let inGroup: Set = ["Bagel", "BagelCommand", "CallsFromC", "TestSupport"]
      // These four have the group `belowBagel`.
      guard !inGroup.contains(target.name) else { continue }
      #expect(declared.subtracting(imported) == [], "\(target.name) names what it does not import")
    }
  }
}
