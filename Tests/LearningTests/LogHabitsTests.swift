// SPDX-License-Identifier: Apache-2.0
// How people's tools write the same table: each gives the numbers of the plain file and says what was understood, or is refused
// where it could mean two things.

import Bagel
import Foundation
import MachineLogs
import TestSupport
import Testing

private let layout = LogLayout(
  states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 0.1)

/// t, x, u of one row, in plain decimals.
private func values(_ row: Int) -> [String] {
  [
    String(format: "%.1f", 0.1 * Double(row)),
    String(format: "%.5f", Foundation.sin(0.3 * Double(row))), "\(row % 3).5",
  ]
}

private func commas(_ text: String) -> String { text.replacingOccurrences(of: ".", with: ",") }

/// The table with a head, a separator, and each cell as `cell` writes it.
private func table(
  _ head: String = "t,x,u", _ separator: String = ",", rows: Int = 40,
  _ cell: (Int, Int) -> String = { values($0)[$1] }
) -> String {
  let lines = (0..<rows).map { row in (0..<3).map { cell(row, $0) }.joined(separator: separator) }
  return ([head] + lines).joined(separator: "\n") + "\n"
}

/// Stamps of another kind in place of seconds.
private func stamped(_ head: String = "t,x,u", _ stamp: (Double) -> String) -> String {
  table(head) { row, column in column == 0 ? stamp(0.1 * Double(row)) : values(row)[column] }
}

/// A time of day, seconds after 10:59:58.
private func clock(_ seconds: Double, _ mark: String = ".") -> String {
  let tenths = Int((seconds * 10).rounded()) + 10 * (10 * 3_600 + 59 * 60 + 58)
  return String(
    format: "%02d:%02d:%02d\(mark)%d", tenths / 36_000, tenths / 600 % 60, tenths / 10 % 60,
    tenths % 10)
}

private func write(_ bytes: Data) throws -> String {
  let path = Scratch.path("log.csv")
  try bytes.write(to: URL(fileURLWithPath: path))
  return path
}

private func read(_ text: String, _ layout: LogLayout = layout) throws -> Episode {
  try layout.episodes(from: [try write(Data(text.utf8))])[0]
}

private func refusal(_ text: String, _ layout: LogLayout = layout) throws -> String {
  do {
    _ = try read(text, layout)
    return "read"
  } catch let error as LogError {
    return "\(error)"
  }
}

