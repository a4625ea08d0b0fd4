// SPDX-License-Identifier: Apache-2.0
// When a trial of the loop is solved: a success is judged over further episodes, failures among them are learnt from, a judging
// that was interrupted goes on with the same bits; and what `learn` says of it.

import Bagel
import Foundation
import Plants
import Policies
import Tasks
import TestSupport
import Testing

/// A loop whose plant succeeds or fails as it is told, by the number of the episode after exploring.
private struct ToldPlant {
  let folder: String
  static let seed: UInt64 = 3

  /// - Parameters:
  ///   - failing: numbers, from 1 on, of the episodes whose angle stays above 0.5.
  ///   - dying: number of the episode in which the program ends, once; 0 for none.
  ///   - episodes: that judge a trial.
  init(
    failing: [Int], dying: Int = 0, episodes: Int, trials: Int = 4, untilSolved: Bool = true
  ) throws {
    folder = try Scratch.folder()
    // What `ControlTask.drive` seeds the plant with.
    func plantSeed(_ number: Int) -> String {
      "\(Self.seed * 1_000_003 + 7_919 + UInt64(number))"
    }
    let seeds = failing.map(plantSeed)
    try """
    k=0; s=
    while read -r line; do
      case "$line" in
        *close*) exit 0;;
        *reset*) k=0; s=$(echo "$line" | sed 's/.*"seed":\\([0-9]*\\).*/\\1/');;
      esac
      [ -e '\(folder)/slow' ] && sleep 0.02
      k=$((k+1)); a=$((k*k%7))
      if [ "$s" = \(plantSeed(dying)) ] && [ $k = 10 ] && [ ! -e '\(folder)/died' ]; then
        touch '\(folder)/died'; exit 5
      fi
      case " \(seeds.joined(separator: " ")) " in *" $s "*) a=$((a+5));; esac
      echo "{\\"state\\":[0.$a,0.$((k*3%10))]}"
    done
    """.write(toFile: folder + "/plant.sh", atomically: true, encoding: .utf8)
    let yaml = QuickPendulum.yaml(trials: trials).replacingOccurrences(
      of: "plant: pendulum", with: "plant: {process: [sh, \(folder)/plant.sh], clock: simulation}"
    ).replacingOccurrences(
      of: "evaluate: {seconds: 2, success: [{measure: sqrt(2 + 2 * cos(angle)), below: 0.2}]}",
      with:
        "evaluate: {episodes: \(episodes), seconds: 2, success: [{measure: abs(angle), below: 0.5}]}"
    ).replacingOccurrences(of: "untilSolved: false", with: "untilSolved: \(untilSolved)")
    try yaml.write(toFile: folder + "/told.yaml", atomically: true, encoding: .utf8)
  }

  func task() throws -> ControlTask { try ControlTask(folder + "/told.yaml") }

  func loop(_ name: String) throws -> InteractionLoop {
    try InteractionLoop(task: task(), folder: folder + "/" + name, seed: Self.seed)
  }

  /// Everything but seconds of computing.
  func files(_ name: String) throws -> [String: Data] {
    let folder = folder + "/" + name
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
      ($0.hasSuffix(".csv") && !$0.contains("interrupted")) || $0.hasSuffix(".safetensors")
    }
    return Dictionary(
      uniqueKeysWithValues: try names.map {
        ($0, try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0)))
      })
  }
}

@Suite("verdicts of a loop")
struct VerdictTests {
  @Test("a success is judged over the task's episodes; only its failures are learnt from")
  func judging() throws {
    // Of eight, seven must succeed. Trial 1: episodes 1 to 4 of which 2 and 4 fail; trial 2: 5 fails; trial 3: 6 to 13, 8 fails.
    let told = try ToldPlant(failing: [2, 4, 5, 8], episodes: 8)
    var loop = try told.loop("whole")
    var (judged, transitions) = ([Int](), [Int]())
    let isFinished = try loop.run { event in
      if case .judged(let record, _) = event { judged.append(record.last.trial) }
      if case .fitted(_, let fit) = event { transitions.append(fit.model.processes[0].x.rows) }
      return true
    }
    let record = loop.record
    #expect(isFinished && record.isSolved)
    #expect(record.trials.map(\.isSolved) == [false, false, true])
    #expect(record.trials.map(\.isSuccess) == [true, false, true])
    #expect(judged == [1, 1, 1, 3, 3, 3, 3, 3, 3, 3])
    let verdict = try #require(record.verdict(over: 8))
    #expect(verdict.episodes == 8 && verdict.successes == 7 && verdict.isSolved && !verdict.isOpen)
    // 30 transitions of exploring, 20 of an episode: trial 2 has learnt from 1, 2 and 4, not from 3; trial 3 from 5 too.
    #expect(transitions == [30, 30 + 3 * 20, 30 + 4 * 20])
    #expect(record.episodes.map(\.rows).dropFirst().allSatisfy { $0 == 21 })
    let logs = try FileManager.default.contentsOfDirectory(atPath: told.folder + "/whole")
      .filter { $0.hasSuffix(".csv") }
    #expect(logs.count == 1 + 13)
  }

