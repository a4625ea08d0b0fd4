// SPDX-License-Identifier: Apache-2.0
// A log as it goes: one CSV line a time step, flushed at once, in the format that `LogFile` reads. Numbers are
// written in full, so that reading gives the same bits. In: measured columns [C], actions [A], perhaps a reward.

import Foundation

/// Writes a CSV log line by line.
public final class LogWriter {
  public let path: String
  private let handle: FileHandle
  private let fields: Int
  private let hasReward: Bool

  /// Begins a log with time, the layout's measured columns, its actions and, if it has one, its reward column.
  ///
  /// Throws: `LogError` where the file cannot be made.
  public init(path: String, layout: LogLayout) throws {
    self.path = path
    let header = layout.writtenColumns
    fields = header.count
    hasReward = layout.rewardColumn != nil
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let handle = FileHandle(forWritingAtPath: path)
    else { throw LogError(file: path, "cannot be written") }
    self.handle = handle
    try write(header.map(quoted).joined(separator: ","))
  }

  /// One row at a time (s); a reward that is not known is an empty cell. Throws: `LogError` where the disk is full.
  public func append(time: Double, measured: [Double], action: [Double], reward: Double?) throws {
    let cells =
      ([time] + measured + action).map { "\($0)" }
      + (hasReward ? [reward.map { "\($0)" } ?? ""] : [])
    precondition(cells.count == fields, "\(cells.count) values for \(fields) columns of \(path)")
    try write(cells.joined(separator: ","))
  }

  public func close() { try? handle.close() }

  private func write(_ line: String) throws {
    do {
      try handle.write(contentsOf: Data((line + "\n").utf8))
    } catch {
      throw LogError(file: path, "cannot be written: \(error.localizedDescription)")
    }
  }
}

/// A CSV field.
private func quoted(_ name: String) -> String {
  guard name.contains(where: { ",\";\n\t".contains($0) }) else { return name }
  return "\"" + name.replacingOccurrences(of: "\"", with: "\"\"") + "\""
}