@Suite("logs as people have them")
struct LogHabitsTests {
  /// Text, and a word of what is said of it.
  static let dialects: [(String, String)] = [
    (table("t;x;u", ";") { commas(values($0)[$1]) }, "semicolons; decimal commas"),
    (table("t\tx\tu", "\t") { commas(values($0)[$1]) }, "tabs; decimal commas"),
    (table { "\"\(commas(values($0)[$1]))\"" }, "decimal commas"),
    ("sep=;\n" + table("t;x;u", ";"), "'sep=;' of Excel"),
    ("\"sep=;\"\n" + table("t;x;u", ";") { commas(values($0)[$1]) }, "'sep=;' of Excel"),
    (table("t|x|u", "|"), "bars"),
    ("# logger 4, serial \"17\n# by hand\n" + table(), "2 comment lines above"),
    (table("# t,x,u"), "names in a comment line"),
    (
      table("#,t,x,u") { row, column in
        column == 0 ? "\(row + 1),\(values(row)[0])" : values(row)[column]
      }, ""
    ),
    (table("seconds,x,u"), ""),
    (
      table("Time,T_d,x,u") { row, column in
        column == 0 ? "\(values(row)[0]),20" : values(row)[column]
      }, ""
    ),
    (
      table("#\tt\tx\tu", "\t") { values($0)[$1] }, "names in a comment line"
    ),
    (
      table { row, column in
        column == 0 && row == 20 ? "#,restarted,\n" + values(row)[0] : values(row)[column]
      }, "1 comment line among"
    ),
    (table("%time,x,u"), "names in a comment line"),
    ("Messung 12\nStation;4\n\n" + table("t;x;u", ";"), "2 lines above"),
    (table("t,x,u\ns,m,V"), "units below"), (table("t,x,u\n[s],,"), "units below"),
    (table("t,x,u\ns,m,1"), "units below"),
    (table("Time [s],x,u"), ""), (table("Zeit,x,u"), ""),
    (stamped("Time [min],x,u") { "\($0 / 60)" }, "in min"),
    (stamped("t,x,u\nh,m,V") { "\($0 / 3_600)" }, "in h"),
    (
      table("time,t,x,u") { row, column in
        column == 0 ? "\(20 + row / 3),\(values(row)[0])" : values(row)[column]
      }, "'t' is the time, not 'time'"
    ),
    (stamped("t_ms,x,u") { "\(Int(($0 * 1_000).rounded()))" }, "in ms"),
    (stamped { "\(Int(($0 * 1_000).rounded()))" }, "in ms, by its spacing"),
    (stamped("t,x,u\nus,m,V") { "\(Int(($0 * 1e6).rounded()))" }, "in us"),
    (stamped { "\(1_764_525_600_000 + Int(($0 * 1_000).rounded()))" }, "in ms, by its spacing"),
    (stamped { "\(1_764_525_600_000_000_000 + Int(($0 * 1e9).rounded()))" }, "in ns"),
    // Nanoseconds since a computer was started, 28 minutes ago: no epoch in milliseconds.
    (stamped { "\(1_700_000_000_000 + Int(($0 * 1e9).rounded()))" }, "in ns"),
    // 30 November 2026 of Excel and of MATLAB; 10:15:58 and on as digits.
    (stamped { "\(46_356.25 + $0 / 86_400)" }, "in d, by its spacing"),
    (stamped { "\(740_315.25 + $0 / 86_400)" }, "in d, by its spacing"),
    (stamped("t [days],x,u") { "\($0 / 86_400)" }, "in d"),
    (
      stamped { "\($0 < 1.95 ? 101_558 + $0 : 101_598 + $0)" },
      "digits of hours, minutes and seconds"
    ),
    (stamped { "\($0 < 1.95 ? 235_958 + $0 : $0 - 2)" }, "digits of hours, minutes and seconds"),
    (table { "\u{A0}" + values($0)[$1] + " \u{A0}" }, ""),
    (stamped { "2026-11-30 " + clock($0) }, "dates"),
    (stamped { "2026-11-30T" + clock($0) + "Z" }, "dates"),
    (stamped { "2026-11-30T" + clock($0) + "+02:00" }, "dates"),
    (stamped { "\"30.11.2026 " + clock($0, ",") + "\"" }, "dates"),
    (stamped { "11/30/2026 " + clock($0) + " AM" }, "dates"),
    (stamped { "04/05/2026 " + clock($0) }, "dates"),
    (stamped { "30-Nov-2026 " + clock($0) }, "dates"), (stamped { clock($0) }, "times of day"),
    (
      table("date,time,x,u") { row, column in
        column == 0 ? "2026-11-30," + clock(0.1 * Double(row)) : values(row)[column]
      }, "two columns"
    ),
    (
      table { row, column in
        column == 0 && row == 20 ? "# restarted\n" + values(row)[0] : values(row)[column]
      }, "1 comment line among"
    ),
  ]

  @Test("give the numbers of the plain file", arguments: dialects)
  func equal(text: String, said: String) throws {
    let (plain, found) = (try read(table()), try read(text))
    #expect(found.states == plain.states && found.actions == plain.actions)
    let words = found.reading?.habits.joined(separator: "; ") ?? ""
    #expect(said.isEmpty || words.contains(said), "\(words)")
    #expect(plain.reading?.habits == [])
  }

