// SPDX-License-Identifier: Apache-2.0
// A plant in Swift: driven as any other, its faults told, and the safe action its last one.

import Bagel
import Foundation
import Plants
import Synchronization
import Tasks
import Testing

@Suite("a plant in Swift")
struct UserPlantTests {
  /// What a lag was told; it fails, or measures nonsense, at a step.
  private final class Recorder: Sendable {
    let actions = Mutex<[Double]>([])
  }

  private struct Lag: UserPlant {
    struct Broken: Error, CustomStringConvertible { let description = "the cable is off" }
    let record: Recorder
    var answer: @Sendable (_ step: Int, _ state: Double) throws -> [Double] = { [$1] }
    var (state, steps) = (0.0, 0)

    init(
      _ record: Recorder, _ answer: @escaping @Sendable (Int, Double) throws -> [Double] = { [$1] }
    ) {
      (self.record, self.answer) = (record, answer)
    }

    mutating func reset(seed: UInt64) -> [Double] {
      (state, steps) = (0, 0)
      return [state]
    }

    mutating func step(_ action: [Double]) throws -> [Double] {
      record.actions.withLock { $0.append(action[0]) }
      steps += 1
      state += 0.1 * (action[0] - state)
      return try answer(steps, state)
    }
  }

  private func task() throws -> ControlTask {
    try ControlTask(
      yaml: """
        name: lag
        timeStep: 0.05
        states: [{name: x}]
        actions: [{name: u, limits: [-1, 1], safe: 0.25}]
        explore: {kind: smooth, seconds: 2}
        """)
  }

  @Test("it is explored, and the safe action is the last")
  func driven() throws {
    let record = Recorder()
    var task = try task()
    task.setPlant { Lag(record) }
    let episodes = try task.trainingEpisodes()
    #expect(episodes[0].count >= 40)
    #expect(record.actions.withLock { $0.last } == 0.25)
    #expect(record.actions.withLock { $0.dropLast().contains { $0 != 0.25 } })
  }

  @Test("what it throws, and what is no measurement, is told; the safe action follows")
  func faults() throws {
    let answers: [(@Sendable (Int, Double) throws -> [Double], String)] = [
      ({ if $0 == 7 { throw Lag.Broken() } else { [$1] } }, "the cable is off"),
      ({ $0 == 7 ? [$1, $1] : [$1] }, "returned 2 states, but the task measures 1"),
      ({ $0 == 7 ? [.nan] : [$1] }, "the state 'x' is nan"),
    ]
    for (answer, words) in answers {
      let record = Recorder()
      var task = try task()
      task.setPlant("lag") { Lag(record, answer) }
      let failure = #expect(throws: EpisodeFailure.self) { try task.trainingEpisodes() }
      #expect(failure.map { "\($0)" }?.contains("plant 'lag', step") == true)
      #expect(failure.map { "\($0)" }?.contains(words) == true, "\(failure as Any)")
      #expect(record.actions.withLock { $0.last } == 0.25)
    }
  }

  @Test("nothing is sent where nothing was begun")
  func unbegun() throws {
    let record = Recorder()
    var task = try task()
    task.setPlant { Lag(record) }
    _ = try? task.fit(while: { false })
    #expect(record.actions.withLock { $0.isEmpty })
  }
}
