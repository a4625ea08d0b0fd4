// SPDX-License-Identifier: Apache-2.0
// The origin of a report's numbers: versions, date, seed, policy, model, plant. In: a page, and the versions of its folder.
// Out: a table for its head, remarks on parts that do not belong together, and a table of the policy's versions.

import Foundation
import MachineLogs
import Policies
import Tasks

/// Whose numbers a report shows. Files with the same fingerprints have the same numbers.
package struct ReportOrigin: Codable, Hashable, Sendable {
  /// nil where nobody knows.
  package var seed: UInt64?
  /// `DynamicsModel.fingerprint`, where there is a model.
  package var model: String?
  /// `PolicyController.fingerprint`, where there is a policy.
  package var policy: String?
  /// As the command named the policy's file.
  package var policyFile: String?
  /// What the policy is, and which sampler its search read, in words.
  package var form: String?
  package var sampler: String?
  /// By how much simulated plants varied from episode to episode, a fraction.
  package var spread: Double
  /// When the numbers were made, ISO 8601, and by which BAGEL.
  package var date: String
  package var bagel = bagelVersion
  /// The task's file or name, and its plant, in words.
  var task: String?
  var plant: String?
  var isSimulated: Bool?
  var episodes: Int?
  /// What responses' errors are of (`ControlTask.judgedResponses`), and names and units of those.
  var judged: String?
  var tracked: [Tracked]?

  struct Tracked: Codable, Hashable, Sendable {
    var name: String
    var units: String
  }

  /// - Parameters:
  ///   - seed: of the command.
  ///   - model: its fingerprint.
  ///   - policy: its fingerprint.
  ///   - description: of the policy.
  ///   - policyFile: as the command names it.
  ///   - spread: of the plant's parameters.
  ///   - date: of the numbers.
  package init(
    seed: UInt64?, model: String?, policy: String? = nil, description: PolicyDescription? = nil,
    policyFile: String? = nil, spread: Double = 0, date: Date = Date()
  ) {
    (self.seed, self.model, self.policy) = (seed, model, policy)
    (self.policyFile, self.spread) = (policyFile, spread)
    (form, sampler) = (description?.words, description?.sampler)
    self.date = ISO8601DateFormatter().string(from: date)
  }
}

extension PolicyDescription {
  /// "network with hidden layers of 8 and 8, sees the goal's error"
  var words: String {
    let name =
      switch form {
      case .network(let hidden):
        hidden.isEmpty
          ? "linear"
          : "network, \(counted(hidden.count, "hidden layer")) of \(hidden.map { "\($0)" }.joined(separator: " and ")) units"
      case .radialBasis(let count): "\(counted(count, "Gaussian basis function"))"
      case .pid: "PID controller"
      case .custom(let name): name
      }
    let memory = inputs.actionHistory
    return name + (form != .pid && !inputs.integrated.isEmpty ? ", with integral action" : "")
      + (memory > 0 ? ", reads its last \(counted(memory, "command"))" : "")
  }
}

/// What a page states.
struct ReportFacts {
  private let page: ReportPage
  /// Of the part that is nearest to the machine: its page it is.
  private let origin: ReportOrigin?
  private let all: [Version]
  private let current: (model: Version?, policy: Version?)
  private static let mostVersions = 8

  init(_ page: ReportPage, _ store: VersionStore?) {
    self.page = page
    let order: [ReportPage.Section.Kind] = [.evaluation, .loop, .policy, .model]
    origin = order.lazy.compactMap { kind in page.sections.first { $0.kind == kind } }.first?.origin
    all = store?.versions ?? []
    current = (store?.current(.model), store?.current(.policy))
  }

  /// The first of the page's parts that knows it, those of another policy left out.
  private func known<T>(_ fact: (ReportOrigin) -> T?) -> T? {
    origin.flatMap(fact)
      ?? page.sections.lazy.map(\.origin).filter { $0.policy == origin?.policy }.compactMap(fact)
      .first
  }

  var table: ReportPage.Block {
    guard let origin else { return .words("Nothing is known yet.") }
    var rows: [(String, String?)] = [
      ("made", "\(Self.date(origin.date)), by BAGEL \(origin.bagel)"),
      ("task", origin.task), ("plant", origin.plant),
    ]
    if origin.isSimulated == true {
      rows.append(
        (
          "variation of the plant",
          origin.spread > 0
            ? "each parameter within \(number(100 * origin.spread)) % of its value, drawn anew for every episode"
            : "none: the same parameters in every episode"
        ))
    }
    rows += [("seed", origin.seed.map { "\($0)" }), ("episodes", origin.episodes.map { "\($0)" })]
    if let policy = origin.policy {
      let parts = [
        known(\.policyFile), version(.policy, policy), known(\.form),
      ]
      rows += [
        ("policy", parts.compactMap(\.self).joined(separator: "; ")), ("sampler", known(\.sampler)),
      ]
    }
    if let model = origin.model { rows.append(("model", version(.model, model))) }
    let prints = [origin.model.map { "model \($0)" }, origin.policy.map { "policy \($0)" }]
    let fingerprints = prints.compactMap(\.self).joined(separator: "; ")
    rows.append(("fingerprints", fingerprints.isEmpty ? nil : fingerprints))
    return .table(
      head: [],
      rows: rows.compactMap { name, words in
        words.flatMap { $0.isEmpty ? nil : [ReportPage.Cell(name), ReportPage.Cell($0)] }
      })
  }

