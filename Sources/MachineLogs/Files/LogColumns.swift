// SPDX-License-Identifier: Apache-2.0
// The names of a log's columns, and the columns that a layout needs -> the position of each: time first. Names are compared letter by
// letter, but for the time, whose usual names are known with a unit and in any case.

import Faults
import Foundation
import SafeText

/// Where the columns of a layout stand in a file.
struct LogColumns {
  /// Names in the file, and their places; each once.
  private(set) var names: [String] = []
  private(set) var indices: [Int] = []
  private(set) var time = 0
  /// What was decided among several columns that are called like a time, in words; nil of one.
  private(set) var choice: String?
  /// A column with the date, where the time column has the time of day alone.
  private(set) var date: Int?

  /// Names that a layout wants, each once: states, actions, disturbances, reward.
  static func wanted(by layout: LogLayout) -> [String] {
    var wanted = layout.measuredColumns
    for name in layout.exogenous.map(\.column) + (layout.rewardColumn.map { [$0] } ?? [])
    where !wanted.contains(name) {
      wanted.append(name)
    }
    return wanted
  }

  /// Throws: `LogError` for columns that are missing or stand twice, all in one message.
  init(of layout: LogLayout, in header: [String], line: Int, file: String) throws(LogError) {
    let wanted = Self.wanted(by: layout)
    let missing = wanted.filter { !header.contains($0) }
    let time = layout.timeColumn ?? Self.timeColumn(of: header, besides: wanted)
    guard let time, header.contains(time), missing.isEmpty else {
      throw Self.error(missing, time, layout, header, line, file)
    }
    let all = [time] + wanted.filter { $0 != time }
    if let twice = all.first(where: { name in header.count { $0 == name } > 1 }) {
      throw LogError(
        file: file, line: line,
        "two columns are called '\(shortened(twice))'",
        remedy: .either([.text("rename one of them"), .header(example: nil)]))
    }
    names = all
    indices = all.compactMap { header.firstIndex(of: $0) }
    self.time = indices[0]
    let rivals = header.filter {
      !all.contains($0) && Self.similarTimeNames.contains(TimeUnit.stem(ofName: $0))
        && !Self.dateNames.contains(TimeUnit.stem(ofName: $0))
    }
    if layout.timeColumn == nil, !rivals.isEmpty {
      choice =
        "'\(shortened(time))' is the time, not \(rivals.map { "'\(shortened($0))'" }.joined(separator: ", ")) (timeColumn: selects another)"
    }
    date = header.firstIndex { name in
      !all.contains(name) && Self.dateNames.contains(TimeUnit.stem(ofName: name))
    }
  }

  /// The time column, if one is called as such; nil where none is, or more than one.
  static func timeColumn(of header: [String], besides others: [String]) -> String? {
    if let usual = LogLayout.usualTimeColumns.first(where: header.contains) { return usual }
    let similar = header.filter {
      !others.contains($0) && similarTimeNames.contains(TimeUnit.stem(ofName: $0))
    }
    // Beside a time, a date is its date.
    let times = similar.filter { !dateNames.contains(TimeUnit.stem(ofName: $0)) }
    let left = times.isEmpty ? similar : times
    return left.count == 1 ? left[0] : nil
  }

  private static let similarTimeNames: Set<String> = Set(LogLayout.usualTimeColumns).union([
    "times", "timestamps", "time stamp", "zeit", "zeitstempel", "date", "datetime", "date time",
    "date_time", "date/time", "datum", "elapsed", "stamp", "uhrzeit", "heure", "hora",
  ])
  private static let dateNames: Set<String> = ["date", "datum", "day", "fecha"]

  // MARK: words

  private static func error(
    _ missing: [String], _ time: String?, _ layout: LogLayout, _ header: [String], _ line: Int,
    _ file: String
  ) -> LogError {
    if header.count == 1, header[0].split(whereSeparator: \.isWhitespace).count > 1 {
      return LogError(
        file: file, line: line,
        "has one column, '\(shortened(header[0]))'; are its fields separated by blanks? Use commas, semicolons or tabs"
      )
    }
    var problems = missing.map { name in
      "no column '\(shortened(name))'" + hint(near(name, header))
    }
    var remedy: Remedy?
    if time.map(header.contains) != true {
      let guess = header.first(where: looksLikeTime)
      problems.append(
        layout.timeColumn.map { "no time column '\(shortened($0))'" + hint(guess) }
          ?? "no time column (\(LogLayout.usualTimeColumns.joined(separator: ", ")))"
      )
      if layout.timeColumn == nil, problems.count <= 3 {
        remedy = .timeColumn(guess: guess.map { shortened($0) })
      }
    }
    let list = header.map { shortened($0) }.joined(separator: ", ")
    return LogError(
      file: file, line: line,
      "has " + problems.prefix(3).joined(separator: ", ") + ". Its columns: "
        + shortened(list, to: 100), remedy: remedy)
  }

  /// One letter is near to any other; it is meant only in another case.
  private static func near(_ name: String, _ header: [String]) -> String? {
    name.count > 1
      ? nearest(to: name, among: header)
      : header.first { $0.lowercased() == name.lowercased() }
  }

  private static func hint(_ name: String?) -> String {
    name.map { " (did you mean '\(shortened($0))'?)" } ?? ""
  }

  /// "time_of_day", "robot time", "t_plc".
  private static func looksLikeTime(_ name: String) -> Bool {
    let word = name.lowercased().filter { $0.isLetter || $0 == "_" }
    return word.contains("time") || word.contains("zeit") || word.hasPrefix("t_") || word == "t"
      || word == "ts" || word.hasPrefix("sec")
  }
}
