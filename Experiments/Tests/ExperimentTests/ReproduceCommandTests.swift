// SPDX-License-Identifier: Apache-2.0
// bagel reproduce by the real binary: pages, CSV, JSON, options.

import Bagel
import Foundation
import TestSupport
import Testing

@Suite("bagel reproduce")
struct ReproduceCommandTests {
  @Test(
    "reproduce figure2 --quick: every method learns on the same model and has its row on the page")
  func figure2() throws {
    let folder = try Scratch.folder()
    let outcome = try bagel(
      ["reproduce", "figure2", "--quick", "--trials", "1", "--budget", "5", "--json"], in: folder)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let methods = try #require(outcome.json["methods"] as? [[String: Any]])
    #expect(methods.count == 9)
    let skipped = methods.filter { !($0["skipped"] is NSNull) }.map { $0["name"] as? String }
    #expect(skipped.allSatisfy { $0 == "BAGEL, GPU batch" }, "\(skipped)")
    for method in methods where method["skipped"] is NSNull {
      let name = try #require(method["name"] as? String)
      // Of at most 301; without a policy the boom stays down, and the return is below 1.
      #expect(try #require(method["lastReturn"] as? Double) > 20, "\(name)")
      #expect((method["failures"] as? [String])?.isEmpty == true, "\(name)")
      #expect(try #require(method["secondsPerIteration"] as? Double) > 0)
    }
    // Batches of the kernel are as good as any method.
    let batch = methods.first { $0["name"] as? String == "BAGEL, CPU batch" }
    let best = try #require(outcome.json["bestReturn"] as? Double)
    #expect(try #require(batch?["lastReturn"] as? Double) > 0.9 * best)

    let page = try String(contentsOfFile: folder + "/reproduce-out/figure2.html", encoding: .utf8)
    for name in methods.compactMap({ $0["name"] as? String }) { #expect(page.contains(name)) }
    #expect(page.contains("The paper reports") && page.contains("20 iterations take"))
    #expect(Report.gnuplotPath == nil || page.contains("<svg"))
    let rows = try String(
      contentsOfFile: folder + "/reproduce-out/figure2.csv", encoding: .utf8
    ).split(separator: "\n")
    #expect(rows[0] == "method,trial,time_s,return" && rows.count > 50)
  }

  @Test("reproduce refuses options that a figure has no use for")
  func optionsOfOtherFigures() throws {
    let folder = try Scratch.folder()
    for arguments in [
      ["figure5", "--log", "a.csv", "--time-step", "0.1"], ["figure3", "--trials", "2"],
      ["cart-pole", "--budget", "2"], ["figure2", "--peers", "p"],
      ["figure3", "--log", "a.csv", "--time-step", "0.1", "--rest-pseudo-data", "9"],
    ] {
      let outcome = try bagel(["reproduce"] + arguments, in: folder)
      #expect(outcome.status == 64 && outcome.errors.contains("does not apply to"), "\(arguments)")
    }
    let outcome = try bagel(["reproduce", "figure2", "--units", "rad"], in: folder)
    #expect(outcome.status == 64 && outcome.errors.contains("give --log too"))
  }

  @Test("reproduce figure5 measures each configuration in a process of its own and writes the page")
  func figure5() throws {
    let folder = try Scratch.folder()
    let outcome = try bagel(["reproduce", "figure5", "--quick", "--json"], in: folder)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let costs = try #require(outcome.json["costs"] as? [[String: Any]])
    let seconds = costs.filter { $0["on"] as? String == "BAGEL, CPU" }
      .compactMap { $0["secondsPerIteration"] as? Double }
    // Ten times the rollouts, then 42 times the parameters, are more work.
    #expect(seconds.count == 3 && seconds[0] < seconds[1] && seconds[1] < seconds[2])
    let page = try String(contentsOfFile: folder + "/reproduce-out/figure5.html", encoding: .utf8)
    #expect(page.contains("Tesla V100") && page.contains("times as long"))
  }
}
