// SPDX-License-Identifier: Apache-2.0
// Stamps whose digits are a time of day, hours, minutes and seconds in a row: 101559 is 10:15:59, and 101600 comes a second later.

extension TimeUnit {
  /// Seconds of such stamps; nil where they are something else. They are told by what they never have, 60 in their last two digits or in
  /// the two before, and by jumps of 40 where a minute ends or of 4,000 where an hour does, which are gone in seconds. A log within one
  /// minute has no such jump, and its differences are seconds already.
  ///
  /// - Parameters:
  ///   - stamps: as they stand in the log.
  ///   - spacing: their median.
  static func secondsOfClockDigits(_ stamps: [Double], spacing: Double) -> [Double]? {
    guard spacing > 0, spacing < 10_000 else { return nil }
    var seconds: [Double] = []
    seconds.reserveCapacity(stamps.count)
    var days = 0.0
    for stamp in stamps {
      guard stamp >= 0, stamp < 240_000 else { return nil }
      let whole = Int(stamp)
      let (hour, minute, second) = (whole / 10_000, whole / 100 % 100, whole % 100)
      guard minute < 60, second < 60 else { return nil }
      let time = Double(hour * 3_600 + minute * 60 + second) + (stamp - Double(whole))
      if let last = seconds.last, time + days < last - 43_200 { days += 86_400 }
      seconds.append(time + days)
    }
    let usual = LogFile.spacing(of: seconds)
    let ends = stamps.indices.dropFirst().count { row in
      abs(stamps[row] - stamps[row - 1]) > spacing + 39
        && seconds[row] - seconds[row - 1] <= 1.5 * usual
    }
    return ends > 0 ? seconds : nil
  }
}
