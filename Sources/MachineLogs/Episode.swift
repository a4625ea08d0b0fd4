// SPDX-License-Identifier: Apache-2.0
// MachineLogs: a machine's log -> episodes on a fixed time step.
// In: CSV files, one row per sample: a time column (s), columns of states, actions and disturbances in their own units.
// Out: `Episode`s with states [T, S], actions [T, A] and disturbances [T, W]; row k + 1 follows row k by the time step,
// action k and disturbance k hold from row k to row k + 1. A `Standardiser` maps channels to mean 0 and deviation 1.
// Broken input throws `LogError` with file, line and column.

/// One uninterrupted stretch of a log on a fixed time step.
public struct Episode: Hashable, Sendable {
  /// Where it came from, for messages: "trial_1.csv" or "trial_1.csv (part 2)".
  package var name: String
  /// Seconds between rows.
  package var timeStep: Double
  /// [T][S]
  public var states: [[Double]]
  /// [T][A]; the last one may have had no effect yet.
  public var actions: [[Double]]
  /// [T][W]; empty where nothing disturbs.
  package var disturbances: [[Double]] = []
  /// Stamps of the log [T], s; empty where there is none.
  package var times: [Double] = []
  /// [T], NaN where it is not known, or empty where the log has no reward channel.
  package var rewards: [Double]
  /// What is odd about its log, in words for people.
  package var notes: [String] = []
  /// How its rows came from those of a log; nil of an episode that was not read from one.
  package var reading: Reading?

  /// What was done to the rows of a log.
  package struct Reading: Hashable, Sendable {
    /// The log, as messages name it.
    package var file: String
    /// The log's rows that went into the episode.
    package var rows: Int
    /// Whether they were put onto the time step's grid rather than taken as they stand.
    package var isResampled: Bool
    /// Rows of the episode within a hole of the log, interpolated.
    package var filled: Int
    /// What was understood of how the log is written, where that is not plain, in words for people.
    package var habits: [String] = []
  }

  /// - Parameters:
  ///   - name: for messages.
  ///   - timeStep: seconds between rows.
  ///   - states: [T][S], physical units.
  ///   - actions: [T][A], physical units; action k acts from row k to row k + 1.
  ///   - rewards: [T], NaN if not known; empty for none.
  public init(
    name: String, timeStep: Double, states: [[Double]], actions: [[Double]], rewards: [Double] = []
  ) {
    precondition(
      rewards.isEmpty || rewards.count == states.count,
      "\(states.count) states and \(rewards.count) rewards")
    self.rewards = rewards
    precondition(
      states.count == actions.count, "\(states.count) states and \(actions.count) actions")
    self.name = name
    self.timeStep = timeStep
    self.states = states
    self.actions = actions
  }

  /// T
  package var count: Int { states.count }

  /// Its first rows.
  package func prefix(_ rows: Int) -> Episode { rowsOnly(0..<min(rows, count)) }
  /// Without its first rows.
  package func dropFirst(_ rows: Int) -> Episode { rowsOnly(min(rows, count)..<count) }

  /// Exogenous inputs from a row on [A + W]: actions, then disturbances.
  ///
  /// - Parameters:
  ///   - row: whose disturbances these are.
  ///   - lag: rows by which the actions are earlier; -1 for those of the next row.
  package func exogenous(at row: Int, actionsAgo lag: Int = 0) -> [Double] {
    disturbances.isEmpty ? actions[row - lag] : actions[row - lag] + disturbances[row]
  }

  /// Disturbances of a row [W]; empty where nothing disturbs.
  package func disturbances(at row: Int) -> [Double] {
    disturbances.isEmpty ? [] : disturbances[row]
  }

  /// These rows of it.
  package func rowsOnly(_ rows: Range<Int>) -> Episode {
    var part = self
    part.states = Array(states[rows])
    part.actions = Array(actions[rows])
    part.disturbances = disturbances.isEmpty ? [] : Array(disturbances[rows])
    part.times = times.isEmpty ? [] : Array(times[rows])
    part.rewards = rewards.isEmpty ? [] : Array(rewards[rows])
    return part
  }
}