  @Test("in other encodings, packed or not")
  func encodings() throws {
    let plain = try read(table())
    let text = table("t,Winkel \u{B0},u")
    let degrees = LogLayout(
      states: [Channel(name: "Winkel \u{B0}")], actions: [Channel(name: "u")], timeStep: 0.1)
    let wide = { (isBig: Bool) -> Data in
      Data(
        text.utf16.flatMap { unit -> [UInt8] in
          let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
          return isBig ? [high, low] : [low, high]
        })
    }
    let written: [(Data, String)] = [
      (Data(text.unicodeScalars.map { UInt8($0.value) }), "Windows-1252"),
      (Data([0xFF, 0xFE]) + wide(false), "UTF-16"), (Data([0xFE, 0xFF]) + wide(true), "UTF-16"),
      (Data([0xEF, 0xBB, 0xBF]) + Data(text.utf8), ""),
    ]
    for (bytes, said) in written {
      let plainPath = try write(bytes)
      let packedPath = Scratch.path("log.csv.gz")
      let packed = try output("gzip", "-c", plainPath)
      try packed.write(to: URL(fileURLWithPath: packedPath))
      for (path, word) in [(plainPath, said), (packedPath, "gzip")] {
        let episode = try degrees.episodes(from: [path])[0]
        #expect(episode.states == plain.states && episode.actions == plain.actions)
        let words = episode.reading?.habits.joined(separator: "; ") ?? ""
        #expect([said, word].allSatisfy { $0.isEmpty || words.contains($0) }, "\(words)")
      }
      // Two packed files one after another are one text; half of one is none.
      try (packed + packed.prefix(packed.count / 2)).write(to: URL(fileURLWithPath: packedPath))
      #expect(throws: LogError.self) { try degrees.episodes(from: [packedPath]) }
    }
  }

  @Test("a clock that is put forward, put back, or passes midnight makes no hole")
  func clocks() throws {
    /// Rows of a tenth of a second from a time of day on, the clock then changed by so many hours.
    func around(_ hour: Int, _ date: String, changed hours: Int) -> String {
      table { row, column in
        guard column == 0 else { return values(row)[column] }
        let tenths = 36_000 * hour - 20 + row + (row < 20 ? 0 : 36_000 * hours)
        return date
          + String(
            format: "%02d:%02d:%02d.%d", tenths / 36_000 % 24, tenths / 600 % 60, tenths / 10 % 60,
            tenths % 10)
      }
    }
    let plain = try read(table())
    for text in [
      around(2, "2026-03-29 ", changed: 1), around(3, "2026-10-25 ", changed: -1),
      around(24, "", changed: 0),
    ] {
      let found = try read(text)
      #expect(found.states == plain.states)
    }
    // On a Monday an hour without rows is an hour without rows.
    let path = try write(Data(around(2, "2026-03-30 ", changed: 1).utf8))
    #expect(try layout.episodes(from: [path]).count == 2)
  }

