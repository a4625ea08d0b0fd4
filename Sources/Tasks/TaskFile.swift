// SPDX-License-Identifier: Apache-2.0
// YAML -> ControlTask: the file as a whole. Each section stands in a file of its own beside this one, with the checks
// that need only the file itself.

import Faults
import Foundation
import MachineLogs

extension ControlTask {
  /// A built-in task by name, or a YAML file by path.
  ///
  /// - Parameter nameOrPath: `boom`, or `my-boom.yaml`.
  /// - Throws: an error with the line, the key, the value and what to write instead.
  public init(_ nameOrPath: String) throws {
    if let text = BuiltInTasks.text(nameOrPath) {
      self = try ControlTask(yaml: text, file: "built-in task \(nameOrPath)", folder: ".")
      return
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: nameOrPath, isDirectory: &isFolder) {
      guard !isFolder.boolValue, FileManager.default.isReadableFile(atPath: nameOrPath) else {
        throw LogError(
          file: nameOrPath,
          isFolder.boolValue
            ? "is a folder, not a task; give a YAML file or a built-in task (\(BuiltInTasks.names.joined(separator: ", ")))"
            : "cannot be read: permission denied"
        )
      }
    }
    let size = try? FileManager.default.attributesOfItem(atPath: nameOrPath)[.size] as? Int
    guard size ?? 0 <= YAMLLimits.largestFile else {
      throw LogError(
        file: nameOrPath,
        "has \(size ?? 0) bytes, but a task file may have at most \(YAMLLimits.largestFile); is it a log?"
      )
    }
    guard let bytes = FileManager.default.contents(atPath: nameOrPath) else {
      let known = BuiltInTasks.names.joined(separator: ", ")
      throw LogError(
        file: nameOrPath,
        "no such task file, and no built-in task of this name (built-in tasks: \(known))",
        remedy: .newTask(fromLogs: false))
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw LogError(
        file: nameOrPath, "is binary, or text in another encoding; a task is YAML in UTF-8")
    }
    let folder = URL(fileURLWithPath: nameOrPath).deletingLastPathComponent().path
    self = try ControlTask(yaml: text, file: nameOrPath, folder: folder)
  }

  /// A task from YAML text.
  ///
  /// - Parameters:
  ///   - text: of the file.
  ///   - file: as messages name it.
  ///   - folder: where relative paths start.
  ///   - record: gets the keys that are read.
  /// - Throws: `LogError`.
  package init(
    yaml text: String, file: String, folder: String, record: TaskKeyRecord? = nil
  ) throws {
    self.init()
    (source, self.file) = (text, file)
    let yaml = try YAMLMapping.document(text, file: file, record: record)
    try readMachine(yaml, folder)
    try readQuantities(yaml)
    try readPlant(yaml, folder)
    try readModel(yaml)
    objective.start = try distribution("start", yaml) ?? .fixed([])
    let goal = try readNamedGoal(yaml) ?? distribution("goal", yaml)
    objective.hasGoal = goal != nil
    self.objective.goal = goal ?? .fixed(layout.states.map { _ in 0 })
    try readPicture(yaml)
    try checkWithinLimits(objective.start, "start", yaml)
    if objective.hasGoal { try checkWithinLimits(self.objective.goal, "goal", yaml) }
    try readPolicy(yaml)
    try readRewards(yaml)
    try readConstraints(yaml)
    try checkColumns(yaml)
    try readSearch(yaml)
    try readEvaluation(yaml, folder)
    try checkErrors(yaml)
    try readLearning(yaml)
    try readWatch(yaml, folder)
    try yaml.finish()
  }

  /// An episode has from 2 steps to a million.
  func checkSteps(_ seconds: Double, _ key: String, _ yaml: YAMLMapping) throws {
    guard (2...1e6).contains(seconds / layout.timeStep) else {
      throw yaml.error(
        key,
        "is \(seconds) s, \(seconds / layout.timeStep) time steps; it must be from 2 to 1,000,000 time steps"
      )
    }
  }

  func required<T>(_ value: T?, _ key: String, _ yaml: YAMLMapping) throws -> T {
    guard let value else { throw yaml.missing(key) }
    return value
  }
}
