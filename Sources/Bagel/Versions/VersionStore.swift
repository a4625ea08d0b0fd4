// SPDX-License-Identifier: Apache-2.0
// Every model and every policy of an output folder; none is overwritten:
//
//   OUTPUT/versions/3/version.json       what it is: date, seed, task, fingerprints, figures
//   OUTPUT/versions/3/policy.safetensors      or model.safetensors and watch.safetensors
//   OUTPUT/policy.safetensors            the current one: the same bytes. (Rejected: a second name of the version's file. Copying
//                                        another file over it would change the version.)
//
// A version is written beside the others and renamed into its place whole; so is the current one. If the process is ended in between,
// the files are still whole.

import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Tasks
import TensorFiles
import Watching

/// The versions of an output folder.
package struct VersionStore {
  package let folder: String
  private static let recordName = "version.json"
  private var root: String { "\(folder)/versions" }

  package init(folder: String) { self.folder = folder }

  /// The path of a version's file.
  package func path(_ version: Version) -> String { "\(root)/\(version.number)/\(version.file)" }

  /// All that can be read, by number.
  package var versions: [Version] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return names.compactMap { name -> Version? in
      guard let number = Int(name), number > 0, "\(number)" == name,
        let data = FileManager.default.contents(atPath: "\(root)/\(name)/\(Self.recordName)"),
        var version = try? decoder.decode(Version.self, from: data)
      else { return nil }
      version.number = number
      return version
    }.sorted { $0.number < $1.number }
  }

  /// Numbers of versions without a record that can be read.
  package var unreadable: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    return Set(names.compactMap { Int($0) }).subtracting(versions.map(\.number)).sorted()
  }

  /// The version whose bytes stand in the folder; nil where there is none.
  package func current(_ kind: Version.Kind) -> Version? {
    let own = versions.filter { $0.kind == kind }
    return own.last { version in
      FileManager.default.contentsEqual(
        atPath: path(version), andPath: "\(folder)/\(version.file)")
    }
  }

  /// Keeps a version, which is not the current one yet.
  ///
  /// - Parameters:
  ///   - version: what is known of it; its number is given.
  ///   - write: writes its files into the folder that it gets.
  /// - Returns: it with its number; of the same kind and bytes as the current one, that one. Throws: `OutputError`, and what
  ///   `write` throws.
  package func add(_ version: Version, write: (_ folder: String) throws -> Void) throws -> Version {
    let new = "\(root)/.new-\(getpid())"
    let files = FileManager.default
    try? files.removeItem(atPath: new)
    try writing(new) {
      try files.createDirectory(atPath: new, withIntermediateDirectories: true)
    }
    defer { try? files.removeItem(atPath: new) }
    try write(new)
    if let same = current(version.kind), try takes(same, filesOf: new) { return same }
    var version = version
    let names = (try? files.contentsOfDirectory(atPath: root)) ?? []
    version.number = 1 + (names.compactMap { Int($0) }.max() ?? 0)
    try save(version, in: new)
    let target = "\(root)/\(version.number)"
    if rename(new, target) == 0 { return version }
    guard errno == ENOTEMPTY || errno == EEXIST else {
      throw OutputError(
        "cannot write \(target): \(String(cString: strerror(errno)))")
    }
    // Another process has taken the number.
    return try add(version, write: write)
  }

  /// Whether a version has the main file of a folder; it then takes the others, which may be lost or older.
  private func takes(_ version: Version, filesOf folder: String) throws -> Bool {
    let files = FileManager.default
    guard files.contentsEqual(atPath: path(version), andPath: "\(folder)/\(version.file)") else {
      return false
    }
    for name in try files.contentsOfDirectory(atPath: folder) where name != version.file {
      try copy("\(folder)/\(name)", to: "\(root)/\(version.number)/\(name)")
    }
    return true
  }

  /// Writes down what became known of a version. Throws: `OutputError`.
  package func note(_ version: Version) throws {
    try save(version, in: "\(root)/\(version.number)")
  }

  /// Writes down what a policy did on the plant, if it is one of the versions. Throws: `OutputError`.
  package func note(
    _ evaluation: Evaluation, of policy: String, _ task: ControlTask, seed: UInt64
  ) throws {
    guard !evaluation.episodes.isEmpty,
      var version = versions.last(where: { $0.kind == .policy && $0.policy == policy })
    else { return }
    // A few episodes say less than many.
    guard evaluation.episodes.count >= version.plantEpisodes ?? 0 else { return }
    (version.plantSuccesses, version.plantEpisodes) = (
      evaluation.successes, evaluation.episodes.count
    )
    version.plantErrors = Version.PlantErrors(
      evaluation.episodes.flatMap(\.responseErrors), task, seed: seed)
    try note(version)
  }

  /// Errors of a policy's responses on the plant, as they were noted last [responses][tracked]; empty where there are none of what the
  /// task judges now, and where a simulated plant would repeat the same episodes.
  package func plantErrors(of policy: String, _ task: ControlTask, seed: UInt64) -> [[Double]] {
    let noted = versions.last { $0.kind == .policy && $0.policy == policy }?.plantErrors
    guard let noted, noted.judged == task.judgedResponses else { return [] }
    return task.isSimulated && noted.seed == seed ? [] : noted.values
  }

  /// A file of the current model that has changed, into its version. Throws: `OutputError`.
  package func copyBack(_ name: String) throws {
    guard let version = current(.model) else { return }
    try copy("\(folder)/\(name)", to: "\(root)/\(version.number)/\(name)")
  }

  private func save(_ version: Version, in place: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let path = "\(place)/\(Self.recordName)"
    try writing(path) {
      try encoder.encode(version).write(to: URL(fileURLWithPath: path), options: .atomic)
    }
  }

  /// Makes a version the current one. What stands there and is none of the versions becomes one first.
  ///
  /// - Returns: the former current one, if it is another. Throws: `OutputError`.
  @discardableResult package func use(_ version: Version) throws -> Version? {
    try check(version)
    let former = try adopt(version.kind)
    let files = FileManager.default
    let names = try writing(root) {
      try files.contentsOfDirectory(atPath: "\(root)/\(version.number)")
    }.filter { $0.hasSuffix(".safetensors") }
    // A watch is of one model.
    if version.kind == .model, !names.contains(Self.watchName) {
      unlink("\(folder)/\(Self.watchName)")
    }
    // First what stands beside: a run that finds it alone says that it is of another model.
    for name in names.filter({ $0 != version.file }) + [version.file] {
      let (path, file) = ("\(folder)/\(name)", "\(root)/\(version.number)/\(name)")
      if !files.contentsEqual(atPath: path, andPath: file) { try copy(file, to: path) }
    }
    return former?.number == version.number ? nil : former
  }

  /// Where a policy's model and watch are: the first of some folders, and then of the versions, that has the model.
  ///
  /// - Parameters:
  ///   - model: fingerprint; nil where nobody knows it.
  ///   - folders: to look in first, of which the first is taken where none has it.
  package func folder(ofModel model: String?, besides folders: [String]) -> String {
    let kept = versions.filter { $0.kind == .model && $0.model == model }
      .map { "\(root)/\($0.number)" }
    let found = (folders + kept.reversed()).first {
      (try? DynamicsModel.fingerprint(path: $0 + "/model.safetensors")) == model
    }
    return model == nil ? folders[0] : found ?? folders[0]
  }

  private static let watchName = WatchCalibration.fileName

  /// The current one; where it is none of the versions, it becomes one. Throws: `OutputError`.
  @discardableResult package func adopt(_ kind: Version.Kind) throws -> Version? {
    if let version = current(kind) { return version }
    let path = "\(folder)/\(kind.rawValue).safetensors"
    let files = FileManager.default
    guard files.fileExists(atPath: path) else { return nil }
    let date = (try? files.attributesOfItem(atPath: path)[.modificationDate]) as? Date
    var found = Version(
      kind: kind, date: date ?? Date(), seed: nil, task: "", words: "found in the folder")
    switch kind {
    case .model: found.model = try? DynamicsModel.fingerprint(path: path)
    case .policy:
      if let (controller, description) = try? PolicyController.read(path: path) {
        (found.task, found.model) = (description.task, description.model)
        (found.policy, found.predictedReturn) = (
          controller.fingerprint, description.predictedReturn
        )
      }
    }
    let names = ["\(kind.rawValue).safetensors"] + (kind == .model ? [Self.watchName] : [])
    return try add(found) { place in
      for name in names where files.fileExists(atPath: "\(folder)/\(name)") {
        try writing("\(place)/\(name)") {
          try files.copyItem(atPath: "\(folder)/\(name)", toPath: "\(place)/\(name)")
        }
      }
    }
  }

  /// Copies a file, renamed into its place whole.
  private func copy(_ file: String, to path: String) throws {
    try writing(path) {
      try Data(contentsOf: URL(fileURLWithPath: file))
        .write(to: URL(fileURLWithPath: path), options: .atomic)
    }
  }

  /// Refuses a version whose file is missing, damaged, or another one than its record says. Throws: `TensorFileError`.
  private func check(_ version: Version) throws {
    let path = path(version)
    guard FileManager.default.fileExists(atPath: path) else {
      throw TensorFileError(path: path, "is missing: version \(version.number) cannot be used")
    }
    let (found, recorded): (String?, String?) =
      switch version.kind {
      case .model:
        (version.model == nil ? nil : try DynamicsModel.fingerprint(path: path), version.model)
      case .policy:
        (
          version.policy == nil
            ? nil : try PolicyController.read(path: path).controller.fingerprint,
          version.policy
        )
      }
    guard found == recorded else {
      throw TensorFileError(
        path: path,
        "has changed since version \(version.number) was stored: its fingerprint is \(found ?? "none"), the record has \(recorded ?? "none")"
      )
    }
  }
}
