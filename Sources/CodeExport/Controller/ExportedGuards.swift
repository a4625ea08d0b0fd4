// SPDX-License-Identifier: Apache-2.0
// The checks of an exported controller besides its action: the part of a run's watch that needs no model, and the limits
// that end episodes. In: rows. Out: a status, whose bits a caller logs and responds to.

import Formulas
import MachineLogs
import Policies
import Watching

/// What a step of an exported controller may find; bits of its status.
package enum ControllerFinding: String, Sendable, CaseIterable {
  /// A measurement, the goal or the action is not finite: the action is the resting one, and the row is not remembered.
  case notFinite
  case beyondData, frozen, late
  /// A state or quantity is outside its limits: the controller stops.
  case leftLimits
  /// The controller has stopped: its action is the resting one until it is reset.
  case stopped
  /// The controller holds: its action goes to the resting one within the rate limits, until it is reset.
  case holding

  package var bit: Int { 1 << (Self.allCases.firstIndex(of: self) ?? 0) }

  /// As a macro's name ends.
  var cName: String {
    switch self {
    case .notFinite: "NOT_FINITE"
    case .beyondData: "BEYOND_DATA"
    case .frozen: "FROZEN"
    case .late: "LATE"
    case .leftLimits: "LEFT_LIMITS"
    case .stopped: "STOPPED"
    case .holding: "HOLDING"
    }
  }

  var words: String {
    switch self {
    case .notFinite:
      "a measurement, the goal or the action is not finite (NaN or infinite): the action is the resting one, the row is not remembered"
    case .beyondData: "a state is well outside the data behind the policy"
    case .frozen: "a sensor repeats its value longer than in its log"
    case .late: "two time steps or more since the last measurement whose numbers were finite"
    case .leftLimits: "a state or quantity is outside its limits"
    case .stopped: "stopped: the action is the resting one until the next reset"
    case .holding:
      "holding: the action goes to the resting one within its rate limits, until the next reset"
    }
  }
}

/// What is looked for, and what follows.
package struct ExportedGuards: Sendable {
  /// Of the data behind the policy: of states, and after them of the disturbances that it sees; nil where nobody knows.
  package var bounds: [ClosedRange<Double>]?
  /// Rows with one value from which on a sensor is frozen, by its column; columns that are not here are not judged.
  package var longestRepeats: [String: Int]
  /// Where states and quantities of them end an episode.
  package var limits: [(quantity: Quantity, range: ClosedRange<Double>)]
  /// What follows; `fallback` holds the resting action here.
  package var responses: WatchOptions
  /// The task's fallback in words, where it is none that exported code has.
  package var fallback: String?

  package init(
    bounds: [ClosedRange<Double>]? = nil, longestRepeats: [String: Int] = [:],
    limits: [(quantity: Quantity, range: ClosedRange<Double>)] = [],
    responses: WatchOptions = WatchOptions(), fallback: String? = nil
  ) {
    self.fallback = fallback
    (self.bounds, self.longestRepeats) = (bounds, longestRepeats)
    (self.limits, self.responses) = (limits, responses)
  }

  /// Nothing is looked for but numbers that are not finite.
  package static var none: ExportedGuards {
    var responses = WatchOptions()
    for matter in WatchedMatter.allCases { responses.responses[matter] = .off }
    return ExportedGuards(responses: responses)
  }

  /// Matters that are looked for in exported code: innovations need the model.
  static let watched: [(matter: WatchedMatter, finding: ControllerFinding)] = [
    (.beyondData, .beyondData), (.frozen, .frozen), (.late, .late),
  ]
}