/// A channel of a log: a column, or derived from one.
package struct Channel: Hashable, Sendable, Codable {
  package enum Source: Hashable, Sendable, Codable {
    /// A column, of the channel's own name unless `columnName` is another.
    case column
    /// (x_k - x_{k-1}) / T of another state or column, smoothed by a first-order filter of this time constant (s; 0 for
    /// none): causal, so a controller computes it too (`CausalSignals`).
    case rate(of: String, filterTime: Double)
  }

  package var name: String
  /// For people: "rad", "m/s".
  package var units: String
  package var source: Source
  /// A full turn in the channel's units, of an angle that turns round; nil otherwise.
  package var turn: Double?
  /// The file's name of the column (for a rate, of its base's), where it is not what `source` says.
  package var columnName: String?
  /// What logs hold the column in, where that is not `units`: logs are converted when they are read and written.
  package var loggedUnits: String?
  /// What is done with rows where it has no value; nil for refusing the log.
  package var missing: MissingValues?

  package init(
    name: String, units: String = "", source: Source = .column, columnName: String? = nil
  ) {
    self.name = name
    self.units = units
    self.source = source
    self.columnName = columnName
  }

  /// From a log's units to the channel's; nil where they are the same.
  package var conversion: UnitConversion? {
    loggedUnits.flatMap { UnitConversion(from: $0, to: units) }
  }

  /// The column this channel is read from.
  package var column: String {
    if let columnName { return columnName }
    return switch source {
    case .column: name
    case .rate(let base, _): base
    }
  }
}

/// A channel that acts on the machine and that nobody commands: a load, the oil's temperature, an engine's speed.
package struct Disturbance: Hashable, Sendable, Codable {
  package var channel: Channel
  /// Whether it is the same over an episode.
  package var isConstant: Bool

  package init(_ channel: Channel, isConstant: Bool = false) {
    (self.channel, self.isConstant) = (channel, isConstant)
  }
}

/// How columns become states, actions and disturbances.
package struct LogLayout: Hashable, Sendable, Codable {
  package var states: [Channel]
  package var actions: [Channel]
  /// What disturbs; nil where nothing does.
  private var ownDisturbances: [Disturbance]?
  package var disturbances: [Disturbance] {
    get { ownDisturbances ?? [] }
    set { ownDisturbances = newValue.isEmpty ? nil : newValue }
  }
  /// Channels of the exogenous inputs, which act on the machine and do not follow from its states [A + W]: actions, then
  /// disturbances.
  package var exogenous: [Channel] { actions + disturbances.map(\.channel) }
  /// Seconds.
  package var timeStep: Double
  /// A column with rewards to learn, or nil.
  package var rewardColumn: String?
  /// nil for the first of `LogLayout.usualTimeColumns` that exists.
  package var timeColumn: String?
  /// What the stamps of logs count; nil where the logs tell.
  package var timeUnit: TimeUnit?

  /// Numbers of the states that are measured; the others are derived.
  package var measured: [Int] { states.indices.filter { states[$0].source == .column } }

  /// Columns that states are read from, each once, in the order of the states [C].
  package var measuredColumns: [String] {
    var seen: Set<String> = []
    return states.map(\.column).filter { seen.insert($0).inserted }
  }

  /// First rows of an episode in which some state is not known: a derived rate wants two measurements.
  package var unknownRows: Int { states.contains { $0.source != .column } ? 1 : 0 }

  /// What `LogWriter` writes: time, measured columns, actions, disturbances, perhaps a reward.
  package var writtenColumns: [String] {
    [timeColumn ?? Self.usualTimeColumns[0]] + measuredColumns + exogenous.map(\.column)
      + (rewardColumn.map { [$0] } ?? [])
  }

  package static let usualTimeColumns = ["t", "time", "timestamp", "seconds", "time_s"]

  private enum CodingKeys: String, CodingKey {
    case states, actions, timeStep, rewardColumn, timeColumn, timeUnit
    case ownDisturbances = "disturbances"
  }

  package init(
    states: [Channel], actions: [Channel], timeStep: Double, timeColumn: String? = nil
  ) {
    self.states = states
    self.actions = actions
    self.timeStep = timeStep
    self.timeColumn = timeColumn
  }
}
