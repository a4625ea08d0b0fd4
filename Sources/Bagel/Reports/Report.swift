// SPDX-License-Identifier: Apache-2.0
// report.html: one page with what was learnt, found and driven, its pictures inside it (no other files,
// no scripts). In: the outcomes of fit, optimise, evaluate. Out: HTML text.

import Formulas
import Foundation
import GaussianProcesses
import PolicySearch
import SafeText
import Samplers
import Tasks

/// A page about one task.
public struct Report {
  public var task: ControlTask
  public var fit: FittedModel?
  public var policy: OptimizedPolicy?
  public var evaluation: Evaluation?
  /// The same episodes with a PID controller.
  public var rival: Evaluation?
  /// What was promised of the evaluation before it, and how that was kept.
  public var promised: (promise: Promise, score: PromiseScore)?
  /// What goals are of at some logged states [n][G], where there is no fit; empty where goals are of the states.
  public var loggedGoals: [[Double]] = []
  /// The interaction loop so far.
  public var loop: LoopRecord?
  /// Whose numbers it shows, in its last line.
  public var origin: ReportOrigin

  public init(
    task: ControlTask, fit: FittedModel? = nil, policy: OptimizedPolicy? = nil,
    evaluation: Evaluation? = nil, rival: Evaluation? = nil,
    promised: (promise: Promise, score: PromiseScore)? = nil, loggedGoals: [[Double]] = [],
    loop: LoopRecord? = nil, origin: ReportOrigin
  ) {
    self.promised = promised
    self.loggedGoals = loggedGoals
    self.loop = loop
    self.origin = origin
    self.task = task
    self.fit = fit
    self.policy = policy
    (self.evaluation, self.rival) = (evaluation, rival)
  }

  /// Writes the page; returns why a picture is missing, or nil. Throws: Foundation's file errors.
  @discardableResult public func write(to path: String) throws -> PlotFailure? {
    var failure: PlotFailure?
    let figures = pictures.map { plot in
      do throws(PlotFailure) {
        return "<figure>\(try plot.svg())</figure>"
      } catch {
        failure = failure ?? error
        return "<p><em>\(escapedForHTML(plot.title))</em>: \(noPicture(error)).</p>"
      }
    }
    var html = [
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">",
      "<title>BAGEL: \(escapedForHTML(task.name))</title>",
      "<style>\(pageStyle)</style></head><body>",
      "<h1>\(escapedForHTML(task.name))</h1>",
    ]
    if let loop { html += loopSummary(loop) }
    if let evaluation { html += evaluationSummary(evaluation) }
    html += figures
    if let policy { html += policySummary(policy) }
    if let fit { html += fitSummary(fit) }
    html.append("<p>\(escapedForHTML(origin.words))</p></body></html>\n")
    try html.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return failure
  }

  /// Path of the program that draws the pictures, if it is installed.
  public static var gnuplotPath: String? { Plot.gnuplotPath }
}

/// Whose numbers a report shows. Files with the same fingerprints have the same numbers.
public struct ReportOrigin: Hashable, Sendable {
  public var seed: UInt64
  /// `DynamicsModel.fingerprint`, where there is a model.
  public var model: String?
  /// `PolicyController.fingerprint`, where there is a policy.
  public var policy: String?

  public init(seed: UInt64, model: String?, policy: String? = nil) {
    (self.seed, self.model, self.policy) = (seed, model, policy)
  }

  /// "Seed 3; model 0123456789abcdef; policy fedcba9876543210."
  var words: String {
    let parts = ["Seed \(seed)", model.map { "model \($0)" }, policy.map { "policy \($0)" }]
    return parts.compactMap(\.self).joined(separator: "; ") + "."
  }
}

/// In the place of a picture, in HTML.
package func noPicture(_ failure: PlotFailure) -> String {
  "no picture: \(escapedForHTML("\(failure)"))"
}

/// Of every page.
package let pageStyle = """
  body{font:16px/1.45 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}
  table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;
  border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}figure{margin:1em 0}
  .words td:nth-child(2){text-align:left}.good{color:#176b2c}.bad{color:#a3201d}
  """

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
public func number(_ value: Double) -> String {
  String(format: (1e3..<1e7).contains(abs(value)) ? "%.0f" : "%.3g", value)
}
