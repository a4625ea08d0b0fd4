// SPDX-License-Identifier: Apache-2.0
// The options in the sections of a task: plant, model, policy, reward, evaluation, learning.

import Formulas
import GaussianProcesses
import MachineLogs
import ModelChoice
import Plants
import PolicySearch
import Policies
import SafeText
import Samplers

extension ControlTask {
  /// Whether what it drives is one of BAGEL's own simulations.
  package var isSimulated: Bool { if case .simulated = plant { true } else { false } }

  /// What is driven.
  package enum PlantChoice: Hashable, Sendable {
    /// One of BAGEL's own, with some parameters changed.
    case simulated(String, parameters: [String: Double])
    /// Another program (`ExternalPlant`).
    case process(Process)
    /// A user's own, in this process.
    case own(Own)

    package struct Own: Hashable, Sendable {
      package let name: String
      package let make: @Sendable (ControlTask) -> any Plant

      package init(name: String, make: @escaping @Sendable (ControlTask) -> any Plant) {
        (self.name, self.make) = (name, make)
      }

      /// By name: what makes it cannot be compared.
      package static func == (a: Own, b: Own) -> Bool { a.name == b.name }
      package func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }

    package struct Process: Hashable, Sendable {
      package var command: [String]
      /// Where it runs: that of the task file.
      package var folder: String
      /// Seconds for the answer to a step, and to a reset.
      package var timeout = 2.0
      package var resetTimeout = 60.0
      /// What a step lasts; nil to find out by the first steps.
      package var clock: PlantClock?

      package init(command: [String], folder: String) {
        (self.command, self.folder) = (command, folder)
      }
    }

    package var name: String {
      switch self {
      case .simulated(let name, _): name
      case .process(let process): process.command.joined(separator: " ")
      case .own(let own): own.name
      }
    }

    /// The name and the parameters that are not the plant's own, in one line that a file may keep.
    package var words: String {
      guard case .simulated(_, let parameters) = self, !parameters.isEmpty else {
        return shortened(name, to: longestMessage)
      }
      let changed = parameters.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      return shortened("\(name) (\(changed.joined(separator: ", ")))", to: longestMessage)
    }
  }

  /// How the dynamics are modelled.
  package struct ModelOptions: Hashable, Sendable {
    package var fit = FitOptions()
    /// Rows of past actions (and of past states) that the model sees.
    package var actionHistory = 0
    package var stateHistory = 0
    /// Rows before an action has any effect (transport delay).
    package var actionDelay = 0
    /// Which parts of it are as they are here, and which are chosen by what they predict over the horizon.
    package var choice = ChoiceOptions()
    /// Output -> names of the states, commands and quantities that it reads; outputs that are not here read all.
    package var inputs: [String: [String]] = [:]
    /// Names of states on which the motion does not depend.
    package var ignored: [String] = []
    /// Position -> measured rate whose integral it is.
    package var integrals: [String: String] = [:]
    package var restPseudoData = 0
    package var sampler = SamplerOptions()
    package init() {}
  }

  /// The policy's form.
  package struct PolicyOptions: Hashable, Sendable {
    package var form = PolicyForm.network(hidden: [8, 8])
    /// Whether it integrates the errors of its goals; PID controllers do.
    package var integrates = false
    /// The goals whose errors are integrated and a PID controller reads; nil for those that the evaluation tracks.
    package var errors: [Int]?
    package var goalInput = GoalInput.none
    /// Probability that a unit before the last layer is dropped at a step of a search's rollouts.
    package var dropout = 0.0
    /// Rows of its own past actions that it sees.
    package var actionHistory = 0
    /// Whether it sees the disturbances.
    package var seesDisturbances = false
    package init() {}
  }

  /// What is known of the data behind a policy.
  package struct SearchedData: Sendable {
    /// Bounds of its states [S]; nil where nobody knows.
    package var bounds: [ClosedRange<Double>]?
    /// What goals are of at some of its states [n][G]; empty where goals are of the states.
    package var loggedGoals: [[Double]]

    package init(bounds: [ClosedRange<Double>]? = nil, loggedGoals: [[Double]] = []) {
      (self.bounds, self.loggedGoals) = (bounds, loggedGoals)
    }

    package init(_ description: PolicyDescription) {
      self.init(bounds: description.dataBounds, loggedGoals: description.loggedGoals)
    }
  }

  /// How a policy is judged on a plant.
  package struct EvaluationOptions: Hashable, Sendable {
    package var episodes = 16
    /// Seconds an episode.
    package var seconds = 15.0
    /// What is to reach its goal, at least one: judged by its tolerance and reported; states are spread at the start.
    package var tracked = [Tracked(goal: 0, tolerance: 0)] {
      didSet { precondition(!tracked.isEmpty, "an evaluation tracks nothing") }
    }
    /// Half width of the uniform spread of the tracked states about `start`, physical units.
    package var startSpread = 0.0
    /// Success: everything tracked within its tolerance of the goal from `settle` seconds on ...
    /// In a task file that does not say it: 4 s, or half of the shortest step to a goal where that ends before; with measures
    /// what the last steps leave of it.
    package var settle = 4.0
    /// ... and a mean absolute change of every action below this a step.
    package var largestActionChange = 0.1
    /// In place of the tolerance: what must be small in each of the last steps.
    package var measures: [Measure] = []
    package var lastSteps = 10
    /// Goals one after another, before the first the machine's own start; empty for one goal an episode.
    package var schedule: [ScheduledGoal] = []
    /// Seconds after which another goal is drawn; nil for none.
    package var goalInterval: Double?
    /// Seconds in which drawn goals, and those of a task file, move to the next.
    package var ramp = 0.0
    /// The schedule is a path, which is judged as a whole.
    package var isPath = false
    /// How far ahead the policy sees its goal, s.
    package var preview = 0.0
    package init() {}

    /// When each goal that is judged begins, s.
    package var goalTimes: [Double] {
      if let goalInterval {
        // The last one lasts until the end.
        let count = max(1, Int(seconds / goalInterval + 1e-9))
        return (0..<count).map { Double($0) * goalInterval }
      }
      return schedule.isEmpty || isPath ? [0] : schedule.map(\.time)
    }

    /// One of what goals are of.
    package struct Tracked: Hashable, Sendable {
      /// Its index.
      package var goal: Int
      /// Physical units; 0 where nothing is judged by it.
      package var tolerance: Double

      package init(goal: Int, tolerance: Double) {
        (self.goal, self.tolerance) = (goal, tolerance)
      }
    }

    package struct Measure: Hashable, Sendable {
      package var formula: Formula
      package var below: Double
    }
  }

  /// Whether a search or fit goes on from the last one.
  package enum Continuation: String, Hashable, Sendable {
    /// From the last one only.
    case warm
    case fresh
    /// The first start from the last one, the others afresh.
    case both
  }

  /// The interaction loop.
  package struct LearningOptions: Hashable, Sendable {
    /// Most trials on the plant after exploring.
    package var trials = 5
    package var policy = Continuation.both
    package var model = Continuation.warm
    /// Whether to stop at the first success.
    package var untilSolved = true
    package init() {}
  }
}
