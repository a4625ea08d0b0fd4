// SPDX-License-Identifier: Apache-2.0
// The unit of stamps that are numbers: s, ms, us, ns, days of a spreadsheet; minutes and hours only if given. The unit comes from the user, the
// name of the column ("t_ms", "Time [s]"), the row of units, the century of an epoch, or the time step, which a
// spacing must fit.

import Foundation

/// What a number in a time column counts.
package enum TimeUnit: String, CaseIterable, Hashable, Sendable, Codable {
  case seconds = "s"
  case milliseconds = "ms"
  case microseconds = "us"
  case nanoseconds = "ns"
  case minutes = "min"
  case hours = "h"
  case days = "d"

  /// s
  package var length: Double {
    switch self {
    case .seconds: 1
    case .milliseconds: 1e-3
    case .microseconds: 1e-6
    case .nanoseconds: 1e-9
    case .minutes: 60
    case .hours: 3_600
    case .days: 86_400
    }
  }

  /// How people write it.
  init?(word: String) {
    switch word.trimmingCharacters(in: .whitespaces).lowercased() {
    case "s", "sec", "secs", "second", "seconds", "sek": self = .seconds
    case "ms", "msec", "millis", "milliseconds": self = .milliseconds
    case "us", "µs", "μs", "usec", "micros", "microseconds": self = .microseconds
    case "ns", "nsec", "nanos", "nanoseconds": self = .nanoseconds
    case "min", "mins", "minute", "minutes": self = .minutes
    case "h", "hr", "hrs", "hour", "hours": self = .hours
    case "d", "day", "days": self = .days
    default: return nil
    }
  }

  /// "Time [s]", "t_ms", "time (us)", "timestamp_ns", "t/s", "seconds"
  package init?(ofName name: String) {
    let marks: Set<Character> = ["[", "]", "(", ")", "_", "/", " ", ".", ","]
    let words = name.split(whereSeparator: marks.contains)
    // A letter or two may be the name itself: "t", "s".
    guard let last = words.last, words.count > 1 || last.count > 2,
      let unit = TimeUnit(word: String(last))
    else { return nil }
    // "T_d" is a desired temperature.
    if last.lowercased() == "d", !name.hasSuffix("]"), !name.hasSuffix(")") { return nil }
    self = unit
  }

  /// The name without a unit and a mark of comments, in small letters: "time" of "Time [s]".
  static func stem(ofName name: String) -> String {
    let bare = name.lowercased().drop { "#%/ ".contains($0) }
    guard TimeUnit(ofName: name) != nil,
      let cut = bare.lastIndex(where: { "[(_/ ".contains($0) })
    else { return String(bare) }
    return bare[..<cut].trimmingCharacters(in: CharacterSet(charactersIn: " _/[("))
  }

  /// The unit that stamps and their median spacing have, where nobody says it: seconds, unless the spacing cannot be so many;
  /// nil where no unit is possible.
  ///
  /// - Parameters:
  ///   - first: the first stamp.
  ///   - spacing: the median.
  ///   - isPossible: whether rows may be so many seconds apart.
  ///   - isUsual: whether they usually are, at the time step.
  static func inferred(
    first: Double, spacing: Double, isPossible: (Double) -> Bool, isUsual: (Double) -> Bool
  ) -> TimeUnit? {
    // An epoch of this century, in whichever unit, is in no other.
    let epochs = countersOfSeconds.filter { unit in
      century.contains(first * unit.length) && isPossible(spacing * unit.length)
    }
    if epochs.count == 1 { return epochs[0] }
    // Dates of a spreadsheet or of MATLAB, with the time of day as a fraction: days, where the spacing is one then and else is none.
    if serialDays.contains(where: { $0.contains(first) }), !isUsual(spacing),
      isUsual(spacing * TimeUnit.days.length)
    {
      return .days
    }
    if isPossible(spacing) { return .seconds }
    // Units lie a thousand apart, and what is usual less.
    return countersOfSeconds.first { isUsual(spacing * $0.length) }
  }

  /// What programs count without saying so.
  private static let countersOfSeconds: [TimeUnit] = [
    .seconds, .milliseconds, .microseconds, .nanoseconds,
  ]

  /// 2000 to 2100: days since 1899-12-30 (Excel), and since the year 0 (MATLAB).
  private static let serialDays = [36_526.0...73_051.0, 730_486.0...767_011.0]

  /// 2000 to 2100, s since 1970.
  private static let century = 946_684_800.0...4_102_444_800.0
}
