// SPDX-License-Identifier: Apache-2.0
// What other packages see of BAGEL: a list that is committed, and README's program, compiled and run as a package of its own.

import Foundation
import TestSupport
import Testing

@Suite("what other packages see")
struct PublicInterfaceTests {
  private static let checkout =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  private static let build = URL(fileURLWithPath: bagelBinary).deletingLastPathComponent().path

  /// For compilers that read the modules of this build.
  private func moduleFlags() throws -> [String] {
    try output(["sh", Self.checkout + "/Scripts/module-flags.sh", Self.build])
      .split(separator: "\n").map(String.init)
  }

  /// A program of the Swift toolchain.
  private func tool(_ name: String) throws -> String {
    let swift = try output(["sh", "-c", "readlink -f \"$(command -v swift)\""])
    return URL(fileURLWithPath: swift.trimmingCharacters(in: .newlines))
      .deletingLastPathComponent().appendingPathComponent(name).path
  }

  private struct SymbolGraph: Decodable {
    struct Symbol: Decodable {
      struct Fragment: Decodable { let spelling: String }
      let pathComponents: [String]
      let declarationFragments: [Fragment]
    }
    let symbols: [Symbol]
  }

  @Test("public is what Tests/ControlTests/PublicInterface.txt lists")
  func list() throws {
    let folder = try Scratch.folder()
    let sources = try FileManager.default.contentsOfDirectory(atPath: Self.checkout + "/Sources")
    let target = try JSONSerialization.jsonObject(
      with: Data(output(["swiftc", "-print-target-info"]).utf8))
    let triple = try #require(
      ((target as? [String: Any])?["target"] as? [String: Any])?["unversionedTriple"] as? String)
    let extract = try tool("swift-symbolgraph-extract")
    var found: [String] = []
    for module in sources.sorted() where module != "BagelMain" {
      guard
        FileManager.default.fileExists(atPath: Self.build + "/Modules/\(module).swiftmodule")
      else { continue }
      _ = try output(
        [
          extract, "-module-name", module, "-minimum-access-level", "public",
          "-skip-synthesized-members", "-output-dir", folder, "-target", triple,
        ] + moduleFlags())
      for file in try FileManager.default.contentsOfDirectory(atPath: folder)
      where file == "\(module).symbols.json" || file.hasPrefix("\(module)@") {
        let graph = try JSONDecoder().decode(
          SymbolGraph.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/" + file)))
        found += graph.symbols.map { symbol in
          let words = symbol.declarationFragments.map(\.spelling).joined()
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
          return "\(module): \(symbol.pathComponents.joined(separator: "."))    \(words)"
        }
      }
    }
    let text = found.sorted().joined(separator: "\n") + "\n"
    let kept = Self.checkout + "/Tests/ControlTests/PublicInterface.txt"
    let written = try Scratch.kept("PublicInterface.txt")
    try text.write(toFile: written, atomically: true, encoding: .utf8)
    #expect(
      text == (try? String(contentsOfFile: kept, encoding: .utf8)),
      "if the change is meant: cp \(written) \(kept)")
    #expect(found.count <= 80, "\(found.count) public symbols")
  }

  /// Blocks of a language in a page.
  private func blocks(_ language: String, of page: String) throws -> [String] {
    let text = try String(contentsOfFile: Self.checkout + "/" + page, encoding: .utf8)
    return text.components(separatedBy: "```\(language)\n").dropFirst().map {
      $0.components(separatedBy: "```")[0]
    }
  }

  @Test("README's program compiles as another package, and finds a controller")
  func program() throws {
    let folder = try Scratch.folder()
    let task = try #require(blocks("yaml", of: "Documentation/Swift.md").first)
    try task.write(toFile: folder + "/cart.yaml", atomically: true, encoding: .utf8)
    let program = try #require(blocks("swift", of: "README.md").first)
    // The article's lines go on from README's.
    let more = try blocks("swift", of: "Documentation/Swift.md").dropFirst().joined()
    try (program + more + "print(command)\n").write(
      toFile: folder + "/main.swift", atomically: true, encoding: .utf8)
    let compiled = try run(
      "/usr/bin/env",
      ["swiftc", "-O", "main.swift", "-o", "cart", "-module-name", "cart", "-package-name", "cart"]
        + moduleFlags() + [Self.build + "/libBagelForC.a", "-lopenblas", "-llbfgs", "-lz"],
      in: folder)
    try #require(compiled.status == 0, "\(compiled.errors)")
    let said = try run(folder + "/cart", [], in: folder)
    #expect(said.status == 0, "\(said.errors.prefix(1_000))")
    #expect(said.output.contains("4 of 4 episodes succeed"), "\(said.output)")
    #expect(FileManager.default.fileExists(atPath: folder + "/policy.safetensors"))
  }
}
