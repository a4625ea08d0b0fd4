// SPDX-License-Identifier: Apache-2.0
// What no machine can have measured is refused, what is odd is said, and what is ordinary passes: marks for missing values,
// faults of sensors, other units, angles that wrap, rates by numbers in place of names.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import TestSupport
import Testing

/// A motion with noise, x' = v, under commands that are held, as columns.
private struct Motion {
  var t: [Double] = []
  var x: [Double] = []
  var v: [Double] = []
  var u: [Double] = []

  init(rows: Int = 400, timeStep: Double = 0.05, seed: UInt64 = 3) {
    let key = DrawKey(seed: seed)
    var (position, rate, command) = (0.0, 0.0, 0.0)
    for k in 0..<rows {
      let z = key.normals(particle: 0, step: k, count: 2)
      if k % 15 == 0 { command = max(-1, min(1, z[0])) }
      t.append(timeStep * Double(k))
      x.append(position + 1e-4 * z[1])
      v.append(rate)
      u.append(command)
      for _ in 0..<10 {
        rate += 0.1 * timeStep * (4 * command - 2 * rate - 3 * position)
        position += 0.1 * timeStep * rate
      }
    }
  }

  func file(_ name: String = "log.csv") throws -> String {
    let path = Scratch.path(name)
    let rows = t.indices.map { "\(t[$0]),\(x[$0]),\(v[$0]),\(u[$0])\n" }
    try ("t,x,v,u\n" + rows.joined()).write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }
}

private func layout(turn: Double? = nil, units: String = "", rate: Bool = false) -> LogLayout {
  var x = Channel(name: "x", units: units)
  x.turn = turn
  let states = [x] + (rate ? [Channel(name: "r", source: .rate(of: "x", filterTime: 0))] : [])
  return LogLayout(states: states, actions: [Channel(name: "u")], timeStep: 0.05)
}

private func problem(_ motion: Motion, _ layout: LogLayout = layout()) throws -> String? {
  do {
    _ = try layout.episodes(from: [try motion.file()])
    return nil
  } catch let error as LogError {
    return "\(error)"
  }
}

private func notes(_ motion: Motion) throws -> [String] {
  try layout().episodes(from: [try motion.file()]).flatMap(\.notes)
}

@Suite("checks of logs")
struct LogCheckTests {
  @Test(
    "marks for missing values are refused with line, value and how many",
    arguments: [-9999.0, 9999, 1e30, 65535])
  func marks(mark: Double) throws {
    var motion = Motion()
    for row in [100, 200, 201, 390] { motion.x[row] = mark }
    let text = try #require(try problem(motion))
    #expect(text.contains(":102, column 'x'") && text.contains("in 4 rows"), "\(text)")
    var command = Motion()
    command.u[77] = mark
    #expect(try problem(command)?.contains(":79, column 'u'") == true)
  }

  @Test("a mark in a column that stands still is refused, another number there is not")
  func still() throws {
    var motion = Motion()
    motion.u = motion.u.map { _ in 0.3 }
    motion.u[77] = -999
    #expect(try problem(motion)?.contains(":79, column 'u'") == true)
    #expect(try problem(motion)?.contains("all others are 0.3") == true)
    motion.u[77] = 0.5
    #expect(try problem(motion) == nil)
  }

  @Test("both kinds of mark in one column are found")
  func bothSides() throws {
    var motion = Motion()
    (motion.x[50], motion.x[60]) = (9999, -9999)
    #expect(try problem(motion)?.contains("and others like it, in 2 rows") == true)
  }