  @Test("stamps of words are seconds: zones, noon, the order of slashed dates, rows an hour apart")
  func stamps() throws {
    var hours = layout
    hours.timeStep = 3_600
    func times(_ stamps: [String], _ layout: LogLayout) throws -> [Double] {
      let rows = stamps.enumerated().map { "\($1),\(Foundation.sin(Double($0))),\($0 % 3)" }
      let text = "t,x,u\n" + rows.joined(separator: "\n") + "\n"
      return try layout.episodes(from: [try write(Data(text.utf8))]).flatMap(\.times)
    }
    let hourly = (0..<6).map { 3_600 * Double($0) }
    // A clock east of Greenwich is ahead of it.
    #expect(
      try times(
        [
          "2026-11-30T10:00:00+02:00", "2026-11-30T09:00:00Z", "2026-11-30T08:00:00-02:00",
          "2026-11-30T16:30:00+0530", "2026-11-30 12:00:00 UTC", "2026-11-30T13:00:00Z",
        ], hours) == hourly)
    #expect(
      try times(
        ["10", "11", "12", "01", "02", "03"].enumerated().map {
          "11/30/2026 \($1):00 \($0 < 2 ? "AM" : "PM")"
        }, hours) == hourly)
    // The last of March, then the first of April: the first one tells the order.
    #expect(
      try times(
        (0..<6).map {
          String(format: "0%d/%02d/2026 %02d:00", $0 < 3 ? 3 : 4, $0 < 3 ? 31 : 1, (21 + $0) % 24)
        }, hours)
        == hourly)
    // In the night when clocks change, an hour between rows is an hour.
    #expect(try times((0..<6).map { "2026-03-29 0\($0):00:00" }, hours) == hourly)
    hours.timeStep = 1_800
    #expect(
      try times((0..<12).map { "2026-03-29 0\($0 / 2):\($0 % 2 * 3)0:00" }, hours)
        == (0..<12).map { 1_800 * Double($0) })
    // Dates are seconds, however coarse; nothing makes them milliseconds.
    var fine = layout
    fine.timeStep = 0.5
    #expect(throws: LogError.self) {
      try times((0..<30).map { "2026-11-30 10:\(10 + $0):00" }, fine)
    }
    // A date beside a stamp that has its own is another date.
    let text = stamped("date,timestamp,x,u") { "2020-01-01,2026-11-30 " + clock($0) }
    #expect(try read(text).states == read(table()).states)
    let capital = table("Date;Time;x;u", ";") { row, column in
      column == 0 ? "2026-11-30;" + clock(0.1 * Double(row)) : values(row)[column]
    }
    #expect(try read(capital).states == read(table()).states)
  }

  @Test("long texts in UTF-16 are read to their end, packed or not")
  func longWide() throws {
    let text =
      "t,x,u\n" + (0..<120_000).map { "\(Double($0) / 10),\($0 % 977),\($0 % 3)\n" }.joined()
    let wide =
      Data([0xFF, 0xFE]) + Data(text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
    let path = try write(wide)
    let packed = Scratch.path("wide.csv.gz")
    try output("gzip", "-c", path).write(to: URL(fileURLWithPath: packed))
    for file in [path, packed] {
      #expect(try LogFile(path: file, layout: layout).times.count == 120_000)
    }
  }

  @Test("units and stamps in a row of units, and what BAGEL writes, are read as they are meant")
  func roundTrip() throws {
    let text = stamped("t,x,u\n[ms],,") { "\(Int(($0 * 1_000).rounded()))" }
    #expect(try read(text).states == read(table()).states)
    var milliseconds = layout
    milliseconds.timeColumn = "Time [ms]"
    let path = Scratch.path("written.csv")
    let writer = try LogWriter(path: path, layout: milliseconds)
    let plain = try read(table())
    for row in plain.states.indices {
      try writer.append(
        time: 0.1 * Double(row), measured: plain.states[row], exogenous: plain.actions[row],
        reward: nil)
    }
    writer.close()
    #expect(try milliseconds.episodes(from: [path])[0].states == plain.states)
  }

  @Test("a command that changes in a row that is left out stands from then on")
  func dropWithHold() throws {
    let text = table { row, column in
      column == 1 && row == 20
        ? "NaN" : column == 2 ? (row % 20 == 0 ? "\(row)" : "") : values(row)[column]
    }
    var both = layout
    (both.states[0].missing, both.actions[0].missing) = (.drop, .hold)
    let found = try read(text, both)
    #expect(abs(found.actions[30][0] - 20) < 1e-9)
  }

  @Test("a hole in commands that come regularly is a hole; one that is told when it changes stands")
  func holesOfCommands() throws {
    var holding = layout
    holding.actions[0].missing = .hold
    let regular = table(rows: 120) { row, column in
      column == 2 && (50..<90).contains(row) ? "" : values(row)[column]
    }
    let path = try write(Data(regular.utf8))
    let found = try holding.episodes(from: [path])
    #expect(found.count == 2 && found[0].count == 53)
    #expect(found[0].reading?.habits.contains { $0.contains("37 rows left out") } == true)
    let told = table(rows: 120) { row, column in
      column == 2 ? ([0, 3, 5, 50, 90].contains(row) ? "\(row)" : "") : values(row)[column]
    }
    let stands = try read(told, holding)
    #expect(stands.count == 120 && abs(stands.actions[89][0] - 50) < 1e-9)
  }

  @Test("words of refusals name the cause")
  func words() throws {
    #expect(
      try refusal(table { $1 == 0 ? "#\($0)" : values($0)[$1] })
        .contains("each begins with a comment mark"))
    #expect(
      try refusal(stamped { "2026-6-25T9h\($0)" }).contains("is a time in an unknown format"))
    #expect(
      try refusal(table { $0 == 5 && $1 == 0 ? "NaN" : values($0)[$1] })
        .contains(":7, column 't': a row needs a time"))
    var dropping = layout
    (dropping.states[0].missing, dropping.actions[0].missing) = (.drop, .drop)
    #expect(
      try refusal(
        table { row, column in column == 1 + row % 2 ? "" : values(row)[column] }, dropping
      )
      .contains("hold the last value"))
    for mark in ["#NV", "NaT", "<NA>", "\\N", "-nan(ind)", "No Data"] {
      let text = table { $0 == 5 && $1 == 1 ? mark : values($0)[$1] }
      #expect(try refusal(text).contains("'\(mark)' marks a missing value"))
      #expect(try refusal(text, dropping) == "read")
    }
  }

  @Test("a proposal knows days of a spreadsheet too, of which nobody said the time step")
  func surveyed() throws {
    let text = stamped { "\(46_356.25 + $0 / 86_400)" }
    let found = try LogSurvey(
      of: LogSource(try write(Data(text.utf8))),
      hints: LogLayout(states: [], actions: [], timeStep: 0))
    #expect(abs(LogFile.spacing(of: found.times) - 0.1) < 1e-5)
    #expect(found.habits.joined().contains("in d, by its spacing"))
    // Rows 10 s apart too.
    let coarse = stamped { "\(46_356.25 + 100 * $0 / 86_400)" }
    let slow = try LogSurvey(
      of: LogSource(try write(Data(coarse.utf8))),
      hints: LogLayout(states: [], actions: [], timeStep: 0))
    #expect(abs(LogFile.spacing(of: slow.times) - 10) < 1e-4)
    let seconds = try LogSurvey(
      of: LogSource(try write(Data(table().utf8))),
      hints: LogLayout(states: [], actions: [], timeStep: 0))
    #expect(abs(LogFile.spacing(of: seconds.times) - 0.1) < 1e-12)
  }

  @Test("what could mean two things is refused")
  func ambiguous() throws {
    #expect(
      try refusal(table { $0 == 7 && $1 == 1 ? "\u{2212}0.5" : values($0)[$1] })
        .contains("has a typographic minus sign (U+2212)"))
    #expect(
      try refusal(
        table { row, column in
          row == 20 && column == 0 ? "t,x,u\n" + values(row)[0] : values(row)[column]
        }
      ).contains(":22: the column names are repeated here"))
    #expect(
      try refusal(table("t;x;u", ";") { row, column in column == 1 ? "\(row + 1),250" : "\(row)" })
        .contains("is the comma a decimal mark or a separator of thousands?"))
    #expect(
      try refusal(
        table("t;x;u", ";") { row, column in
          column == 1 ? row % 2 == 0 ? "2.\(300 + 10 * row)" : "992" : "\(row)"
        }
      ).contains(
        ":2, column 'x': '2.300': is the point a decimal mark or a separator of thousands?")
    )
    #expect(
      try refusal(
        table("t;x;u", ";") { row, column in
          row == 7 && column == 1 ? "1.5" : commas(values(row)[column])
        }
      ).contains(":9, column 'x': '1.5' has a decimal point, but others have commas"))
    #expect(
      try refusal(
        table("t;x;u", ";") { row, column in
          row == 7 && column == 1 ? "1,5" : values(row)[column]
        }
      ).contains(":9, column 'x': '1,5' has a decimal comma, but others have points"))
    #expect(
      try refusal(
        stamped {
          $0 < 2 ? "04/05/2026 23:59:5" + "\(Int($0 * 5) % 10).0" : "05/05/2026 00:00:00.0"
        }
      )
      .contains("may be two dates, because the month is not clear"))
    #expect(
      try refusal(table { $0 == 9 && $1 == 1 ? "2026-11-30" : values($0)[$1] })
        .contains("'2026-11-30' is a date or a time of day"))
    // Two seconds a row are too many for a time step of 0.1 s, two milliseconds oddly few.
    #expect(
      try refusal(stamped { "\(Int(($0 * 20).rounded()))" }).contains(
        "give the unit of the time stamps"))
    #expect(try refusal("0;1;2\n" + table("3;4;5", ";")).contains("the first line is numbers"))
  }

  @Test("names that the user gives stand for the file's")
  func header() throws {
    let plain = try read(table())
    for text in [table("a,b,c,d,e"), String(table("").dropFirst())] {
      var source = LogSource(try write(Data(text.utf8)))
      source.header = ["t", "x", "u"]
      #expect(try layout.episodes(from: [source])[0].states == plain.states)
      source.header = ["t", "x", "u", "v"]
      #expect(throws: LogError.self) { try layout.episodes(from: [source]) }
    }
  }

  @Test("units are converted when a log is read and when one is written")
  func units() throws {
    var angles = layout
    angles.states[0] = Channel(name: "angle", units: "rad", columnName: "angle [deg]")
    let text = table("t,angle [deg],u")
    // The file's own word against the task's is told.
    #expect(
      try read(text, angles).notes.contains { $0.contains("is in deg in the file, but in rad") })
    angles.states[0].loggedUnits = "deg"
    let episode = try read(text, angles)
    let plain = try read(table())
    #expect(episode.notes.isEmpty)
    for (row, degrees) in zip(episode.states, plain.states) {
      let radians: Double = degrees[0] * .pi / 180
      #expect(abs(row[0] - radians) < 1e-15)
    }
    let path = Scratch.path("written.csv")
    let writer = try LogWriter(path: path, layout: angles)
    for row in episode.states.indices {
      try writer.append(
        time: 0.1 * Double(row), measured: episode.states[row], exogenous: episode.actions[row],
        reward: nil)
    }
    writer.close()
    let again = try angles.episodes(from: [path])[0]
    for (a, b) in zip(again.states, episode.states) { #expect(abs(a[0] - b[0]) < 1e-15) }
    let known: [(String, String, Double, Double)] = [
      ("bar", "Pa", 1e5, 0), ("mm/s", "m/s", 1e-3, 0), ("degC", "K", 1, 273.15),
      ("km/h", "m/s", 1 / 3.6, 0), ("rpm", "rad/s", 2 * Double.pi / 60, 0), ("kNm", "N*m", 1e3, 0),
      ("mm^2", "m²", 1e-6, 0), ("l/min", "m^3/s", 1e-3 / 60, 0),
    ]
    for (from, to, factor, offset) in known {
      let conversion = try #require(UnitConversion(from: from, to: to), "\(from) to \(to)")
      let ratio: Double = conversion.factor / factor
      #expect(abs(ratio - 1) < 1e-14)
      #expect(conversion.offset == offset)
      let back: Double = conversion.inverse(conversion(3.7))
      #expect(abs(back - 3.7) < 1e-12)
    }
    #expect(UnitConversion(from: "bar", to: "m") == nil)
    #expect(UnitConversion(from: "furlong", to: "m") == nil)
  }

  @Test("rows without a value are left out, or a channel has a clock of its own")
  func missing() throws {
    let holes = table { row, column in
      column == 1 && (10..<12).contains(row) ? "NaN" : values(row)[column]
    }
    #expect(try refusal(holes).contains(":12, column 'x': 'NaN' marks a missing value"))
    var dropping = layout
    dropping.states[0].missing = .drop
    let episode = try read(holes, dropping)
    let plain = try read(table())
    // Two rows of a hole are interpolated between their neighbours.
    #expect(episode.count == plain.count && episode.reading?.filled == 2)
    for row in [9, 12] { #expect(abs(episode.states[row][0] - plain.states[row][0]) < 1e-9) }
    #expect(episode.reading?.habits == ["2 rows with missing values left out (missing: drop)"])
    // The command comes every fourth row: it stands until the next.
    let sparse = table { row, column in
      column == 2 ? (row % 4 == 0 ? "\(row)" : "") : values(row)[column]
    }
    var holding = layout
    holding.actions[0].missing = .hold
    let held = try read(sparse, holding)
    #expect(held.states == plain.states)
    let standing: [[Double]] = (0..<40).map { [Double($0 / 4 * 4)] }
    #expect(held.actions == standing)
    #expect(held.reading?.habits.contains { $0.contains("every 0.4 s") } == true)
  }

  private func output(_ command: String...) throws -> Data {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardOutput = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return data
  }
}

