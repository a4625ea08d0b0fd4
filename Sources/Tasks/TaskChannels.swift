// SPDX-License-Identifier: Apache-2.0
// The machine's channels in a task: what logs have of each, and how a controller may use it. Units are the channel's own.

import MachineLogs
import Policies

/// A state that is measured or derived.
package struct StateChannel: Hashable, Sendable {
  package var channel: Channel
  /// Where episodes end; nil for nowhere.
  package var limits: ClosedRange<Double>?
  /// Standard deviation of its sensor's noise that rollouts are to show the policy.
  package var noise = 0.0

  package init(_ channel: Channel, limits: ClosedRange<Double>? = nil, noise: Double = 0) {
    (self.channel, self.limits, self.noise) = (channel, limits, noise)
  }
}

/// An actuator's command.
package struct ActionChannel: Hashable, Sendable {
  package var channel: Channel
  package var limits: ClosedRange<Double>
  /// Largest change per second; nil for any.
  package var rateLimit: Double?
  /// What is sent before an episode and at its end.
  package var safe: Double

  /// - Parameters:
  ///   - channel: its name and units.
  ///   - limits: without end where nobody commands it.
  ///   - rateLimit: largest change per second; nil for any.
  ///   - safe: nil for zero, or what of the limits is nearest to it.
  package init(
    _ channel: Channel, limits: ClosedRange<Double> = -Double.infinity...Double.infinity,
    rateLimit: Double? = nil, safe: Double? = nil
  ) {
    (self.channel, self.limits, self.rateLimit) = (channel, limits, rateLimit)
    self.safe = safe ?? Policy.rest(within: limits)
  }
}

extension ControlTask {
  /// A task of these channels, without limits unless they are given.
  ///
  /// - Parameters:
  ///   - layout: channels and time step.
  ///   - actionLimits: one per action; nil for none.
  package init(_ layout: LogLayout, actionLimits: [ClosedRange<Double>]? = nil) {
    self.init()
    setChannels(of: layout, actionLimits: actionLimits)
  }

  /// Takes other channels in place of the task's.
  package mutating func setChannels(
    of layout: LogLayout, actionLimits: [ClosedRange<Double>]? = nil
  ) {
    states = layout.states.map { StateChannel($0) }
    actions = layout.actions.enumerated().map { j, channel in
      actionLimits.map { ActionChannel(channel, limits: $0[j]) } ?? ActionChannel(channel)
    }
    take(layout)
  }

  /// Changes how logs hold the channels; which channels there are stays.
  package mutating func changeLayout(_ change: (inout LogLayout) -> Void) {
    var layout = self.layout
    change(&layout)
    precondition(
      layout.states.count == states.count && layout.actions.count == actions.count,
      "\(layout.states.count) states and \(layout.actions.count) actions in place of \(states.count) and \(actions.count)"
    )
    for (i, channel) in layout.states.enumerated() { states[i].channel = channel }
    for (j, channel) in layout.actions.enumerated() { actions[j].channel = channel }
    take(layout)
  }

  /// What of a layout is no state and no action.
  private mutating func take(_ layout: LogLayout) {
    disturbances = layout.disturbances
    (timeStep, timeColumn, timeUnit) = (layout.timeStep, layout.timeColumn, layout.timeUnit)
    rewardColumn = layout.rewardColumn
  }

  /// How columns of logs become the channels.
  package var layout: LogLayout {
    var layout = LogLayout(
      states: states.map(\.channel), actions: actions.map(\.channel), timeStep: timeStep,
      timeColumn: timeColumn)
    layout.disturbances = disturbances
    (layout.timeUnit, layout.rewardColumn) = (timeUnit, rewardColumn)
    return layout
  }

  /// One per action, physical units.
  package var actionLimits: [ClosedRange<Double>] { actions.map(\.limits) }
  /// What actuators are sent before an episode and at its end [A].
  package var safeAction: [Double] { actions.map(\.safe) }
  /// Largest change of an action per step, or nil [A].
  package var largestActionChanges: [Double?] {
    actions.map { $0.rateLimit.map { $0 * timeStep } }
  }
}
