// SPDX-License-Identifier: Apache-2.0
// The folder of an interaction loop: names of its files, its record and task, and whether a command may continue in it.
//
//   FOLDER/task.yaml            the task as it was, from the first finished episode on
//   FOLDER/episode-000.csv ...  what the plant did, written line by line (exploration first)
//   FOLDER/episode-000-interrupted-1.csv, -short-1.csv   files outside the loop
//   FOLDER/model-001.safetensors, policy-001.safetensors, ...   of each trial
//   FOLDER/watch-003.safetensors   what is usual on the machine, after the last trial
//   FOLDER/loop.json            the finished episodes, rewritten after each (LoopRecord)

import Faults
import Foundation
import MachineLogs
import SafeText
import Tasks

struct LoopFolder {
  let path: String

  func name(_ what: String, _ number: Int, _ suffix: String) -> String {
    what + String(format: "-%03d", number) + suffix
  }

  func path(_ what: String, _ number: Int, _ suffix: String) -> String {
    path + "/" + name(what, number, suffix)
  }

  private var recordPath: String { path + "/loop.json" }
  private var taskPath: String { path + "/task.yaml" }

  /// Throws: `OutputError`.
  func make() throws {
    try writing(path) {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
  }

  /// What the loop remembers; nil for a new one. Throws: `LoopError`.
  func record() throws -> LoopRecord? {
    var status = stat()
    let isRegular = stat(recordPath, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    guard isRegular, let data = FileManager.default.contents(atPath: recordPath) else {
      // The task is written with the first finished episode: to begin anew would drive over what there is.
      guard !FileManager.default.fileExists(atPath: taskPath) else {
        throw LoopError(
          "\(recordPath) is missing or not a file, but the folder contains a loop",
          remedy: .either([.text("put it back"), .afresh]))
      }
      return nil
    }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    func damaged(_ problem: String) -> LoopError {
      LoopError(
        "\(recordPath) is damaged\(problem)", remedy: .afresh)
    }
    guard let saved = try? decoder.decode(LoopRecord.self, from: data) else { throw damaged("") }
    // It is written with the first finished episode.
    let isEmpty = saved.episodes.isEmpty ? "it has no episode" : nil
    let problem = isEmpty ?? saved.problem { name("episode", $0, ".csv") }
    if let problem { throw damaged(": \(shortened(problem, to: 120))") }
    return saved
  }

  /// Throws: `OutputError`.
  func save(_ record: LoopRecord) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // A return or an error of a machine that ran away; JSON has no such numbers.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try writing(recordPath) {
      try encoder.encode(record).write(to: URL(fileURLWithPath: recordPath), options: .atomic)
    }
  }

  /// Throws: `OutputError`.
  func save(_ task: ControlTask) throws {
    try writing(taskPath) {
      let text = task.source.hasSuffix("\n") ? task.source : task.source + "\n"
      try text.write(toFile: taskPath, atomically: true, encoding: .utf8)
    }
  }

  /// Whether the folder's loop is of this task; where it is not, throws unless it may differ.
  ///
  /// - Throws: `LoopError` where the loop has another seed or spread, logs of other channels, or another task.
  func isSame(
    _ task: ControlTask, _ record: LoopRecord, seed: UInt64, spread: Double, mayDiffer: Bool
  ) throws -> Bool {
    guard record.seed == seed, record.spread == spread else {
      throw LoopError(
        "the loop in \(path) has the seed \(record.seed) and the spread \(record.spread), not "
          + "\(seed) and \(spread)",
        remedy: .either([
          .loopOptions(seed: record.seed, spread: record.spread), .otherFolder, .afresh,
        ]))
    }
    guard let before = try? String(contentsOfFile: taskPath, encoding: .utf8) else { return true }
    let changes = changedLines(from: before, to: task.source)
    if changes.isEmpty { return true }
    guard mayDiffer else {
      throw LoopError(
        "the task has changed since the loop in \(path) began ("
          + changes.prefix(2).map { shortened($0, to: 40) }.joined(separator: "; ")
          + (changes.count > 2 ? "; \(counted(changes.count - 2, "more line"))" : "")
          + ")",
        remedy: .either([.goOn, .afresh]))
    }
    if let old = try? ControlTask(yaml: before, file: taskPath, folder: path),
      old.layout.states != task.layout.states || old.layout.actions != task.layout.actions
        || old.layout.disturbances.map(\.channel) != task.layout.disturbances.map(\.channel)
        || old.layout.timeStep != task.layout.timeStep
    {
      throw LoopError(
        "the loop in \(path) has logs of other states, actions, disturbances or time step, which cannot be "
          + "used together",
        remedy: .afresh)
    }
    return false
  }

  /// The log of an episode that is no part of the loop (interrupted, or too short) is kept, under another name.
  ///
  /// Throws: `OutputError`.
  func setAside(_ what: String, episode: Int) throws {
    let log = path("episode", episode, ".csv")
    guard FileManager.default.fileExists(atPath: log) else { return }
    let aside = firstFreePath { path("episode", episode, "-\(what)-\($0).csv") }
    try writing(aside) { try FileManager.default.moveItem(atPath: log, toPath: aside) }
  }

  /// Renames the folder, if there is one, so that another loop begins afresh.
  ///
  /// Throws: `LoopError` where another process is in it, `OutputError` where it cannot be renamed.
  func moveAway() throws {
    let files = FileManager.default
    guard files.fileExists(atPath: path) else { return }
    let lock = try FolderLock(path)
    defer { withExtendedLifetime(lock) {} }
    try writing(path) {
      try files.moveItem(atPath: path, toPath: firstFreePath { "\(path).old-\($0)" })
    }
  }
}
