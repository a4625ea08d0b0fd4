// SPDX-License-Identifier: Apache-2.0
// report.html: one page with what was learnt, found and driven. In: the outcomes of fit, optimise, evaluate. Out: the page as data
// (ReportPage.swift), and the file.

import Formulas
import Foundation
import GaussianProcesses
import PolicySearch
import SafeText
import Samplers
import Tasks

/// A page about one task.
package struct Report {
  package var task: ControlTask
  package var fit: FittedModel?
  package var policy: OptimizedPolicy?
  package var evaluation: Evaluation?
  /// How the policy does beside the former one on its model, in words; nil where nobody compared them.
  package var besideFormer: String?
  /// The same episodes with other controllers.
  package var others: [ComparedController]
  /// Mean return of the evaluation's episodes; nil where nobody counted it.
  package var meanReturn: Double?
  /// What was promised of the evaluation before it, and how that was kept.
  package var promised: (promise: Promise, score: PromiseScore)?
  /// What goals are of at some logged states [n][G], where there is no fit; empty where goals are of the states.
  package var loggedGoals: [[Double]] = []
  /// The interaction loop so far.
  package var loop: LoopRecord?
  /// Whose numbers it shows.
  package var origin: ReportOrigin

  package init(
    task: ControlTask, fit: FittedModel? = nil, policy: OptimizedPolicy? = nil,
    besideFormer: String? = nil,
    evaluation: Evaluation? = nil, meanReturn: Double? = nil, others: [ComparedController] = [],
    promised: (promise: Promise, score: PromiseScore)? = nil, loggedGoals: [[Double]] = [],
    loop: LoopRecord? = nil, origin: ReportOrigin
  ) {
    self.promised = promised
    self.loggedGoals = loggedGoals
    self.loop = loop
    self.origin = origin
    self.task = task
    self.fit = fit
    (self.policy, self.besideFormer) = (policy, besideFormer)
    (self.evaluation, self.meanReturn, self.others) = (evaluation, meanReturn, others)
  }

  /// The page as data.
  package var page: ReportPage {
    var origin = origin
    (origin.task, origin.plant) = (task.place, task.plant?.sentence)
    if task.isSimulated { origin.isSimulated = true }
    origin.judged = task.judgedResponses
    origin.tracked = task.evaluation.tracked.map { task.goalChannels[$0.goal] }
      .map { .init(name: $0.name, units: $0.units) }
    if let evaluation { origin.episodes = evaluation.episodes.count }
    if origin.sampler == nil { origin.sampler = policy?.sampler.description }
    var sections: [ReportPage.Section] = []
    func add(_ kind: ReportPage.Section.Kind, _ blocks: [ReportPage.Block]) {
      sections.append(.init(kind: kind, origin: origin, blocks: blocks))
    }
    if let loop { add(.loop, loopSummary(loop)) }
    if let evaluation { add(.evaluation, evaluationSummary(evaluation)) }
    if let policy { add(.policy, policySummary(policy)) }
    if let fit { add(.model, fitSummary(fit)) }
    return ReportPage(title: task.name, sections: sections)
  }

  /// Writes the page, and beside it what it is drawn from; returns why a picture is missing, or nil.
  ///
  /// - Parameters:
  ///   - path: of the page, which ends in ".html".
  ///   - store: of the output folder, for the numbers of versions; nil for none.
  /// - Throws: `OutputError`.
  @discardableResult
  package func write(to path: String, versions store: VersionStore? = nil) throws -> PlotFailure? {
    let page = page
    try page.write(to: ReportPage.dataPath(of: path))
    return try page.writeHTML(to: path, store)
  }

  /// Path of the program that draws the pictures, if it is installed.
  package static var gnuplotPath: String? { Plot.gnuplotPath }
}

extension ControlTask.PlantChoice {
  /// In words, and whose it is.
  fileprivate var sentence: String {
    switch self {
    case .simulated: "\(words), simulated by BAGEL"
    case .process: "the program '\(words)'"
    case .own: "'\(words)', in Swift"
    }
  }
}

/// Radians are shown in degrees; everything else as it is.
package struct Unit {
  package let name: String
  private let factor: Double
  /// As the log has it.
  private let logged: String

  package init(_ units: String) {
    logged = units
    let isAngle = units == "rad" || units == "rad/s"
    factor = isAngle ? 180 / Double.pi : 1
    name = isAngle ? units.replacingOccurrences(of: "rad", with: "deg") : units
  }

  /// " (deg)" behind a name; nothing where units are unknown.
  package var suffix: String { name.isEmpty ? "" : " (\(name))" }

  /// A channel's name with its unit, once: without the one that the name may already end in ("height_m", "angle [rad]").
  package func axisTitle(_ channel: String) -> String {
    let endings = [name, logged].filter { !$0.isEmpty }
      .flatMap { ["(\($0))", "[\($0)]", " \($0)", "_\($0)"] }
    guard let ending = endings.first(where: channel.hasSuffix) else { return channel + suffix }
    let bare = channel.dropLast(ending.count).trimmingCharacters(in: .whitespaces)
    return (bare.isEmpty ? channel : bare) + suffix
  }

  package func convert(_ values: [Double]) -> [Double] { values.map { $0 * factor } }

  /// "0.0514 deg"; the number alone where units are unknown.
  package func shown(_ value: Double) -> String {
    number(factor * value) + (name.isEmpty ? "" : " " + name)
  }
}

/// Three significant digits; all before the point from 1,000 to 10 million.
package func number(_ value: Double) -> String {
  String(format: (1e3..<1e7).contains(abs(value)) ? "%.0f" : "%.3g", value)
}
