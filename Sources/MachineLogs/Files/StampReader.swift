// SPDX-License-Identifier: Apache-2.0
// Cells of a time column -> seconds. Numbers are kept unchanged (their unit is derived from all of them: `TimeUnit`);
// dates and times of day become seconds since the first row's whole second.
//
//   date    2026-03-29, 2026/03/29, 29.03.2026, 29-Mar-2026; 03/29/2026 where a day above 12 says which is the month
//   time    01:59:50.125, 01:59:50,125, 1:59:50 PM; after a date 01:59 too
//   zone    Z, +02:00, +0200, UTC; none: a local time, whose clock may be put forward or back by an hour
//
// Own code, because Foundation's parsers need the format beforehand, read no fractions after a comma, and take
// two microseconds per cell: 40 s for the longest log.

import Foundation

/// Reads the stamps of one file, one row after another.
struct StampReader {
  /// What was understood, in words; empty for numbers.
  private(set) var habits: [String] = []
  /// Whole seconds of the first stamp; nil before it, and of numbers.
  private var origin: Int?
  private var last: (seconds: Double, spacing: Double?)?
  /// Added where a local clock was put forward or back, and after midnight where there is no date.
  private var shift = 0.0
  /// Text of the first date whose day and month could be each other.
  private var ambiguous: String?
  /// Whether slashed dates have the month first; nil until one tells.
  private var monthFirst: Bool?

  /// A cell as a date, a time of day, or both.
  private struct Calendar {
    /// Since 1970-01-01; nil of a time of day alone.
    var days: Int?
    /// Of the day; may be negative, or beyond it, by a zone.
    var wholeSeconds = 0
    var fraction = 0.0
    var hasTime = false
    var hasZone = false
    /// Whether day and month could be each other, and days since 1970 if they were.
    var isAmbiguous = false
    var otherDays = 0
    /// Of a slashed date that tells.
    var tellsMonthFirst: Bool?
  }

  /// Whether a cell is a date, a time of day, or both.
  static func isStamp(_ text: String) -> Bool { parse(text) != nil }

  /// The seconds of a cell, or nil where it is no stamp.
  ///
  /// - Parameters:
  ///   - text: of the time column.
  ///   - date: of a column beside it with the date, which counts where the cell has none; nil for no such column.
  ///   - isConverted: whether rows come in any order, so that a clock that goes back was not put back.
  /// - Throws: `Problem` in words.
  mutating func seconds(
    _ text: String, date: String? = nil, isConverted: Bool = false
  ) throws(Problem) -> Double? {
    guard var stamp = Self.parse(text) else { return nil }
    var dated = text
    if stamp.days == nil, let date, let day = Self.parse(date), !day.hasTime {
      (stamp.days, stamp.isAmbiguous, stamp.otherDays) = (day.days, day.isAmbiguous, day.otherDays)
      stamp.tellsMonthFirst = day.tellsMonthFirst
      dated = date
    }
    guard stamp.hasTime || stamp.days != nil else { return nil }
    if let tells = stamp.tellsMonthFirst, monthFirst == nil { monthFirst = tells }
    if stamp.isAmbiguous, let monthFirst {
      // Read with the day first.
      if monthFirst { stamp.days = stamp.otherDays }
      stamp.isAmbiguous = false
    }
    try rememberAmbiguous(stamp, dated)
    let whole = (stamp.days ?? 0) * Self.day + stamp.wholeSeconds
    if origin == nil {
      origin = whole
      habits.append(
        stamp.days == nil
          ? "times of day" : dated == text ? "dates" : "dates and times in two columns")
    }
    var seconds = Double(whole - (origin ?? 0)) + stamp.fraction + shift
    if let (before, spacing) = last {
      let change = seconds - before
      let jump = isConverted ? 0 : self.jump(change, spacing, stamp)
      shift += jump
      seconds += jump
      last = (seconds, change + jump > 0 ? change + jump : spacing)
    } else {
      last = (seconds, nil)
    }
    return seconds
  }