@Suite("converter programs")
struct ConverterTests {
  /// A converter that is a shell script of these lines.
  private func source(_ script: String) throws -> LogSource {
    var source = LogSource(try write(Data("not CSV at all\n".utf8)))
    source.converter = ["sh", "-c", script, "converter"]
    return source
  }

  private func refusal(_ script: String) throws -> String {
    do {
      _ = try layout.episodes(from: [try source(script)])
      return "read"
    } catch let error as LogError {
      return "\(error)"
    }
  }

  @Test("what a program writes is read as a log, and it gets the file's path")
  func plain() throws {
    let text = table()
    let expected = try read(text)
    let script = "test -f \"$1\" || exit 3; cat <<'END'\n\(text)END\n"
    let found = try layout.episodes(from: [try source(script)])[0]
    #expect(found.states == expected.states && found.actions == expected.actions)
  }

  @Test(
    "signals with clocks of their own are put onto the states' causally, in whatever order they come"
  )
  func clocks() throws {
    // x every 0.1 s; u every 0.25 s, beginning earlier; printed group after group, with a row of units.
    let x = (0..<40).map { "\(values($0)[0]),\(values($0)[1])," }
    let u = (0..<17).map { String(format: "%.2f,,%d", 0.25 * Double($0) - 0.1, $0) }
    for rows in [x + u, u + x] {
      let text = (["t,x,u", "s,m,"] + rows).joined(separator: "\n")
      let found = try layout.episodes(from: [try source("cat <<'END'\n\(text)\nEND\n")])[0]
      #expect(found.states == (try read(table())).states)
      // From 0.1 s to 0.2 s: command 0 until 0.15 s, then 1.
      #expect(abs(found.actions[1][0] - 0.5) < 1e-9 && found.actions[0][0] == 0)
      #expect(found.reading?.habits.contains { $0.contains("its mean between two rows") } == true)
    }
  }

