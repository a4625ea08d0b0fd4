// SPDX-License-Identifier: Apache-2.0
// A log of a running machine: one CSV line per time step, passed to the system at once, in the format that `LogFile` reads. Numbers are
// written in full, so that reading gives the same bits (but for units that are converted). In: measured columns [C], exogenous inputs
// [A + W], perhaps a reward. A row that
// was written only in part is removed again: a number cut in the middle would be another number.

import Faults
import Foundation
import SafeText

/// A log that cannot be written: the disk, not the input, is at fault.
package struct LogWritingError: Fault, Hashable {
  package let path: String
  package let reason: String

  package init(path: String, reason: String) { (self.path, self.reason) = (path, reason) }

  package var origin: FaultOrigin { .surroundings }
  package var statement: String { "cannot write the log '\(path)': \(reason)" }
}

/// Writes a CSV log line by line.
package final class LogWriter {
  package let path: String
  private let file: Int32
  private let fields: Int
  private let hasReward: Bool
  /// From a log's units to the task's, of measured columns and of exogenous inputs; nil where they are the same.
  private let measuredUnits: [UnitConversion?]
  private let exogenousUnits: [UnitConversion?]
  /// Of a stamp, s.
  private let timeUnit: Double
  /// Bytes of whole rows, and rows without the header.
  private var length: off_t = 0
  private var rows = 0
  private var isOpen = true

  /// Begins a log with time, the layout's measured columns, its exogenous inputs and, if it has one, its reward column; then `extra`
  /// columns, which readers of the layout leave out. Nothing is ever written over.
  ///
  /// Throws: `LogWritingError` where the file cannot be made, or one is there.
  package init(path: String, layout: LogLayout, extra: [String] = []) throws {
    self.path = path
    let header = layout.writtenColumns + extra
    fields = header.count
    hasReward = layout.rewardColumn != nil
    timeUnit = (layout.timeUnit ?? TimeUnit(ofName: header[0]) ?? .seconds).length
    measuredUnits = layout.measuredColumns.map(layout.conversion)
    exogenousUnits = layout.exogenous.map(\.conversion)
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    guard file >= 0 else {
      throw LogWritingError(
        path: path,
        reason: path.isEmpty
          ? "it has no name"
          : errno == EEXIST ? "the file already exists" : String(cString: strerror(errno)))
    }
    try write(header.map(escapedForCSV).joined(separator: ","))
  }

  deinit { close() }

  /// One row at a time (s), in the task's units; a reward that is not known is an empty cell.
  ///
  /// Throws: `LogWritingError` where the disk is full or the file was removed.
  package func append(
    time: Double, measured: [Double], exogenous: [Double], reward: Double?, extra: [Double] = []
  ) throws {
    let count = 1 + measured.count + exogenous.count + (hasReward ? 1 : 0) + extra.count
    precondition(count == fields, "\(count) values for \(fields) columns of \(path)")
    var line = "\(timeUnit == 1 ? time : time / timeUnit)"
    for (value, units) in zip(measured, measuredUnits) {
      line += ",\(units?.inverse(value) ?? value)"
    }
    for (value, units) in zip(exogenous, exogenousUnits) {
      line += ",\(units?.inverse(value) ?? value)"
    }
    if hasReward { line += reward.map { ",\($0)" } ?? "," }
    for value in extra { line += ",\(value)" }
    try write(line)
    rows += 1
  }

  /// Ends the log; one without a row is removed.
  package func close() {
    guard isOpen else { return }
    isOpen = false
    if rows == 0 && isAtPath { unlink(path) }
    Foundation.close(file)
  }

  /// Whether the file that is written still has a name.
  private var isInPlace: Bool {
    var status = stat()
    return fstat(file, &status) == 0 && status.st_nlink > 0
  }

  /// Whether it still has this one: it may have been moved away, and another log begun in its place.
  private var isAtPath: Bool {
    var (written, named) = (stat(), stat())
    return fstat(file, &written) == 0 && lstat(path, &named) == 0
      && written.st_ino == named.st_ino && written.st_dev == named.st_dev
  }

  private func write(_ line: String) throws {
    guard isInPlace else {
      throw LogWritingError(path: path, reason: "it was removed while it was written")
    }
    var text = line + "\n"
    let failure = text.withUTF8 { bytes -> Int32 in
      var done = 0
      while done < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[done...])
        let count = Foundation.write(file, rest.baseAddress, rest.count)
        if count > 0 {
          done += count
        } else if count == 0 || errno != EINTR {
          return count == 0 ? ENOSPC : errno
        }
      }
      length += off_t(bytes.count)
      return 0
    }
    guard failure == 0 else {
      ftruncate(file, length)
      throw LogWritingError(path: path, reason: String(cString: strerror(failure)))
    }
  }
}