  @Test("a spike within reach is said and not refused")
  func spike() throws {
    var motion = Motion()
    motion.x[100] += 2
    #expect(
      try notes(motion).contains {
        $0.contains(":102, column 'x'': jumps") || $0.contains(":102, column 'x': jumps by")
      })
  }

  @Test("ordinary data pass in silence: relays, pulses, rests, a clean motion")
  func silence() throws {
    #expect(try problem(Motion()) == nil && notes(Motion()).isEmpty)
    var relay = Motion()
    relay.u = relay.u.map { $0 > 0.3 ? 1 : $0 < -0.3 ? -1 : 0 }
    #expect(try problem(relay) == nil && notes(relay).isEmpty)
    var pulses = Motion()
    pulses.u = pulses.u.indices.map { $0 % 100 == 0 ? 5 : 0.01 * Double($0 % 3) }
    #expect(try problem(pulses) == nil)
    // At rest for nine tenths, then a quick move.
    var rest = Motion()
    rest.x = rest.x.indices.map { $0 < 360 ? 0 : 0.2 * Double($0 - 360) + 1e-3 * Double($0 % 2) }
    #expect(try problem(rest) == nil && notes(rest).isEmpty)
  }

  @Test("noise of rounding is as good as constant")
  func rounding() throws {
    var motion = Motion()
    motion.x = motion.x.indices.map { 0.25 + 1e-11 * Double($0 % 7) }
    #expect(try problem(motion)?.contains("column 'x': is constant") == true)
    // 50 Pa of motion on 12 MPa are motion.
    motion.x = Motion().x.map { 12_000_000 + 50 * $0 }
    #expect(try problem(motion) == nil)
  }

  @Test("an angle that wraps is refused unless it is called one; then it is the unwrapped one")
  func angles() throws {
    for (units, turn) in [("rad", 2 * Double.pi), ("deg", 360.0)] {
      var spinning = Motion(rows: 600)
      spinning.x = spinning.t.map { turn * (0.31 * $0 + 0.05 * sin(3 * $0)) }
      var wrapped = spinning
      wrapped.x = spinning.x.map { $0 - turn * ($0 / turn).rounded(.down) }
      let text = try #require(try problem(wrapped))
      #expect(
        text.contains("jumps by a full turn") && text.contains("declare 'x' as an angle"),
        "\(text)")
      let angle = layout(turn: turn, units: units, rate: true)
      let (a, b) = (
        try angle.episodes(from: [try wrapped.file()])[0],
        try layout(rate: true).episodes(from: [try spinning.file()])[0]
      )
      for (p, q) in zip(a.states, b.states) {
        #expect(abs(p[0] - q[0]) < 1e-9 * turn && abs(p[1] - q[1]) < 1e-6 * turn)
      }
      // Of another unit than the column's.
      let other = try #require(
        try problem(wrapped, layout(turn: turn == 360 ? 2 * .pi : 360, units: "other")))
      #expect(other.contains("and units: \(units)"), "\(other)")
    }
    #expect(fullTurn(units: "deg") == 360 && fullTurn(units: "m") == nil)
    #expect(abs(shorterWay(350, turn: 360) + 10) < 1e-12 && shorterWay(350, turn: nil) == 350)
  }

  @Test("a lost sample does not double the next rate")
  func lostSample() {
    let layout = LogLayout(
      states: [Channel(name: "x"), Channel(name: "v", source: .rate(of: "x", filterTime: 0))],
      actions: [Channel(name: "u")], timeStep: 0.1)
    var signals = CausalSignals(layout)
    _ = signals.next([0])
    #expect(abs(signals.next([0.1], elapsed: 0.1)[1] - 1) < 1e-12)
    #expect(abs(signals.next([0.3], elapsed: 0.2)[1] - 1) < 1e-12)
    #expect(abs(signals.next([0.4], elapsed: nil)[1] - 1) < 1e-12)
  }

  @Test("rates are known by their numbers, whatever they are called")
  func rates() throws {
    let columns = LogLayout(
      states: [Channel(name: "x"), Channel(name: "v")], actions: [Channel(name: "u")],
      timeStep: 0.05)
    let file = try LogFile(path: try Motion().file(), layout: columns)
    #expect(MeasuredRates(among: ["x", "v"], in: [file]).rateOf == ["x": "v"])
    // The command is no rate, nor is a level's name.
    #expect(MeasuredRates(among: ["x", "u"], in: [file]).rateOf.isEmpty)
    #expect(MeasuredRates(among: ["v"], in: [file]).rateOf.isEmpty)
    // In other units.
    var degrees = Motion()
    degrees.x = degrees.x.map { $0 * 180 / .pi }
    let other = try LogFile(path: try degrees.file(), layout: columns)
    #expect(MeasuredRates(among: ["x", "v"], in: [other]).rateOf == ["x": "v"])
  }

  @Test("logs in other units are named, with the factor")
  func units() throws {
    let layout = layout()
    var millimetres = Motion(seed: 9)
    millimetres.x = millimetres.x.map { 1_000 * $0 }
    let (metres, other) = (
      try layout.episodes(from: [try Motion().file("m.csv")]),
      try layout.episodes(from: [try millimetres.file("mm.csv")])
    )
    let between = layout.differences(between: metres + other)
    #expect(between.count == 1 && between[0].contains("'x' spreads"), "\(between)")
    let held = layout.differences(of: other, from: metres)
    #expect(
      held.contains { $0.contains("'x' goes from") && $0.contains("other units?") }, "\(held)")
    #expect(layout.differences(between: metres + metres).isEmpty)
    #expect(layout.differences(of: metres, from: metres).isEmpty)
  }

  @Test("a log with the rows of another one is named, whatever its file is called")
  func copies() throws {
    let layout = layout()
    let first = try layout.episodes(from: [try Motion().file("m.csv")])
    let copy = try layout.episodes(from: [try Motion().file("n.csv")])
    let other = try layout.episodes(from: [try Motion(seed: 9).file("o.csv")])
    #expect(layout.copies(among: first + other).isEmpty)
    let said = layout.copies(among: first + other + copy)
    #expect(said.count == 1 && said[0].contains("has the same rows as \(first[0].name)"), "\(said)")
    #expect(copy[0].original(among: first) != nil && other[0].original(among: first) == nil)
  }

  @Test("what was done to the rows is known: resampled, filled in")
  func reading() throws {
    var motion = Motion()
    let kept = motion.t.indices.filter { $0 != 100 && $0 != 200 }
    motion.t = kept.map { motion.t[$0] }
    motion.x = kept.map { motion.x[$0] }
    motion.v = kept.map { motion.v[$0] }
    motion.u = kept.map { motion.u[$0] }
    let reading = try #require(try layout().episodes(from: [try motion.file()])[0].reading)
    #expect(reading.rows == 398 && reading.isResampled && reading.filled == 2)
    let plain = try #require(try layout().episodes(from: [try Motion().file()])[0].reading)
    #expect(!plain.isResampled && plain.filled == 0)
  }
}