  struct Problem: Error { let words: String }

  private static let day = 86_400
  private static let hour = 3_600.0

  /// What is to be added from this row on: a day after midnight, an hour where a local clock was put forward or back.
  private mutating func jump(_ change: Double, _ spacing: Double?, _ stamp: Calendar) -> Double {
    if stamp.days == nil, change < -Double(Self.day) / 2 { return Double(Self.day) }
    // Where rows are nearly an hour apart, an hour tells nothing.
    guard !stamp.hasZone, let spacing, spacing <= Self.hour / 6 else { return 0 }
    // A row may be late, or lost.
    func isHour(_ seconds: Double) -> Bool {
      seconds > 0 && abs(seconds - spacing) <= max(2 * spacing, 1e-3)
    }
    let isSunday = stamp.days.map(Self.isSunday) ?? true
    let isNight = stamp.wholeSeconds <= 4 * Int(Self.hour)
    guard isSunday, isNight else { return 0 }
    if change < 0, isHour(change + Self.hour) {
      note("a local clock that was put back by an hour")
      return Self.hour
    }
    if change > 0, isHour(change - Self.hour), stamp.days != nil {
      note("a local clock that was put forward by an hour")
      return -Self.hour
    }
    return 0
  }

  private mutating func note(_ habit: String) {
    if !habits.contains(habit) { habits.append(habit) }
  }

  /// Clocks are put forward and back in the night to a Sunday, in Europe and America. 1970-01-01 was a Thursday.
  private static func isSunday(_ days: Int) -> Bool { ((days % 7) + 7) % 7 == 3 }

  /// Within one day it does not matter which is the month. Throws: `Problem`.
  private mutating func rememberAmbiguous(_ stamp: Calendar, _ text: String) throws(Problem) {
    guard stamp.isAmbiguous || ambiguous != nil else { return }
    let date = String(text.prefix { $0 != " " && $0 != "T" })
    if ambiguous == nil { ambiguous = date }
    guard let first = ambiguous, date == first else {
      throw Problem(
        words:
          "'\(ambiguous ?? date)' above may be two dates, because the month is not clear; write 2026-03-29, year first"
      )
    }
  }

  // MARK: text

  private static func parse(_ text: String) -> Calendar? {
    var scanner = Scanner(Array(text.utf8))
    var stamp = Calendar()
    let hasDate = scanner.attempt { $0.date(&stamp) }
    if hasDate {
      if scanner.isAtEnd { return stamp }
      guard scanner.takeOne(of: "T t,") else { return nil }
      while scanner.takeOne(of: " ") {}
    }
    guard scanner.time(&stamp, hasDate: hasDate), scanner.isAtEnd else { return nil }
    return stamp
  }

  /// The bytes of a cell, from left to right.
  private struct Scanner {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    /// Goes on only where it succeeds.
    mutating func attempt(_ body: (inout Scanner) -> Bool) -> Bool {
      var copy = self
      guard body(&copy) else { return false }
      self = copy
      return true
    }

    mutating func takeOne(of characters: String) -> Bool {
      guard index < bytes.count, characters.utf8.contains(bytes[index]) else { return false }
      index += 1
      return true
    }

    /// A whole number of so many digits.
    mutating func number(_ digits: ClosedRange<Int>) -> Int? {
      var (value, count) = (0, 0)
      while index < bytes.count, count < digits.upperBound, (48...57).contains(bytes[index]) {
        value = 10 * value + Int(bytes[index] - 48)
        (index, count) = (index + 1, count + 1)
      }
      return digits.contains(count) ? value : nil
    }

