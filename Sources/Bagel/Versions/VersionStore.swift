// SPDX-License-Identifier: Apache-2.0
// Every model and every policy of an output folder, none of them lost:
//
//   OUTPUT/versions/3/version.json       what it is: date, seed, task, fingerprints, figures
//   OUTPUT/versions/3/policy.safetensors      or model.safetensors and watch.safetensors
//   OUTPUT/policy.safetensors            the current one: the same bytes (one file of two names where the file system can)
//
// A version is written beside the others and renamed into its place whole; so is the current one. Whoever ends the process in between
// leaves whole files.

import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Tasks

/// A kept model or policy.
public struct Version: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, Sendable { case model, policy }
  public var number = 0
  public var kind: Kind
  /// When it was made, ISO 8601.
  public var date: String
  /// nil where nobody knows: it stood in the folder, and no version did.
  public var seed: UInt64?
  public var task: String
  /// Fingerprints of the model (a policy's is the one it was found on) and of the policy.
  public var model: String?
  public var policy: String?
  /// Fingerprint of the episodes that a model was learnt from.
  public var data: String?
  /// In words: what is known of how good it is.
  public var words: String
  /// A policy's return on its model, and what it did on the plant since.
  public var predictedReturn: Double?
  public var plantSuccesses: Int?
  public var plantEpisodes: Int?

  public init(kind: Kind, date: Date = Date(), seed: UInt64?, task: String, words: String) {
    (self.kind, self.seed, self.task, self.words) = (kind, seed, task, words)
    self.date = ISO8601DateFormatter().string(from: date)
  }

  /// The file that commands read.
  public var file: String { kind.rawValue + ".safetensors" }
}

extension Version {
  /// A model that was fitted.
  public init(of fit: FittedModel, _ task: ControlTask, seed: UInt64) {
    let rows = fit.training.reduce(0) { $0 + $1.count }
    let verdict = fit.horizons.map { "; held out: \($0.verdict)" } ?? ""
    self.init(
      kind: .model, seed: seed, task: task.name,
      words: "learnt from \(counted(rows, "row"))\(verdict)")
    (model, data) = (fit.model.fingerprint, fingerprint(of: fit.training))
  }

  /// A policy that was searched.
  public init(of found: OptimizedPolicy, _ description: PolicyDescription, seed: UInt64) {
    let value = description.predictedReturn.map { "return \(Bagel.number($0)) on its model" }
    self.init(
      kind: .policy, seed: seed, task: description.task, words: value ?? "without a return")
    (model, policy) = (description.model, found.best.fingerprint)
    predictedReturn = description.predictedReturn
  }
}

/// The versions of an output folder.
public struct VersionStore {
  public let folder: String
  private static let recordName = "version.json"
  private var root: String { "\(folder)/versions" }

  public init(folder: String) { self.folder = folder }

  /// The path of a version's file.
  public func path(_ version: Version) -> String { "\(root)/\(version.number)/\(version.file)" }

  /// All that can be read, by number.
  public var versions: [Version] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    return names.compactMap { name -> Version? in
      guard let number = Int(name), number > 0, "\(number)" == name,
        let data = FileManager.default.contents(atPath: "\(root)/\(name)/\(Self.recordName)"),
        var version = try? JSONDecoder().decode(Version.self, from: data)
      else { return nil }
      version.number = number
      return version
    }.sorted { $0.number < $1.number }
  }

  /// The version whose bytes stand in the folder; nil where there is none.
  public func current(_ kind: Version.Kind) -> Version? {
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
  public func add(_ version: Version, write: (_ folder: String) throws -> Void) throws -> Version {
    let new = "\(root)/.new"
    let files = FileManager.default
    try? files.removeItem(atPath: new)
    try writing(new) {
      try files.createDirectory(atPath: new, withIntermediateDirectories: true)
    }
    defer { try? files.removeItem(atPath: new) }
    try write(new)
    if let same = current(version.kind),
      files.contentsEqual(atPath: path(same), andPath: "\(new)/\(version.file)")
    {
      return same
    }
    var version = version
    let names = (try? files.contentsOfDirectory(atPath: root)) ?? []
    version.number = 1 + (names.compactMap { Int($0) }.max() ?? 0)
    try save(version, in: new)
    let target = "\(root)/\(version.number)"
    guard rename(new, target) == 0 else {
      throw OutputError(
        description: "cannot write \(target): \(String(cString: strerror(errno)))")
    }
    return version
  }

  /// Writes down what became known of a version. Throws: `OutputError`.
  public func note(_ version: Version) throws { try save(version, in: "\(root)/\(version.number)") }

  /// Writes down what a policy did on the plant, if it is one of the versions. Throws: `OutputError`.
  public func note(_ evaluation: Evaluation, of policy: String) throws {
    guard var version = versions.last(where: { $0.kind == .policy && $0.policy == policy }) else {
      return
    }
    (version.plantSuccesses, version.plantEpisodes) = (
      evaluation.successes, evaluation.episodes.count
    )
    try note(version)
  }

  /// A file of the current model that has changed, into its version. Throws: `OutputError`.
  public func copyBack(_ name: String) throws {
    guard let version = current(.model) else { return }
    let target = "\(root)/\(version.number)/\(name)"
    try writing(target) {
      try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
        .write(to: URL(fileURLWithPath: target), options: .atomic)
    }
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
  @discardableResult public func use(_ version: Version) throws -> Version? {
    let former = try adopt(version.kind)
    if former?.number == version.number { return nil }
    let files = FileManager.default
    let names = (try? files.contentsOfDirectory(atPath: "\(root)/\(version.number)")) ?? []
    // A model's watch first: a run that finds it alone says that it is of another model.
    for name in names.sorted().reversed() where name.hasSuffix(".safetensors") {
      try point("\(folder)/\(name)", to: "\(root)/\(version.number)/\(name)")
    }
    return former
  }

  /// The current one; where it is none of the versions, it becomes one. Throws: `OutputError`.
  @discardableResult public func adopt(_ kind: Version.Kind) throws -> Version? {
    if let version = current(kind) { return version }
    let path = "\(folder)/\(kind.rawValue).safetensors"
    let files = FileManager.default
    guard files.fileExists(atPath: path) else { return nil }
    let date = (try? files.attributesOfItem(atPath: path)[.modificationDate]) as? Date
    let found = Version(
      kind: kind, date: date ?? Date(), seed: nil, task: "", words: "found in the folder")
    return try add(found) { place in
      let target = "\(place)/\(kind.rawValue).safetensors"
      try writing(target) { try files.copyItem(atPath: path, toPath: target) }
    }
  }

  /// One more name for a file, or a copy where the file system has no second names, renamed into its place.
  private func point(_ path: String, to file: String) throws {
    let new = path + ".new"
    unlink(new)
    if link(file, new) != 0 {
      try writing(path) { try FileManager.default.copyItem(atPath: file, toPath: new) }
    }
    guard rename(new, path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(new)
      throw OutputError(description: "cannot write \(path): \(reason)")
    }
    // POSIX: two names of one file are left as they are.
    unlink(new)
  }
}

/// 16 hexadecimal digits of the SHA-256 of episodes: states, commands and disturbances.
public func fingerprint(of episodes: [Episode]) -> String {
  let hashes = episodes.map { episode in
    (episode.states + episode.actions + episode.disturbances).flatMap { $0 }
      .withUnsafeBytes { sha256($0) }
  }
  return String(sha256(hashes.joined().utf8).prefix(16))
}
