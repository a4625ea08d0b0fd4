// SPDX-License-Identifier: Apache-2.0
// What the sections of a task say: plant, model, policy, reward, evaluation, learning.

import Formulas
import GaussianProcesses
import MachineLogs
import ModelChoice
import Plants
import PolicySearch
import Policies
import Rollouts
import SafeText
import Samplers

extension ControlTask {
  /// Whether what it drives is one of BAGEL's own simulations.
  package var isSimulated: Bool { if case .simulated = plant { true } else { false } }

  /// What is driven.
  public enum PlantChoice: Hashable, Sendable {
    /// One of BAGEL's own, with some parameters changed.
    case simulated(String, parameters: [String: Double])
    /// Another program (`ExternalPlant`).
    case process(Process)

    public struct Process: Hashable, Sendable {
      public var command: [String]
      /// Where it runs: that of the task file.
      public var folder: String
      /// Seconds for the answer to a step, and to a reset.
      public var timeout = 2.0
      public var resetTimeout = 60.0
      /// What a step lasts; nil to find out by the first steps.
      public var clock: PlantClock?

      public init(command: [String], folder: String) {
        (self.command, self.folder) = (command, folder)
      }
    }

    public var name: String {
      switch self {
      case .simulated(let name, _): name
      case .process(let process): process.command.joined(separator: " ")
      }
    }

    /// The name and the parameters that are not the plant's own, in one line that a file may keep.
    public var words: String {
      guard case .simulated(_, let parameters) = self, !parameters.isEmpty else {
        return shortened(name, to: longestMessage)
      }
      let changed = parameters.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      return shortened("\(name) (\(changed.joined(separator: ", ")))", to: longestMessage)
    }
  }

  /// How the dynamics are modelled.
  public struct ModelOptions: Hashable, Sendable {
    public var fit = FitOptions()
    /// Rows of past actions (and of past states) that the model sees.
    public var actionHistory = 0
    public var stateHistory = 0
    /// Rows before an action has any effect (transport delay).
    public var actionDelay = 0
    /// Which parts of it are as they are here, and which are chosen by what they predict over the horizon.
    public var choice = ChoiceOptions()
    /// Output -> names of the states, commands and quantities that it reads; outputs that are not here read all.
    public var inputs: [String: [String]] = [:]
    /// Names of states on which the motion does not depend.
    public var ignored: [String] = []
    /// Position -> measured rate whose integral it is.
    public var integrals: [String: String] = [:]
    public var restPseudoData = 0
    public var sampler = SamplerOptions()
    public init() {}
  }

  /// The policy's form.
  public struct PolicyOptions: Hashable, Sendable {
    public var form = PolicyForm.network(hidden: [8, 8])
    /// Whether it integrates the errors of its goals; PID controllers do.
    public var integrates = false
    /// The goals whose errors are integrated and a PID controller reads; nil for those that the evaluation tracks.
    public var errors: [Int]?
    public var goalInput = GoalInput.none
    /// Probability that a unit before the last layer is dropped at a step of a search's rollouts.
    public var dropout = 0.0
    /// Rows of its own past actions that it sees.
    public var actionHistory = 0
    /// Whether it sees the disturbances.
    public var seesDisturbances = false
    public init() {}
  }

  /// One summand of the reward.
  public enum RewardTerm: Hashable, Sendable {
    case saturating(weights: [Double], width: Double, units: RewardUnits)
    case quadratic(weights: [Double], actionWeights: [Double], units: RewardUnits)
    case actionChange(Double)
    case formula(Formula)
    /// The posterior mean of a reward learnt from this column of the logs, times a weight.
    case learned(column: String, weight: Double)
  }

  /// What is known of the data behind a policy.
  public struct SearchedData: Sendable {
    /// Bounds of its states [S]; nil where nobody knows.
    public var bounds: [ClosedRange<Double>]?
    /// What goals are of at some of its states [n][G]; empty where goals are of the states.
    public var loggedGoals: [[Double]]

    public init(bounds: [ClosedRange<Double>]? = nil, loggedGoals: [[Double]] = []) {
      (self.bounds, self.loggedGoals) = (bounds, loggedGoals)
    }

    public init(_ description: PolicyDescription) {
      self.init(bounds: description.dataBounds, loggedGoals: description.loggedGoals)
    }
  }

  /// How a policy is judged on a plant.
  public struct EvaluationOptions: Hashable, Sendable {
    public var episodes = 16
    /// Seconds an episode.
    public var seconds = 15.0
    /// What is to reach its goal, at least one: judged by its tolerance and reported; states are spread at the start.
    public var tracked = [Tracked(goal: 0, tolerance: 0)] {
      didSet { precondition(!tracked.isEmpty, "an evaluation tracks nothing") }
    }
    /// Half width of the uniform spread of the tracked states about `start`, physical units.
    public var startSpread = 0.0
    /// Success: everything tracked within its tolerance of the goal from `settle` seconds on ...
    /// In a task file that does not say it: 4 s, or half of the shortest step to a goal where that ends before; with measures
    /// what the last steps leave of it.
    public var settle = 4.0
    /// ... and a mean absolute change of every action below this a step.
    public var largestActionChange = 0.1
    /// In place of the tolerance: what must be small in each of the last steps.
    public var measures: [Measure] = []
    public var lastSteps = 10
    /// Goals one after another, before the first the machine's own start; empty for one goal an episode.
    public var schedule: [ScheduledGoal] = []
    /// Seconds after which another goal is drawn; nil for none.
    public var goalInterval: Double?
    /// Seconds in which drawn goals, and those of a task file, move to the next.
    public var ramp = 0.0
    /// The schedule is a path, which is judged as a whole.
    public var isPath = false
    /// How far ahead the policy sees its goal, s.
    public var preview = 0.0
    public init() {}

    /// When each goal that is judged begins, s.
    public var goalTimes: [Double] {
      if let goalInterval {
        // The last one lasts until the end.
        let count = max(1, Int(seconds / goalInterval + 1e-9))
        return (0..<count).map { Double($0) * goalInterval }
      }
      return schedule.isEmpty || isPath ? [0] : schedule.map(\.time)
    }

    /// One of what goals are of.
    public struct Tracked: Hashable, Sendable {
      /// Its index.
      public var goal: Int
      /// Physical units; 0 where nothing is judged by it.
      public var tolerance: Double

      public init(goal: Int, tolerance: Double) {
        (self.goal, self.tolerance) = (goal, tolerance)
      }
    }

    public struct Measure: Hashable, Sendable {
      public var formula: Formula
      public var below: Double
    }
  }

  /// Whether a search or fit goes on from the last one.
  public enum Continuation: String, Hashable, Sendable {
    /// From the last one only.
    case warm
    case fresh
    /// The first start from the last one, the others afresh.
    case both
  }

  /// The interaction loop.
  public struct LearningOptions: Hashable, Sendable {
    /// Most trials on the plant after exploring.
    public var trials = 5
    public var policy = Continuation.both
    public var model = Continuation.warm
    /// Whether to stop at the first success.
    public var untilSolved = true
    public init() {}
  }
}
