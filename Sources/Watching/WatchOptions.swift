// SPDX-License-Identifier: Apache-2.0
// The responses of a run to the findings of its watch.

/// What follows a finding.
package enum WatchResponse: String, Hashable, Sendable, CaseIterable {
  /// It is not looked for.
  case off
  /// It is said, and stands in the log.
  case warn
  /// What the task names as its fallback drives from then on.
  case fallback
  /// The run ends with the safe action.
  case stop
}

/// Responses by matter.
package struct WatchOptions: Hashable, Sendable {
  /// Nothing ends a run unless the task says so: a simulation without noise repeats its values at rest.
  package var responses: [WatchedMatter: WatchResponse] = [
    .beyondData: .warn, .innovation: .warn, .frozen: .warn, .late: .warn,
  ]

  package init() {}

  package subscript(matter: WatchedMatter) -> WatchResponse { responses[matter] ?? .warn }
}