@Suite("what a log cannot tell")
struct DataFindingTests {
  private func findings(_ episode: Episode, states: Int, actions: Int) -> DataFindings {
    DataFindings(
      [episode],
      layout: LogLayout(
        states: (0..<states).map { Channel(name: "x\($0)") },
        actions: (0..<actions).map { Channel(name: "u\($0)") }, timeStep: 0.1),
      form: ModelForm(states: states, actions: actions))
  }

  /// x' = 0.9 x + 0.5 u, u `late` rows ago.
  private func late(_ late: Int) -> Episode {
    let key = DrawKey(seed: 4)
    let commands = (0..<600).map { key.normals(particle: 0, step: $0 / 3, count: 1)[0] }
    var states = [[0.0]]
    for k in 0..<599 {
      states.append([0.9 * states[k][0] + 0.5 * (k >= late ? commands[k - late] : 0)])
    }
    return Episode(name: "late", timeStep: 0.1, states: states, actions: commands.map { [$0] })
  }

  @Test("a command that acts late is named with its rows", arguments: [0, 1, 3, 7])
  func dead(rows: Int) {
    let advice = findings(late(rows), states: 1, actions: 1).advice.filter { $0.contains("delay") }
    #expect(
      rows == 0
        ? advice.isEmpty : advice.first?.contains("'u0' by about \(counted(rows, "row")) ") == true,
      "\(advice)")
  }

  @Test("channels that go together and commands that follow from states are named")
  func together() {
    var twice = late(0)
    twice.actions = twice.actions.map { [$0[0], 2 * $0[0]] }
    #expect(
      findings(twice, states: 1, actions: 2).warnings.contains {
        $0.contains("'u0' and 'u1' move together")
      })
    var loop = late(0)
    loop.actions = loop.states.map { [-0.8 * $0[0]] }
    #expect(
      findings(loop, states: 1, actions: 1).warnings.contains {
        $0.contains("'u0' follows from the states")
      })
    #expect(findings(late(0), states: 1, actions: 1).warnings.isEmpty)
  }

  @Test("least squares of least norm: units do not matter, twins share, rows outside are predicted")
  func leastNorm() {
    let key = DrawKey(seed: 2)
    let rows = (0..<200).map { k -> [Double] in
      let z = key.normals(particle: 0, step: k, count: 2)
      return [z[0], z[0], z[1], 3 * z[0] - 2 * z[1] + 0.5]
    }
    let moments = SecondMoments(Matrix(rows))
    let b = moments.regression(of: [3], on: [0, 1, 2])[0]
    #expect(zip(b, [0.5, 1.5, 1.5, -2]).allSatisfy { abs($0 - $1) < 1e-9 }, "\(b)")
    #expect(moments.meanSquaredError(b, of: 3, on: [0, 1, 2]) < 1e-12)
    let part = SecondMoments(Matrix(Array(rows[..<50])))
    #expect((moments - part).meanSquaredError(b, of: 3, on: [0, 1, 2]) < 1e-12)
  }
}