  @Test("a disturbance that is told once, or faster than the states, gives no rows")
  func disturbances() throws {
    var loaded = layout
    loaded.disturbances = [Disturbance(Channel(name: "load"))]
    let x = (0..<40).map { "\(values($0)[0]),\(values($0)[1]),\(values($0)[2])," }
    for load in [["0.0,,,5"], (0..<400).map { String(format: "%.2f,,,%d", 0.01 * Double($0), $0) }]
    {
      let text = (["t,x,u,load"] + x + load).joined(separator: "\n")
      let found = try loaded.episodes(
        from: [try source("cat <<'END'\n\(text)\nEND\n")], needsExcitation: false)
      #expect(found.map(\.states) == [(try read(table())).states])
    }
  }

  @Test("one that prints no text, or does not end, is ended")
  func lingering() throws {
    #expect(try refusal("head -c 3000000 /dev/zero").contains("is binary"))
    let start = ContinuousClock.now
    let text = table()
    #expect(
      try refusal("cat <<'END'\n\(text)END\nexec >&- 2>&-; exec sleep 100")
        .contains("did not end; BAGEL ended it"))
    #expect(start.duration(to: .now) < .seconds(30))
  }

  @Test("one that fails, prints half a line or goes back in time keeps its rows out of the fit")
  func failures() throws {
    let text = table()
    #expect(
      try refusal("cat <<'END'\n\(text)END\necho 'no topic /cmd' >&2; exit 3")
        .contains("the program ended with exit code 3: no topic /cmd"))
    #expect(try refusal("exit 1").contains("ended with exit code 1 without a message"))
    #expect(try refusal("kill -9 $$").contains("was ended by signal 9"))
    #expect(try refusal("true").contains("is empty"))
    #expect(
      try refusal("cat <<'END'\n\(text)END\nprintf '4.0,1.0'").contains(
        ":42: the program's last line has no end"))
    #expect(
      try refusal("cat <<'END'\n\(text)END\necho 'card was pulled' >&2; printf '4.0,1.0'").contains(
        "has no end of line; was the output cut off?; the converter's last words: card was pulled"))
    let back = text + "2.0,0.5,\n"
    #expect(
      try refusal("cat <<'END'\n\(back)END\n")
        .contains(":42, column 't': time of 'x' goes backward"))
    let two = text.replacingOccurrences(of: "\n1.0,", with: "\n0.9,")
    #expect(try refusal("cat <<'END'\n\(two)END\n").contains("two rows have the time stamp 0.9"))
    var missing = LogSource("/nowhere/run.mcap")
    missing.converter = ["true"]
    #expect(throws: LogError.self) { try layout.episodes(from: [missing]) }
    missing.path = try write(Data("x".utf8))
    missing.converter = ["no-such-program-here"]
    #expect(
      "\(try #require(throws: LogError.self) { try layout.episodes(from: [missing]) })".contains(
        "no-such-program-here"))
  }
}
