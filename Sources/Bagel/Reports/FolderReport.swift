// SPDX-License-Identifier: Apache-2.0
// The report of an output folder: the newest part of each kind that the folder's commands left (ReportPage.swift). In: a folder. Out: one
// page of the machine as it is known now. Missing parts are made from other files: the loop's record, the policy.

import Foundation
import MachineLogs
import Policies
import Tasks

/// The page of an output folder.
package struct FolderReport {
  package let page: ReportPage
  /// Names of the files that it was made from, in the folder.
  package let sources: [String]
  /// Why parts are left out, a sentence each.
  package private(set) var damaged: [String] = []
  private let store: VersionStore

  /// Files of pages, in the folder, and the command that makes each. `learn` has its own folder.
  private static let parts = [
    ("report-fit.json", "fit"), ("report-optimize.json", "optimize"),
    ("report-evaluate.json", "evaluate"), ("learn/report.json", "learn"), ("report.json", "demo"),
  ]

  /// - Parameters:
  ///   - task: whose folder it is.
  ///   - folder: of the output.
  /// - Throws: `LogError` where there is nothing to report; `LoopError`, `TensorFileError`.
  package init(of task: ControlTask, in folder: String) throws {
    store = VersionStore(folder: folder)
    var (sections, used):
      ([ReportPage.Section.Kind: ReportPage.Section], [ReportPage.Section.Kind: String]) = (
        [:], [:]
      )
    var title: String?
    for (name, command) in Self.parts {
      let found: ReportPage?
      do {
        found = try ReportPage.read("\(folder)/\(name)")
      } catch let error as LogError {
        damaged.append("\(error); `bagel \(command)` writes it again")
        continue
      }
      guard let page = found else { continue }
      title = title ?? page.title
      for section in page.sections {
        if let other = sections[section.kind], other.origin.date > section.origin.date { continue }
        (sections[section.kind], used[section.kind]) = (section, name)
      }
    }
    if sections[.loop] == nil, let record = try LoopFolder(path: folder + "/learn").record() {
      sections[.loop] =
        Report(task: task, loop: record, origin: ReportOrigin(seed: record.seed, model: nil)).page
        .sections.first
      used[.loop] = "learn/loop.json"
    }
    let path = folder + "/policy.safetensors"
    if sections[.policy] == nil, sections[.evaluation] == nil,
      FileManager.default.fileExists(atPath: path)
    {
      let (controller, description) = try PolicyController.read(
        path: path, for: task.policyDescription)
      let version = store.current(.policy)
      var origin = ReportOrigin(
        seed: version?.seed, model: description.model, policy: controller.fingerprint,
        description: description, policyFile: path)
      if let date = version?.date { origin.date = date }
      sections[.policy] = ReportPage.Section(
        kind: .policy, origin: origin,
        blocks: [
          .heading("Policy", level: 2),
          .words(
            description.predictedReturn.map { "Its return on its model is \(number($0))." }
              ?? "Its return is not known."),
        ])
      used[.policy] = "policy.safetensors"
    }
    guard !sections.isEmpty else {
      throw LogError(
        file: folder,
        damaged.isEmpty
          ? "has nothing to report yet: it contains no model, policy or episode"
          : "has nothing that can be reported: " + damaged.joined(separator: "; "))
    }
    let (kinds, names) = (ReportPage.Section.Kind.allCases, Self.parts.map(\.0))
    page = ReportPage(title: title ?? task.name, sections: kinds.compactMap { sections[$0] })
    sources =
      names.filter(used.values.contains) + used.values.filter { !names.contains($0) }.sorted()
  }

  /// Writes the page; returns why a picture is missing, or nil. Throws: `OutputError`.
  package func write(to path: String) throws -> PlotFailure? { try page.writeHTML(to: path, store) }
}
