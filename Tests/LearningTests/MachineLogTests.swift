// SPDX-License-Identifier: Apache-2.0
// Logs: resampling, gaps, derived channels, standardiser, and messages that name the place.

import Bagel
import Foundation
import MachineLogs
import TestSupport
import Testing

private func layout(_ timeStep: Double, rate: Bool = false) -> LogLayout {
  let states =
    [Channel(name: "x")] + (rate ? [Channel(name: "v", source: .rate(of: "x", filterTime: 0))] : [])
  return LogLayout(states: states, actions: [Channel(name: "u")], timeStep: timeStep)
}

private func file(_ text: String) throws -> String {
  let path = Scratch.path("log.csv")
  try text.write(toFile: path, atomically: true, encoding: .utf8)
  return path
}

/// The message of the error that reading throws.
private func message(_ text: String, _ layout: LogLayout = layout(0.1)) throws -> String {
  do {
    _ = try layout.episodes(from: [try file(text)])
    return "no error"
  } catch let error as LogError {
    return "\(error)"
  }
}

private let rows = (0..<10).map { "\(0.1 * Double($0)),\($0 * $0),\($0 % 3)" }
private let good = "t,x,u\n" + rows.joined(separator: "\n") + "\n"

@Suite("machine logs")
struct MachineLogTests {
  @Test("a regular log is taken as it stands")
  func regular() throws {
    let episodes = try layout(0.1).episodes(from: [try file(good)])
    #expect(episodes.count == 1)
    #expect(episodes[0].states.map { $0[0] } == (0..<10).map { Double($0 * $0) })
    #expect(episodes[0].actions.map { $0[0] } == (0..<10).map { Double($0 % 3) })
  }

  @Test("a derived rate is the backward difference, and the row without one is dropped")
  func rate() throws {
    let episode = try layout(0.1, rate: true).episodes(from: [try file(good)])[0]
    #expect(episode.count == 9)
    for k in 0..<9 { #expect(abs(episode.states[k][1] - Double(2 * k + 1) / 0.1) < 1e-9) }
  }

  @Test("other stamps are resampled: states between samples, commands averaged over the step")
  func resampling() throws {
    let text = "t,x,u\n0,0,1\n0.3,3,2\n0.4,4,3\n0.7,7,4\n0.8,8,5\n"
    let episode = try layout(0.2).episodes(from: [try file(text)])[0]
    #expect(zip(episode.states, [0, 2, 4, 6, 8]).allSatisfy { abs($0[0] - $1) < 1e-9 })
    #expect(zip(episode.actions, [1, 1.5, 3, 3.5, 5]).allSatisfy { abs($0[0] - $1) < 1e-9 })
  }

  @Test("a hole longer than three steps ends an episode")
  func gaps() throws {
    let text =
      good + (0..<5).map { "\(3 + 0.1 * Double($0)),\($0),\($0 % 2)\n" }.joined()
    let episodes = try layout(0.1).episodes(from: [try file(text)])
    #expect(episodes.map(\.count) == [10, 5])
    #expect(episodes[1].name.hasSuffix("(part 2)"))
  }

  @Test("blank lines are skipped and still counted; quotes and semicolons work")
  func formats() throws {
    let text = "t;x;u\n\n0;\"1\";0\n0.1;2;1\n\n0.2;bad;0\n"
    #expect(try message(text).contains(":6, column 'x': 'bad' is not a number"))
  }

  @Test("messages name file, line, column and what was expected")
  func messages() throws {
    #expect(
      try message(good.replacingOccurrences(of: "0.5,25", with: "0.5,oops")).contains(
        ":7, column 'x': 'oops' is not a number"))
    #expect(
      try message(good.replacingOccurrences(of: "0.5,25", with: "0.5,nan")).contains(
        ":7, column 'x': 'nan' marks a missing value"))
    #expect(
      try message(good.replacingOccurrences(of: "0.5,25", with: "0.5,inf")).contains(
        "not a finite number"))
    #expect(
      try message(good.replacingOccurrences(of: "0.5,25", with: "0.5,")).contains(
        "is empty; remove the row"))
    #expect(
      try message(good.replacingOccurrences(of: "\n0.5,", with: "\n0.35,")).contains(
        "time goes backward: 0.35 after 0.4"))
    #expect(
      try message(good.replacingOccurrences(of: "x", with: "angle")).contains(
        "has no column 'x'"))
    #expect(try message("t,x,u\n0,1,2\n").contains("has 1 row of data"))
    #expect(try message("").contains("is empty"))
    #expect(
      try message("t,x,u\n0,1,2\n0.1,2\n0.2,3,1\n").contains(
        ":3: the row has 2 fields, but the header has 3"))
    let still = rows.map { $0.split(separator: ",")[0] + ",5," + $0.split(separator: ",")[2] }
    #expect(
      try message("t,x,u\n" + still.joined(separator: "\n")).contains("column 'x': is constant"))
    let idle = rows.map { $0.split(separator: ",")[0] + "," + $0.split(separator: ",")[1] + ",0" }
    #expect(
      try message("t,x,u\n" + idle.joined(separator: "\n")).contains("is never excited (always 0)"))
    #expect(throws: LogError.self) { try layout(0.1).episodes(from: ["/nowhere/none.csv"]) }
  }

  @Test("the standardiser's inverse is exact to rounding")
  func standardiser() {
    let data = (0..<50).map { [Double($0), 1e6 + sin(Double($0)), 3] }
    let standardiser = Standardiser(fitting: data)
    for row in data {
      let back = standardiser.restore(standardiser.standardise(row))
      #expect(zip(back, row).allSatisfy { abs($0 - $1) <= 4 * $1.ulp })
    }
    #expect(standardiser.scale[2] == 1)
  }
}
