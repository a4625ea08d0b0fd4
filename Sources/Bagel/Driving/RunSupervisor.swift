// SPDX-License-Identifier: Apache-2.0
// Between a run and its controller: the watch over the rows, the fallback that may drive instead of the controller, and what the log
// records of both. In: rows, and actions as they are sent. Out: whether to go on, and who drives.

import MachineLogs
import Policies
import Tasks
import Watching

/// Watches a run, and says who drives.
final class RunSupervisor {
  private(set) var watch: RunWatch?
  private let options: WatchOptions
  /// nil holds the safe action.
  private var fallback: ControllerRun?
  private let safeAction: [Double]
  /// Hears every finding, once it is known who drives.
  private let tell: (WatchFinding, WatchResponse) -> Void
  /// Findings of the run, the first ones; a run of days has no more.
  private(set) var findings: [WatchFinding] = []
  private(set) var counts: [WatchedMatter: Int] = [:]
  /// Row from which on the fallback drives; nil while the controller does.
  private(set) var fallbackStep: Int?
  /// Whether the safe action drives in the fallback's place: a controller would go by a sensor that is frozen.
  private(set) var holds: Bool
  private var step = 0
  /// The number of the row in the column `watch` of the log.
  private(set) var mark = 0

  /// Findings that are kept.
  private static let mostFindings = 1_000
  /// Bits of the column beside those of `WatchedMatter.bit`.
  private static let (fallbackBit, overrideBit) = (16, 32)

  /// - Parameters:
  ///   - watch: over the run; nil for none.
  ///   - options: what follows findings.
  ///   - fallback: a policy; nil for the safe action.
  ///   - safeAction: [A]
  ///   - tell: called for every finding.
  init(
    watch: RunWatch?, options: WatchOptions, fallback: PolicyController?, safeAction: [Double],
    tell: @escaping (WatchFinding, WatchResponse) -> Void
  ) {
    (self.watch, self.options, self.safeAction) = (watch, options, safeAction)
    self.fallback = fallback?.begin()
    holds = fallback == nil
    self.tell = tell
  }

  /// Takes a row; why the run must end, in words, or nil.
  func take(_ row: MeasuredRow) -> String? {
    defer { step += 1 }
    mark = (fallbackStep == nil ? 0 : Self.fallbackBit) + (row.isOverridden ? Self.overrideBit : 0)
    var end: String?
    for finding in watch?.findings(row) ?? [] {
      let response = options[finding.matter]
      if response == .off { continue }
      mark |= finding.matter.bit
      counts[finding.matter, default: 0] += 1
      if findings.count < Self.mostFindings { findings.append(finding) }
      // It drives already.
      let isNew = fallbackStep == nil || finding.matter == .frozen && !holds
      defer { tell(finding, response == .fallback && !isNew ? .warn : response) }
      switch response {
      case .off, .warn: break
      case .fallback:
        fallbackStep = fallbackStep ?? step
        holds = holds || finding.matter == .frozen
        mark |= Self.fallbackBit
      case .stop: end = end ?? "the watch stopped it at step \(step): \(finding.words)"
      }
    }
    return end
  }

  /// The fallback's action [A] for what was observed; nil while the controller drives. It is asked at every row all the same: what it
  /// remembers follows what is sent.
  func action(observed: [Double], goal: [Double]) -> [Double]? {
    let action = fallback?.action(observed: observed, goal: goal)
    if fallbackStep == nil { return nil }
    return holds ? safeAction : action ?? safeAction
  }

  /// What was sent [A]: a fallback goes on from there.
  func sent(_ action: [Double]) { fallback?.sent(action) }
}