  /// "version 3, the current one"; nil where no version has the fingerprint.
  private func version(_ kind: Version.Kind, _ fingerprint: String) -> String? {
    let own = kind == .policy ? current.policy : current.model
    let isSame = { (version: Version) in
      version.kind == kind
        && (kind == .policy ? version.policy : version.model) == fingerprint
    }
    guard let found = own.flatMap({ isSame($0) ? $0 : nil }) ?? all.last(where: isSame) else {
      return nil
    }
    return "version \(found.number)" + (found.number == own?.number ? ", the current one" : "")
  }

  /// What a reader must know first.
  var remarks: [ReportPage.Block] {
    guard let policy = origin?.policy, let current = current.policy, let other = current.policy,
      other != policy
    else { return [] }
    return [
      .words(
        "The current policy is version \(current.number), not the one of this page.", mood: .bad)
    ]
  }

  /// Of a part that is not of the same making as the page.
  func remarks(on section: ReportPage.Section) -> [ReportPage.Block] {
    guard let origin, section.origin != origin else { return [] }
    var words: [String] = []
    let own = section.origin
    if let task = own.task, let other = origin.task, Self.name(task) != Self.name(other) {
      words.append("this part belongs to another task than the page (\(task))")
    }
    if let policy = own.policy, let other = origin.policy, policy != other {
      let name = version(.policy, policy) ?? "another one"
      words.append("this part belongs to another policy than the page (\(name))")
    }
    if let model = own.model, let other = origin.model, model != other {
      let name = version(.model, model) ?? "another one"
      words.append("this part belongs to another model than the page (\(name))")
    }
    let isOther = !words.isEmpty
    if own.date != origin.date || own.seed != origin.seed {
      words.append("made \(Self.date(own.date))" + (own.seed.map { ", seed \($0)" } ?? ""))
    }
    if words.isEmpty { return [] }
    return [.words(sentence(words), mood: isOther ? .bad : .soft)]
  }

  private func sentence(_ words: [String]) -> String {
    let text = words.joined(separator: "; ")
    return text.prefix(1).uppercased() + text.dropFirst() + "."
  }

  /// The policies of the folder beside each other, the last ones; empty of one alone.
  var versions: [ReportPage.Block] {
    let policies = all.filter { $0.kind == .policy }
    guard policies.count > 1 else { return [] }
    let tracked = origin?.tracked ?? []
    let rows = policies.suffix(Self.mostVersions).map { version -> [ReportPage.Cell] in
      let isOwn = version.policy == origin?.policy
      let noted =
        version.plantErrors.flatMap { $0.judged == origin?.judged ? $0.values : nil } ?? []
      let errors = tracked.indices.map { t -> ReportPage.Cell in
        let values = noted.filter { $0.indices.contains(t) }.map { $0[t] }
        let mean = values.reduce(0, +) / Double(values.count)
        return ReportPage.Cell(
          values.isEmpty ? "-" : number(Unit(tracked[t].units).convert([mean])[0]))
      }
      let facts = [
        "\(version.number)" + (version.number == current.policy?.number ? " (current)" : ""),
        Self.date(version.date), version.seed.map { "\($0)" } ?? "-",
        version.predictedReturn.map(number) ?? "-",
        version.plantEpisodes.map { "\(version.plantSuccesses ?? 0) of \($0)" } ?? "-",
      ]
      return facts.map { ReportPage.Cell($0, isBold: isOwn) } + errors
    }
    return [
      .heading("Versions of the policy", level: 2),
      .words(
        "The version of this page is bold. Errors are those of its last episodes on the plant."
      ),
      .table(
        head: [
          "version", "found", "seed", "return on its model", "episodes that succeed on the plant",
        ]
          + tracked.map { "mean error of \($0.name)\(Unit($0.units).suffix)" },
        rows: rows),
    ]
  }

  /// Of a task, wherever its file is.
  private static func name(_ task: String) -> Substring? { task.split(separator: "/").last }

  /// "2026-11-30 21:50:12 UTC"
  private static func date(_ text: String) -> String {
    text.hasSuffix("Z") ? text.dropLast().replacing("T", with: " ") + " UTC" : text
  }
}
