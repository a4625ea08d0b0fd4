// SPDX-License-Identifier: Apache-2.0
// How logs are written, where they do not tell: options of every command that reads logs named on its line.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import SafeText

/// --time-column, --time-unit, --missing, --header, --converter.
struct LogOptions: ParsableArguments {
  @Option(
    help:
      "Name of the time column (default: t, time, timestamp, seconds or time_s, also with a unit, as in 'Time [ms]')."
  )
  var timeColumn: String?

  @Option(
    help: "Unit of the time column, if the log does not give it: s, ms, us, ns, min, h or d.")
  var timeUnit: TimeUnit?

  @Option(
    help: """
      What to do if a channel has no value: refuse the log; drop the row; hold the last value, for at most three of the channel's \
      own sampling intervals (for channels with their own clock).
      """)
  var missing: MissingValues?

  @Option(
    help: "Names of all columns, separated by commas, to use instead of the file's header line.")
  var header: String?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "A program that turns each log into CSV on its standard output; the log's path is added as its last argument. Put it in quotes if it has options.",
      valueName: "word"))
  var converter: [String] = []

  func validate() throws {
    if let timeColumn, let problem = problem(ofColumn: timeColumn) {
      throw ValidationError("the column '\(shortened(timeColumn))' \(problem)")
    }
    if converter.count == 1, let mark = converter[0].first(where: { "|;&<>".contains($0) }) {
      throw ValidationError(
        "--converter has '\(mark)': the log's path would go to the wrong program; put the shell command into a script"
      )
    }
    if let header {
      if let twice = firstTwice(columnNames(header)) {
        throw ValidationError("--header contains '\(shortened(twice))' twice")
      }
      if columnNames(header).count < 2 {
        throw ValidationError("--header must name all columns, including the time column")
      }
    }
  }

  /// Whether any of them was given.
  var isGiven: Bool {
    timeColumn != nil || timeUnit != nil || missing != nil || header != nil || !converter.isEmpty
  }

  static let names = "--time-column, --time-unit, --missing, --header, --converter"

  func source(_ path: String) -> LogSource {
    var source = LogSource(path)
    // One word with blanks is a line for the shell; the log's path is its first parameter.
    source.converter =
      converter.count == 1 && converter[0].contains(" ")
      ? ["sh", "-c", "exec \(converter[0]) \"$1\"", "sh"] : converter
    source.header = header.map(columnNames)
    return source
  }

  func apply(to layout: inout LogLayout) {
    if let timeColumn { layout.timeColumn = timeColumn }
    if let timeUnit { layout.timeUnit = timeUnit }
    if let missing { layout.setMissing(missing) }
  }
}

/// The first word that stands a second time.
private func firstTwice(_ words: [String]) -> String? {
  var seen: Set<String> = []
  return words.first { !seen.insert($0).inserted }
}

extension TimeUnit: ExpressibleByArgument {}
extension MissingValues: ExpressibleByArgument {}
