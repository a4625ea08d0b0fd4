// SPDX-License-Identifier: Apache-2.0
// A task's plant while it is driven: made, varied, run by the episode, and closed with the safe action at every end. In: a task, a
// controller or an exploration. Out: what each episode did (`EpisodeRun.Outcome`). One session drives one machine.

import Draws
import Faults
import MachineLogs
import Plants
import Policies
import PolicySearch
import Tasks

/// A plant that is driven for a task. It is closed at the latest when nobody holds the session any more.
package final class PlantSession {
  package let task: ControlTask
  private var plant: any Plant
  /// Whether an episode has begun since it was made or closed.
  private var isOpen = false

  /// - Parameters:
  ///   - task: that names the plant.
  ///   - spread: every parameter of a simulated plant is multiplied by a factor within 1 - spread ... 1 + spread.
  ///   - seed: of those factors.
  /// - Throws: as `ControlTask.makePlant`.
  package convenience init(_ task: ControlTask, spread: Double = 0, seed: UInt64 = 0) throws {
    self.init(task, driving: try task.makePlant(spread: spread, seed: seed))
  }

  package init(_ task: ControlTask, driving plant: any Plant) {
    (self.task, self.plant) = (task, plant)
  }

  deinit { close() }

  /// Whether it is more than one of BAGEL's own simulations.
  package var isMachine: Bool { !(plant is any SimulatedPlant) }

  /// Why its program cannot start, as far as that shows without starting it; nil where nothing speaks against it.
  package var obstacle: String? { (plant as? ExternalPlant)?.obstacle }

  /// Goes on with another plant of the task; see `init`.
  package func vary(by spread: Double, seed: UInt64) throws {
    close()
    plant = try task.makePlant(spread: spread, seed: seed)
  }

  /// Sends the safe action and lets the plant go; the next episode meets it again.
  package func close() {
    guard isOpen else { return }
    isOpen = false
    plant.close(safeAction: task.safeAction)
  }

  /// One episode.
  ///
  /// - Parameters:
  ///   - run: its length, limits, log.
  ///   - state: where a simulated plant starts [S]; nil where the plant decides.
  ///   - seed: of the plant's noise.
  ///   - name: of the episode.
  ///   - action: [A] for a step's number and what was observed [S + W].
  /// - Throws: `PlantFailure` where its channels are not the task's.
  package func run(
    _ run: EpisodeRun, from state: [Double]? = nil, seed: UInt64, name: String,
    action: (_ step: Int, _ observed: [Double]) -> [Double]
  ) throws -> EpisodeRun.Outcome {
    isOpen = true
    return try run.run(
      &plant, from: state.map { task.initialState($0, of: plant) }, seed: seed, name: name,
      controller: action)
  }

  /// One episode of a controller; also returns its goals one after another.
  ///
  /// - Parameters:
  ///   - controller: the policy with its numbers.
  ///   - index: of the episode; with the seed it determines start, goal and noise.
  ///   - seed: see `index`.
  ///   - data: behind the policy, where start or goal are drawn from it.
  ///   - name: of the episode.
  ///   - log: where rows are written as they come.
  ///   - isLearntFrom: the plant must say a reward if the task learns one.
  ///   - goesOn: asked at every step; false ends the episode with the safe action.
  /// - Throws: `LogError`, `PlantFailure`.
  package func drive(
    _ controller: PolicyController, index: Int, seed: UInt64,
    within data: ControlTask.SearchedData = .init(), name: String, log: LogWriter? = nil,
    isLearntFrom: Bool = false, goesOn: @escaping () -> Bool = { true }
  ) throws -> (outcome: EpisodeRun.Outcome, goals: [ControlTask.EvaluationOptions.ScheduledGoal]) {
    let key = DrawKey(seed: seed, stream: .evaluation)
    let distribution = try task.evaluation.schedule.isEmpty ? task.drawnGoals(within: data) : nil
    // No two episodes have a goal of the same number.
    let count = task.evaluation.goalTimes.count
    var goals = GoalSchedule(task) { number in
      distribution?.spreadGoal(episode: index * count + number, key: key) ?? []
    }
    var controllerRun = controller.begin()
    var run = task.episodeRun(seconds: task.evaluation.seconds)
    run.log = log
    run.needsReward = isLearntFrom
    run.goesOn = goesOn
    run.sent = { controllerRun.sent($0) }
    let states = task.layout.states.count
    let outcome = try self.run(
      run, from: isMachine ? nil : task.firstState(key, index, data.bounds),
      seed: seed &* 1_000_003 &+ 7_919 &+ UInt64(index), name: name
    ) { step, observed in
      if step == 0 { goals.begin(Array(observed.prefix(states))) }
      return controllerRun.action(observed: observed, goal: goals.seenGoal(step: step))
    }
    return (outcome, goals.goals)
  }
}

extension ControlTask {
  fileprivate func drawnGoals(within data: SearchedData) throws -> StateDistribution {
    if case .bounds = objective.goal, data.bounds == nil {
      throw LogError(
        file: place,
        "draws goals from the bounds of the training data, but this policy file has no bounds",
        remedy: .optimize)
    }
    return try goals(amongLogged: data.loggedGoals, bounds: data.bounds ?? [])
  }

  /// Where an episode of a simulated plant starts [S]; nil where the plant decides: starts drawn from logged states.
  fileprivate func firstState(
    _ key: DrawKey, _ index: Int, _ bounds: [ClosedRange<Double>]?
  ) -> [Double]? {
    let isKnown =
      switch objective.start {
      case .logged: false
      case .bounds: bounds != nil
      case .fixed, .uniform, .normal, .rows, .reached, .cells: true
      }
    guard hasStart, isKnown else { return nil }
    var first = objective.start.resolved(bounds: bounds ?? [])
      .draw(particle: index, key: key, for: .initialStates)
    let spread = key.uniforms(particle: index, step: 0, count: evaluation.tracked.count)
    let tracked = evaluation.tracked.map(\.goal)
    // Goals of quantities have no spread (it is refused).
    if objective.goalQuantities == nil {
      for (state, u) in zip(tracked, spread) {
        first[state] += evaluation.startSpread * (2 * u - 1)
      }
      // A reference that begins with staying begins at rest.
      if let begin = evaluation.schedule.first, begin.time > 0 {
        for state in first.indices where !tracked.contains(state) {
          first[state] = begin.goal[state]
        }
      }
    }
    return first
  }
}
