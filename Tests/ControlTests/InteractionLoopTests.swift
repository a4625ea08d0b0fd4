// SPDX-License-Identifier: Apache-2.0
// The interaction loop: it learns a pendulum, a killed loop goes on with the same bits, changed tasks are refused with
// the change, failures of the plant lose nothing; schedules and their steps.

import Bagel
import Foundation
import MachineLogs
import Plants
import Tasks
import TestSupport
import Testing

private func files(_ folder: String) throws -> [String: Data] {
  let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
    $0.hasSuffix(".csv") || $0.hasPrefix("policy") || $0.hasPrefix("model")
  }
  return Dictionary(
    uniqueKeysWithValues: try names.map {
      ($0, try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0)))
    })
}

@Suite("interaction loop")
struct InteractionLoopTests {
  @Test("interrupted at any stage it goes on with the same bits")
  func resume() throws {
    let folder = try Scratch.folder()
    let task = try QuickPendulum.task()
    var whole = try InteractionLoop(task: task, folder: folder + "/whole", seed: 3)
    let isFinished = try whole.run { _ in true }
    #expect(isFinished && whole.record.trials.count == 3 && whole.isFinished)
    // A process that ends after the n-th event, until there is nothing left to do.
    var pieces = 0
    while pieces < 100 {
      pieces += 1
      var events = 0
      var loop = try InteractionLoop(task: task, folder: folder + "/pieces", seed: 3)
      let allowed = 1 + pieces % 4
      if try loop.run({ _ in
        events += 1; return events < allowed || pieces > 12
      }) {
        break
      }
    }
    #expect(pieces > 3)
    let (one, other) = (try files(folder + "/whole"), try files(folder + "/pieces"))
    #expect(one.count >= 4 + 3 + 3)
    for (name, data) in one { #expect(other[name] == data, "\(name)") }
  }

  @Test("a task that has changed is refused with the change; --force goes on")
  func changes() throws {
    let folder = try Scratch.folder()
    var loop = try InteractionLoop(task: try QuickPendulum.task(), folder: folder, seed: 3)
    _ = try loop.run { _ in false }
    let changed = try QuickPendulum.task {
      $0.replacingOccurrences(of: "layers: [4]", with: "layers: [5]")
    }
    let error = #expect(throws: LoopError.self) {
      try InteractionLoop(task: changed, folder: folder, seed: 3)
    }
    let message = error.map { "\($0)" } ?? ""
    #expect(
      message.contains("- policy: {layers: [4]}") && message.contains("+ policy: {layers: [5]}"))
    #expect(throws: LoopError.self) {
      try InteractionLoop(task: try QuickPendulum.task(), folder: folder, seed: 4)
    }
    let forced = try InteractionLoop(task: changed, folder: folder, seed: 3, mayDiffer: true)
    #expect(forced.record.episodes.count == 1)
    // A trial with the old policy's kind, then another kind: it starts afresh in place of from the last.
    var first = try InteractionLoop(
      task: try QuickPendulum.task(), folder: folder, seed: 3, mayDiffer: true)
    _ = try first.run { event in
      if case .tried = event { return false }
      return true
    }
    #expect(first.record.trials.count == 1)
    var other = try InteractionLoop(task: changed, folder: folder, seed: 3, mayDiffer: true)
    let isFinished = try other.run { _ in true }
    #expect(isFinished && other.record.trials.count == 4 && other.record.judgedTrials.count == 3)
    // Comments do not matter.
    let commented = try QuickPendulum.task {
      "# a comment\n" + $0.replacingOccurrences(of: "layers: [4]", with: "layers: [5]")
    }
    _ = try InteractionLoop(task: commented, folder: folder, seed: 3)
    // Other limits: the earlier policies are still where the search begins.
    let weaker = try QuickPendulum.task {
      $0.replacingOccurrences(of: "limits: [-2.5, 2.5]", with: "limits: [-2.4, 2.4]")
    }
    var limited = try InteractionLoop(task: weaker, folder: folder, seed: 3, mayDiffer: true)
    let isDone = try limited.run { _ in true }
    #expect(isDone && limited.record.judgedTrials.count == 3)
  }

  @Test(
    "one process at a time; what a changed task has not judged is not solved; --vary is remembered")
  func guarded() throws {
    let folder = try Scratch.folder()
    func open(_ task: ControlTask, spread: Double = 0, mayDiffer: Bool = false) throws
      -> InteractionLoop
    {
      try InteractionLoop(task: task, folder: folder, seed: 3, spread: spread, mayDiffer: mayDiffer)
    }
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "no error"
    }
    let task = try QuickPendulum.task()
    var loop = try open(task)
    var (meanwhile, moving) = ("", "")
    var stale = try open(task)
    let isFinished = try loop.run { event in
      if case .fitted(1, _) = event {
        moving = message { try InteractionLoop.moveAway(folder) }
        meanwhile = message {
          var other = try open(task)
          _ = try other.run { _ in true }
        }
      }
      return true
    }
    #expect(isFinished && loop.record.judgedTrials.count == 3)
    #expect(meanwhile.contains("another bagel process is using"))
    #expect(moving.contains("another bagel process is using"))
    #expect(message { _ = try stale.run { _ in true } }.contains("has continued in"))
    #expect(message { _ = try open(task, spread: 0.1) }.contains("the spread 0.0, not 3 and 0.1"))
    let stricter = try QuickPendulum.task {
      $0.replacingOccurrences(of: "below: 0.2", with: "below: 0.1")
    }
    let judged = try open(stricter, mayDiffer: true)
    #expect(judged.record.trials.count == 3 && judged.record.judgedTrials.isEmpty)
    #expect(!judged.isFinished && !judged.record.isSolved)
    let slower = try QuickPendulum.task {
      $0.replacingOccurrences(of: "name: torque", with: "name: moment")
    }
    #expect(
      message { _ = try open(slower, mayDiffer: true) }.contains(
        "used together; start from the beginning"))
  }

  @Test("a plant that dies in a trial leaves its rows, and the loop goes on with them")
  func failure() throws {
    let folder = try Scratch.folder()
    // A first-order machine that ends at its 60th message, once.
    let script = """
      n=0; x=0
      while read -r line; do
        n=$((n+1))
        case "$line" in
          *close*) exit 0;;
          *reset*) x=0;;
          *) u=$(echo "$line" | sed 's/.*\\[\\(.*\\)\\].*/\\1/'); x=$(awk "BEGIN{print 0.9*$x+0.1*$u}");;
        esac
        if [ $n -ge 60 ] && [ ! -e '\(folder)/died' ]; then touch '\(folder)/died'; exit 1; fi
        echo "{\\"state\\":[$x]}"
      done
      """
    try script.write(toFile: folder + "/plant.sh", atomically: true, encoding: .utf8)
    let task = try ControlTask(
      yaml: """
        name: shell
        timeStep: 0.1
        states: [{name: x}]
        actions: [{name: u, limits: [-1, 1]}]
        plant: {process: [sh, \(folder)/plant.sh]}
        explore: {kind: random, seconds: 4}
        reward: {quadratic: {weights: [1]}}
        start: [0]
        goal: [0.5]
        optimise: {particles: 16, horizon: 20, iterations: 20, starts: 1}
        evaluate: {seconds: 3, tolerance: 0.05, settle: 2}
        learn: {trials: 1}
        """, file: "shell.yaml", folder: ".")
    var loop = try InteractionLoop(task: task, folder: folder + "/loop", seed: 1)
    var failure: (any Error)?
    do { _ = try loop.run { _ in true } } catch { failure = error }
    #expect((failure as? EpisodeFailure)?.cause is PlantFailure)
    #expect("\(failure as Any)".contains("exit code 1"))
    let rows = try #require(loop.record.trials.first?.rows)
    #expect(loop.record.trials.first?.failure != nil && rows > 5)
    let log = try String(contentsOfFile: folder + "/loop/episode-001.csv", encoding: .utf8)
    #expect(log.split(separator: "\n").count == rows + 1)
    var again = try InteractionLoop(task: task, folder: folder + "/loop", seed: 1)
    #expect(again.record.trials.count == 1)
    var transitions = 0
    let isFinished = try again.run { event in
      if case .fitted(_, let fit) = event { transitions = fit.model.processes[0].x.rows }
      return true
    }
    #expect(isFinished && again.record.trials.last?.failure == nil)
    // The rows before the death are among what was learnt from.
    #expect(transitions == 40 + rows - 1)
  }

  @Test(
    "a plant that fails in a trial's reset fails the loop by name, which goes on when it is mended")
  func failureInReset() throws {
    let folder = try Scratch.folder()
    // Dies at its second reset and, started again, at its first; then it is mended.
    let script = """
      n=0; k=0
      while read -r line; do
        case "$line" in
          *close*) exit 0;;
          *reset*)
            n=$((n+1))
            if [ $n = 2 ] && [ ! -e '\(folder)/died' ]; then touch '\(folder)/died'; exit 5; fi
            if [ $n = 1 ] && [ -e '\(folder)/died' ] && [ ! -e '\(folder)/again' ]; then
              touch '\(folder)/again'; exit 5
            fi;;
        esac
        k=$((k+1)); echo "{\\"state\\":[0.$((k*k%7)),0.$((k*3%10))]}"
      done
      """
    let task = try QuickPendulum.task(plant: script, in: folder)
    var loop = try InteractionLoop(task: task, folder: folder + "/loop", seed: 1)
    var failure: (any Error)?
    do { _ = try loop.run { _ in true } } catch { failure = error }
    #expect((failure as? EpisodeFailure)?.cause is PlantFailure)
    #expect("\(failure as Any)".contains("exit code 5"))
    #expect(loop.record.episodes.count == 1)
    var again = try InteractionLoop(task: task, folder: folder + "/loop", seed: 1)
    _ = try again.run { event in
      if case .tried = event { return false }
      return true
    }
    #expect(again.record.trials.count == 1)
  }

  @Test("a plant that ended between episodes is started again once, and that is said")
  func startedAgain() throws {
    let folder = try Scratch.folder()
    let script = """
      n=0; k=0
      while read -r line; do
        case "$line" in
          *close*) exit 0;;
          *reset*) n=$((n+1)); if [ $n = 2 ]; then exit 5; fi;;
        esac
        k=$((k+1)); echo "{\\"state\\":[0.$((k*k%7)),0.$((k*3%10))]}"
      done
      """
    let task = try QuickPendulum.task(plant: script, in: folder)
    var remarks: [String] = []
    var loop = try InteractionLoop(task: task, folder: folder + "/loop", seed: 1)
    _ = try loop.run { event in
      if case .drove(let outcome) = event { remarks += outcome.remarks }
      if case .tried = event { return false }
      return true
    }
    #expect(loop.record.trials.count == 1)
    #expect(remarks.count == 1 && remarks[0].contains("had ended between episodes"))
  }

  @Test("exploring that ends too early begins again with other actions, and then says what to do")
  func exploringAgain() throws {
    let folder = try Scratch.folder()
    // Leaves its limits at the second step, but where the file is.
    let script = """
      k=0
      while read -r line; do
        case "$line" in *close*) exit 0;; *reset*) k=0;; esac
        k=$((k+1)); x=$k; [ -e '\(folder)/mended' ] && x=$((k*k%3))
        echo "{\\"state\\":[0.$x,$x]}"
      done
      """
    try script.write(toFile: folder + "/plant.sh", atomically: true, encoding: .utf8)
    let task = try QuickPendulum.task {
      $0.replacingOccurrences(
        of: "plant: pendulum", with: "plant: {process: [sh, \(folder)/plant.sh]}"
      ).replacingOccurrences(
        of: "{name: rate, units: rad/s}", with: "{name: rate, units: rad/s, limits: [-8, 2.5]}")
    }
    var again: [String] = []
    func explore() throws {
      var loop = try InteractionLoop(task: task, folder: folder + "/loop", seed: 1)
      _ = try loop.run { event in
        if case .exploringAgain(let outcome) = event { again.append(outcome.earlyEnd ?? "") }
        if case .fitted = event { return false }
        return true
      }
    }
    let failure = #expect(throws: LoopError.self) { try explore() }
    #expect(failure.map { "\($0)" }?.contains("start from the beginning") == true)
    #expect(again.count == 4 && again[0].contains("'rate' left its limits at step 2"))
    let logs = try (1...4).map {
      try String(contentsOfFile: folder + "/loop/episode-000-short-\($0).csv", encoding: .utf8)
    }
    #expect(Set(logs).count == 4, "the actions differ")
    #expect(FileManager.default.createFile(atPath: folder + "/mended", contents: nil))
    try explore()
    #expect(again.count == 4)
  }

  @Test("an interrupted exploration begins no other episode")
  func interruptedExploration() throws {
    var task = try QuickPendulum.task()
    task.exploration.episodes = 3
    var steps = 0
    let episodes = try task.trainingEpisodes {
      steps += 1
      return steps < 10
    }
    #expect(episodes.count == 1 && steps == 11)
  }

  @Test("a plant that fails at once is not part of the loop, which begins when it is mended")
  func failureAtOnce() throws {
    let folder = try Scratch.folder()
    func task(_ script: String) throws -> ControlTask {
      try QuickPendulum.task {
        $0.replacingOccurrences(
          of: "plant: pendulum", with: "plant: {process: [sh, -c, \"\(script)\"]}")
      }
    }
    var broken = try InteractionLoop(task: try task("exit 2"), folder: folder, seed: 1)
    var failure: (any Error)?
    do { _ = try broken.run { _ in true } } catch { failure = error }
    #expect((failure as? EpisodeFailure)?.cause is PlantFailure)
    #expect(broken.record.episodes.isEmpty)
    let mended = try QuickPendulum.task()
    var loop = try InteractionLoop(task: mended, folder: folder, seed: 1, mayDiffer: true)
    _ = try loop.run { _ in false }
    #expect(loop.record.episodes.count == 1)
  }

  @Test("a step on the plant that is interrupted leaves the loop where it was")
  func interruptedEpisode() throws {
    let folder = try Scratch.folder()
    let task = try QuickPendulum.task()
    var loop = try InteractionLoop(task: task, folder: folder, seed: 3)
    var steps = 0
    let isFinished = try loop.run(goesOn: {
      steps += 1; return steps < 10
    }) { _ in true }
    #expect(!isFinished && loop.record.episodes.isEmpty)
    var again = try InteractionLoop(task: task, folder: folder, seed: 3)
    #expect(again.record.episodes.isEmpty)
    _ = try again.run { _ in false }
    #expect(again.record.episodes.count == 1)
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(files.contains("episode-000-interrupted-1.csv"))
  }

  @Test("the built-in pendulum is learnt")
  func pendulum() throws {
    let folder = try Scratch.folder()
    let task = try ControlTask("pendulum")
    var loop = try InteractionLoop(task: task, folder: folder, seed: 1)
    let isFinished = try loop.run { _ in true }
    #expect(isFinished && loop.record.isSolved, "\(loop.record.trials.map(\.predictedReturn))")
  }

  @Test("a schedule's steps are judged one by one")
  func schedule() throws {
    let task = try ControlTask("boom-goals")
    let timeStep = task.layout.timeStep
    // At each goal from 4 s after its switch, but for the third, which is missed by 2 degrees.
    let goals =
      [ControlTask.EvaluationOptions.ScheduledGoal(time: 0, goal: [0.1, 0])]
      + task.evaluation.schedule
    var episode = Episode(name: "ideal", timeStep: timeStep, states: [], actions: [])
    for k in 0...3_200 {
      let time = Double(k) * timeStep + 1e-9
      let index = goals.lastIndex { $0.time <= time } ?? 0
      let early = index > 0 && time - goals[index].time < 4
      let goal = goals[early ? index - 1 : index].goal[0]
      episode.states.append([goal + (index == 3 && !early ? 0.035 : 0), 0])
      episode.actions.append([0])
    }
    let evaluated = EpisodeJudge(task).judge(episode, goals: goals)
    #expect(
      evaluated.steps.map(\.isSuccess) == [true, true, true, false]
        + Array(repeating: true, count: 5))
    #expect(!evaluated.isSuccess)
    #expect(abs(evaluated.steps[3].tracked[0].steadyStateError - 0.035) < 1e-9)
    #expect(
      evaluated.steps[1].tracked[0].riseTime == 0 && evaluated.steps[5].tracked[0].overshoot < 1e-12
    )
    // Two states that are to reach their goals: the second one misses its goal from 60 s on.
    var both = task
    both.evaluation.tracked = [0, 1].map { goal in
      .init(goal: goal, tolerance: task.evaluation.tracked[0].tolerance)
    }
    for k in 0...3_200 where Double(k) * timeStep > 60 { episode.states[k][1] = 0.2 }
    let judged = EpisodeJudge(both).judge(episode, goals: goals)
    #expect(
      judged.steps.map(\.isSuccess) == [true, true, true, false] + Array(repeating: false, count: 5)
    )
    #expect(judged.steps[5].tracked.map(\.goal) == [0, 1])
    #expect(judged.steps[5].tracked[0].largestError < 1e-12)
    #expect(abs(judged.steps[5].tracked[1].largestError - 0.2) < 1e-12)
    #expect(both.criterion.contains("|angle - goal|") && both.criterion.contains("|rate - goal|"))
  }
}
