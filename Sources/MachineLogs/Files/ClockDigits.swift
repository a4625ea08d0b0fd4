// SPDX-License-Identifier: Apache-2.0
// Stamps whose digits are a time of day, hours, minutes and seconds in a row: 101559 is 10:15:59, and 101600 comes a second later.

extension TimeUnit {
  /// Seconds of such stamps; nil where they are something else. They are told by what they never have, 60 in their last two digits, and by
  /// the jumps of 40 where a minute ends (of 4,040 where an hour does), which are gone in seconds.
  ///
  /// - Parameters:
  ///   - stamps: as they stand in the log.
  ///   - spacing: their median.
  static func secondsOfClockDigits(_ stamps: [Double], spacing: Double) -> [Double]? {
    guard spacing > 0, spacing < 30 else { return nil }
    var seconds: [Double] = []
    seconds.reserveCapacity(stamps.count)
    var (minutes, days) = (0, 0.0)
    for (row, stamp) in stamps.enumerated() {
      guard stamp >= 0, stamp < 240_000 else { return nil }
      let whole = Int(stamp)
      let (hour, minute, second) = (whole / 10_000, whole / 100 % 100, whole % 100)
      guard minute < 60, second < 60 else { return nil }
      let time = Double(hour * 3_600 + minute * 60 + second) + (stamp - Double(whole))
      if row > 0 {
        if time < seconds[row - 1] - days - 43_200 { days += 86_400 }
        let jump = abs(stamp - stamps[row - 1])
        if jump > 40, time + days - seconds[row - 1] <= 3 * spacing { minutes += 1 }
      }
      seconds.append(time + days)
    }
    return minutes > 0 ? seconds : nil
  }
}