    private var separator: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func date(_ stamp: inout Calendar) -> Bool {
      if attempt({ $0.yearFirst(&stamp) }) { return true }
      guard let first = number(1...2), let mark = separator, takeOne(of: "./-") else {
        return false
      }
      if let month = monthName() {
        guard separator == mark, takeOne(of: "./-"), let year = number(4...4) else { return false }
        return set(&stamp, year, month, first)
      }
      guard let second = number(1...2), separator == mark, takeOne(of: "./-"),
        let year = number(4...4)
      else { return false }
      // Points stand in the order day, month, year; other marks in either.
      if mark == UInt8(ascii: ".") { return set(&stamp, year, second, first) }
      if first > 12 || second > 12 { stamp.tellsMonthFirst = second > 12 }
      if second > 12 { return set(&stamp, year, first, second) }
      guard first <= 12, first != second else { return set(&stamp, year, second, first) }
      var other = stamp
      guard set(&other, year, first, second), set(&stamp, year, second, first) else {
        return false
      }
      (stamp.isAmbiguous, stamp.otherDays) = (true, other.days ?? 0)
      return true
    }

    private mutating func yearFirst(_ stamp: inout Calendar) -> Bool {
      guard let year = number(4...4), let mark = separator, takeOne(of: "-/."),
        let month = number(1...2), separator == mark, takeOne(of: "-/."), let day = number(1...2)
      else { return false }
      return set(&stamp, year, month, day)
    }

    private mutating func monthName() -> Int? {
      let names = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
      ]
      guard index + 3 <= bytes.count else { return nil }
      let word = String(decoding: bytes[index..<index + 3], as: UTF8.self).lowercased()
      guard let month = names.firstIndex(of: word) else { return nil }
      index += 3
      return month + 1
    }

    /// Days since 1970-01-01 of the Gregorian calendar (years are counted from March: a leap day is a year's last).
    private func set(_ stamp: inout Calendar, _ year: Int, _ month: Int, _ day: Int) -> Bool {
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
      guard (1...12).contains(month), (1...lengths[month - 1]).contains(day) else { return false }
      let fromMarch = (month + 9) % 12
      let y = month < 3 ? year - 1 : year
      let ofYear = (153 * fromMarch + 2) / 5 + day - 1
      stamp.days = 365 * y + y / 4 - y / 100 + y / 400 + ofYear - 719_468
      return true
    }

    mutating func time(_ stamp: inout Calendar, hasDate: Bool) -> Bool {
      guard var hours = number(1...2), takeOne(of: ":"), let minutes = number(2...2) else {
        return false
      }
      var seconds = 0
      if takeOne(of: ":") {
        guard let whole = number(2...2) else { return false }
        seconds = whole
        if takeOne(of: ".,") {
          let first = index
          guard number(1...18) != nil else { return false }
          let digits = bytes[first..<index]
          stamp.fraction =
            Array("0.".utf8 + digits).withUnsafeBufferPointer { decimalNumber($0) } ?? 0
        }
      } else if !hasDate {
        return false  // minutes and seconds, or hours and minutes
      }
      while takeOne(of: " ") {}
      let isMorning = takeOne(of: "aA")
      if isMorning || takeOne(of: "pP") {
        guard takeOne(of: "mM"), (1...12).contains(hours) else { return false }
        hours = hours % 12 + (isMorning ? 0 : 12)
      }
      guard hours < 24, minutes < 60, seconds <= 60 else { return false }
      stamp.wholeSeconds = hours * 3_600 + minutes * 60 + seconds
      stamp.hasTime = true
      return zone(&stamp)
    }

    private mutating func zone(_ stamp: inout Calendar) -> Bool {
      if takeOne(of: "zZ") {
        stamp.hasZone = true
      } else if takeOne(of: "uUgG") {
        guard takeOne(of: "tTmM"), takeOne(of: "cCtT") else { return false }
        stamp.hasZone = true
      } else if let sign = separator, takeOne(of: "+-") {
        guard let hours = number(2...2) else { return false }
        _ = takeOne(of: ":")
        let minutes = number(2...2) ?? 0
        let offset = hours * 3_600 + minutes * 60
        stamp.wholeSeconds -= sign == UInt8(ascii: "-") ? -offset : offset
        stamp.hasZone = true
      }
      return true
    }
  }
}