  @Test("judging that is interrupted between and amid episodes goes on with the same bits")
  func resume() throws {
    let told = try ToldPlant(failing: [2, 4, 5, 8], episodes: 8)
    var whole = try told.loop("whole")
    _ = try whole.run { _ in true }
    var pieces = 0
    while pieces < 200 {
      pieces += 1
      var loop = try told.loop("pieces")
      var (events, steps) = (0, 0)
      // Every third process ends amid an episode, the others after an event.
      let isAmid = pieces % 3 == 0
      let isDone = try loop.run(goesOn: {
        steps += 1
        return !isAmid || steps < 30
      }) { _ in
        events += 1
        return isAmid || events < 1 + pieces % 4
      }
      if isDone { break }
      // Long enough to get through a search now and then.
      if pieces > 30 {
        _ = try loop.run { event in
          if case .tried = event { return false }
          return true
        }
      }
    }
    #expect(pieces > 10)
    let (one, other) = (try told.files("whole"), try told.files("pieces"))
    // Episodes, models, policies, and the last trial's watch.
    #expect(one.count == 14 + 3 + 3 + 1)
    #expect(Set(one.keys) == Set(other.keys))
    for (name, data) in one { #expect(other[name] == data, "\(name)") }
    let records = try ["whole", "pieces"].map { try told.loop($0).record.episodes }
    #expect(records[0].map(\.isSolved) == records[1].map(\.isSolved))
    #expect(records[0].map(\.judging) == records[1].map(\.judging))
  }

  @Test("learn killed with SIGKILL amid judging episodes goes on with the same bits")
  func killed() throws {
    let told = try ToldPlant(failing: [2, 4, 5, 8], episodes: 8)
    let command = ["learn", "told.yaml", "--seed", "\(ToldPlant.seed)", "--output"]
    let whole = try bagel(command + ["whole"], in: told.folder)
    #expect(whole.status == 0, "\(whole.errors)")
    let slow = told.folder + "/slow"
    try "".write(toFile: slow, atomically: true, encoding: .utf8)
    // Amid the first trial's judging, in its last episode, and amid the last trial's.
    for number in [2, 4, 9] {
      let log = told.folder + "/killed/learn/episode-00\(number).csv"
      let outcome = try bagel(
        command + ["killed"], in: told.folder, interruptWhenExists: log, signal: SIGKILL)
      #expect(outcome.status == SIGKILL)
    }
    try FileManager.default.removeItem(atPath: slow)
    let last = try bagel(command + ["killed"], in: told.folder)
    #expect(last.status == 0, "\(last.errors)")
    #expect(last.output.contains("continuing to judge trial 3 over 8 episodes in killed/learn: "))
    #expect(last.output.contains("solved at trial 3: 7 of 8 episodes succeed"))
    let (one, other) = (try told.files("whole/learn"), try told.files("killed/learn"))
    #expect(one.count == 14 + 3 + 3 + 1 && Set(one.keys) == Set(other.keys))
    for (name, data) in one { #expect(other[name] == data, "\(name)") }
  }

  @Test(
    "a plant that dies amid judging says nothing of the trial; the same command goes on judging")
  func deadPlant() throws {
    let told = try ToldPlant(failing: [], dying: 3, episodes: 4)
    var loop = try told.loop("loop")
    #expect(throws: EpisodeFailure.self) { _ = try loop.run { _ in true } }
    #expect(loop.record.last.judging == 2 && loop.record.last.failure != nil)
    #expect(loop.record.last.rows > 5 && loop.openVerdict?.episodes == 2)
    var again = try told.loop("loop")
    #expect(try again.run { _ in true })
    #expect(again.record.trials.count == 1 && again.record.isSolved)
    #expect(again.record.verdict(over: 4)?.words == "4 of 4 episodes succeed")
    #expect(again.record.episodes.count == 1 + 5)
  }

  @Test("a task that goes on after a success is judged too; nine in ten are rounded")
  func untilTheEnd() throws {
    let told = try ToldPlant(failing: [2], episodes: 2, trials: 2, untilSolved: false)
    var loop = try told.loop("loop")
    #expect(try loop.run { _ in true })
    #expect(loop.record.trials.map(\.isSolved) == [false, true])
    let fewest = [1, 2, 4, 5, 8, 10, 15, 16].map { loop.record.verdict(over: $0)?.fewest }
    #expect(fewest == [1, 2, 4, 5, 7, 9, 14, 14])
  }

  @Test("the record of a loop of before there was judging keeps its verdict")
  func olderRecord() throws {
    let json = """
      {"seed": 3, "spread": 0, "episodesBefore": 0, "episodes": [{"trial": 1, "log": "episode-001.csv", "rows": 21,
       "fitSeconds": 1, "optimizeSeconds": 2, "iterations": 3, "stepSuccesses": 1, "steps": 1, "isSolved": true,
       "steadyStateErrors": [0]}]}
      """
    let record = try JSONDecoder().decode(LoopRecord.self, from: Data(json.utf8))
    #expect(record.isSolved && record.verdict(over: 16)?.isOpen == false)
  }

  @Test("learn says over how many episodes it judges, and counts them in its JSON")
  func command() throws {
    let told = try ToldPlant(failing: [2, 4, 7], episodes: 8)
    let arguments = ["learn", "told.yaml", "--seed", "\(ToldPlant.seed)"]
    let said = try bagel(arguments, in: told.folder)
    #expect(said.status == 0, "\(said.errors)")
    for line in [
      "trial 1 succeeds; judging it over 8 episodes", "  episode 4 of 8 does not succeed",
      "trial 1: 2 of 4 episodes succeed: not solved (of 8, 7 must succeed)",
      "solved at trial 2: 7 of 8 episodes succeed",
    ] {
      #expect(said.output.contains(line + "\n"), "\(line): \(said.output)")
    }
    let again = try bagel(arguments + ["--json"], in: told.folder)
    #expect(again.status == 0 && again.json["solvedTrials"] as? [Bool] == [false, true])
    #expect(again.json["judgedEpisodes"] as? Int == 8 && again.json["judgedSuccesses"] as? Int == 7)
    #expect(again.json["steps"] as? Int == 8 && again.json["stepSuccesses"] as? Int == 7)
    let runs = try bagel(arguments + ["--json", "--runs", "1", "--output", "r"], in: told.folder)
    #expect(runs.json["successes"] as? Int == 1 && runs.json["judgedEpisodes"] as? Int == 8)
  }

  @Test("learn says how much of the prediction lies outside the data")
  func doubts() throws {
    let folder = try Scratch.folder()
    let yaml = QuickPendulum.yaml(iterations: 100, trials: 1)
    try yaml.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let task = try ControlTask(folder + "/quick.yaml")
    var loop = try InteractionLoop(task: task, folder: folder + "/loop", seed: 0)
    var outside = 0.0
    _ = try loop.run { event in
      if case .optimized(_, let policy) = event { outside = policy.outsideFraction }
      return true
    }
    let said = try bagel(["learn", "quick.yaml"], in: folder).output
    #expect(outside > 0.05, "the example must be one that leaves its data")
    #expect(
      said.contains(
        "trial 1: \(number(100 * outside)) % of the predicted steps lie outside the logged data"),
      "\(outside): \(said)")
  }

  @Test("goals of consecutive episodes are apart, whatever the seed")
  func spreadGoals() throws {
    var task = try QuickPendulum.task()
    task.objective.goal = .uniform(lower: [-1, 0], upper: [3, 0])
    task.evaluation.seconds = 0.2
    let policy = task.makePolicy()
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: [0, 0],
      stateScale: [1, 1])
    func goals(_ count: Int, seed: UInt64) throws -> [[Double]] {
      let session = try PlantSession(task)
      return try (0..<count).map {
        try session.drive(controller, index: $0 + 5, seed: seed, name: "x").goals[0].goal
      }
    }
    // With the golden ratio, eight points of a circle are at most its fourth power's inverse apart (three-gap theorem).
    let ratio = (1 + 5.0.squareRoot()) / 2
    for seed in 0..<20 as Range<UInt64> {
      let drawn = try goals(8, seed: seed)
      #expect(drawn.allSatisfy { (-1...3).contains($0[0]) && $0[1] == 0 })
      let places = ([0, 1] + drawn.map { ($0[0] + 1) / 4 }).sorted()
      let widest = zip(places.dropFirst(), places).map { $0 - $1 }.max() ?? 1
      #expect(widest <= pow(ratio, -4) + 1e-9, "seed \(seed): \(places)")
    }
    #expect(try goals(3, seed: 1) != goals(3, seed: 2))
    // Two states: each quarter of the box has its share.
    task.objective.goal = .uniform(lower: [0, 0], upper: [1, 1])
    for seed in 0..<20 as Range<UInt64> {
      let drawn = try goals(16, seed: seed)
      let quarters = Dictionary(grouping: drawn) { 2 * Int(2 * $0[0]) + Int(2 * $0[1]) }
      #expect(quarters.count == 4 && quarters.values.allSatisfy { (2...6).contains($0.count) })
    }
  }
}
