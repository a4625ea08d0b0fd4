// SPDX-License-Identifier: Apache-2.0
// The time of an episode: stamps, holes, lateness, a run of an hour; what a log holds after the disk or the plant failed.

import Bagel
import Foundation
import MachineLogs
import Plants
import TestSupport
import Testing

/// A clock that moves when it is told to.
private final class FakeClock {
  var time = 100.0
  var clock: StepClock { StepClock(now: { self.time }, sleep: { self.time = max(self.time, $0) }) }
}

/// A machine whose answers take what `takes` says of each step, s.
private struct TimedPlant: Plant {
  let name = "timed"
  let states = [Channel(name: "x")]
  let actions = [Channel(name: "u")]
  let actionLimits = [-1.0...1]
  var timeStep = 0.1
  var clock: PlantClock?
  var ownTime: ((Int) -> Double)?
  var age: (Int) -> Double = { _ in 0 }
  let fake: FakeClock
  let takes: (Int) -> Double
  var steps = 0

  init(_ fake: FakeClock, clock: PlantClock? = nil, takes: @escaping (Int) -> Double) {
    (self.fake, self.clock, self.takes) = (fake, clock, takes)
  }

  mutating func reset(to state: [Double]?, seed: UInt64) -> Plants.Measurement {
    steps = 0
    return Plants.Measurement([0], time: ownTime?(0))
  }

  mutating func step(_ action: [Double]) -> Plants.Measurement {
    fake.time += takes(steps)
    steps += 1
    var measured = Plants.Measurement([Double(steps)], time: ownTime?(steps))
    measured.age = age(steps)
    return measured
  }
}

private let layout = LogLayout(
  states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 0.1)

/// Drives a plant; its outcome and the stamps of its log.
private func drive(
  _ plant: TimedPlant, steps: Int, inRealTime: Bool = false
) throws -> (EpisodeRun.Outcome, times: [Double], path: String) {
  let path = Scratch.path("log.csv")
  var run = EpisodeRun(layout: layout, actionLimits: [-1...1], safeAction: [0], steps: steps)
  run.log = try LogWriter(path: path, layout: layout)
  run.clock = plant.fake.clock
  run.isInRealTime = inRealTime
  var driven: any Plant = plant
  let outcome = try run.run(&driven, seed: 1, name: "test") { step, _ in [0.1 * Double(step % 5)] }
  run.log?.close()
  return (outcome, try LogFile(path: path, layout: layout).times, path)
}

@Suite("time of episodes")
struct EpisodeTimeTests {
  @Test("a simulation's rows are a time step apart, and print as they are meant")
  func simulation() throws {
    let (outcome, times, path) = try drive(TimedPlant(FakeClock()) { _ in 0.001 }, steps: 30)
    #expect(times == (0...30).map { Double($0) / 10 })
    #expect(!outcome.timing.isReal)
    #expect(try String(contentsOfFile: path, encoding: .utf8).contains("\n0.3,3.0,"))
    // A first step that is slow (a model is compiled) makes it no machine.
    let slow = try drive(TimedPlant(FakeClock()) { $0 == 0 ? 2 : 0.001 }, steps: 5)
    #expect(slow.times == [0, 2, 2.1, 2.2, 2.3, 2.4])
    let told = try drive(TimedPlant(FakeClock(), clock: .simulation) { _ in 3 }, steps: 3)
    #expect(told.times == [0, 0.1, 0.2, 0.3])
  }

  @Test("a machine's rows have real stamps; a stop is a hole, and ends an episode")
  func machine() throws {
    let plant = TimedPlant(FakeClock()) { $0 == 9 ? 3.1 : 0.101 }
    let (outcome, times, path) = try drive(plant, steps: 20)
    #expect(outcome.timing.isReal)
    #expect(abs(times[9] - 0.909) < 1e-9 && abs(times[10] - 4.009) < 1e-9)
    #expect(outcome.timing.steps == 20 && outcome.timing.late == 1)
    #expect(abs(outcome.timing.worstLateness - 3) < 1e-9)
    let episodes = try layout.episodes(from: [path])
    #expect(episodes.map(\.count) == [10, 11])
    // Rows that are 1 % late are the steps; they are not mixed.
    #expect(episodes[1].states.map { $0[0] } == (10...20).map(Double.init))
  }

  @Test("in real time actions wait until they are due, and lateness counts from the real starts")
  func realTime() throws {
    // Answers at once, but for one step that takes 0.25 s.
    let plant = TimedPlant(FakeClock()) { $0 == 4 ? 0.25 : 0.001 }
    let (outcome, times, _) = try drive(plant, steps: 10, inRealTime: true)
    #expect(times == [0, 0.1, 0.2, 0.3, 0.4, 0.65, 0.75, 0.85, 0.95, 1.05, 1.15])
    #expect(outcome.timing.late == 1 && abs(outcome.timing.worstLateness - 0.15) < 1e-9)
    #expect(abs(outcome.timing.period.quantile(0.5) - 0.1) < 2e-4)
    // A plant that needs longer than a time step is late at every step.
    let slow = try drive(TimedPlant(FakeClock()) { _ in 0.16 }, steps: 10, inRealTime: true).0
    #expect(slow.timing.late == 10 && abs(slow.timing.answer.quantile(0.5) - 0.16) < 4e-4)
    // One that is told to be a machine is waited for without being asked.
    let told = try drive(TimedPlant(FakeClock(), clock: .machine) { _ in 0 }, steps: 3)
    #expect(told.times == [0, 0.1, 0.2, 0.3])
  }

  @Test("what was measured before this process was stopped is not acted on")
  func stale() throws {
    var plant = TimedPlant(FakeClock(), clock: .machine) { _ in 0.1 }
    plant.age = { $0 == 5 ? 1 : 0.2 }
    let (outcome, times, _) = try drive(plant, steps: 9)
    #expect(outcome.failure?.cause is StaleMeasurement)
    #expect("\(outcome.failure as Any)".contains("step 5: BAGEL was stopped for 1.0 s"))
    #expect(outcome.safety == "safe action sent")
    #expect(times.count == 6 && outcome.episode.actions.last == [0])
    // A simulation stands still meanwhile.
    plant.clock = .simulation
    #expect(try drive(plant, steps: 9).0.failure == nil)
  }

  @Test("a plant's own time counts; it goes forward, in every answer")
  func ownTime() throws {
    var plant = TimedPlant(FakeClock()) { _ in 0.001 }
    plant.ownTime = { 7 + 0.25 * Double($0) }
    #expect(try drive(plant, steps: 3).times == [0, 0.25, 0.5, 0.75])
    plant.ownTime = { 7 - Double($0) }
    let (outcome, _, _) = try drive(plant, steps: 3)
    #expect("\(outcome.failure as Any)".contains("\"time\" does not increase"))
    #expect(outcome.episode.count == 1)
  }

  @Test("an hour at 100 Hz: stamps right to the end, memory flat")
  func hour() throws {
    var long = layout
    long.timeStep = 0.01
    let path = Scratch.path("hour.csv")
    let fake = FakeClock()
    var run = EpisodeRun(layout: long, actionLimits: [-1...1], safeAction: [0], steps: 360_000)
    run.log = try LogWriter(path: path, layout: long)
    run.clock = fake.clock
    run.isInRealTime = true
    run.keepsRows = false
    var plant: any Plant = TimedPlant(fake) { _ in 0.002 }
    var memory: [Int] = []
    let outcome = try run.run(&plant, seed: 1, name: "hour") { step, _ in
      if step == 10_000 || step == 350_000 { memory.append(residentPages()) }
      return [0.5]
    }
    #expect(outcome.rows == 360_001 && outcome.episode.states.isEmpty)
    #expect(outcome.timing.late == 0 && outcome.timing.steps == 360_000)
    let last = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").last ?? ""
    #expect(last.hasPrefix("3600.0,360000.0,0.0"), "\(last)")
    // 340,000 rows of 119 bytes, as they were kept once, are 40 MB.
    #expect(memory.count == 2 && memory[1] - memory[0] < 256, "\(memory) pages")
  }

  @Test("quantiles of durations are right within 0.2 %")
  func histogram() {
    var durations = DurationHistogram()
    #expect(durations.quantile(0.5) == 0)
    for k in 1...10_000 { durations.add(1e-4 * Double(k)) }
    for fraction in [0.01, 0.5, 0.99, 1] {
      #expect(abs(durations.quantile(fraction) / fraction - 1) < 0.002 + 1e-9)
    }
    #expect(durations.worst == 1 && durations.count == 10_000)
    var sum = durations
    sum += durations
    #expect(sum.count == 20_000 && sum.quantile(0.5) == durations.quantile(0.5))
    var extremes = DurationHistogram()
    for value in [0, 1e-9, 1e9, -1] { extremes.add(value) }
    #expect(extremes.worst == 1e9 && extremes.count == 4)
  }
}

@Suite("logs that are cut")
struct CutLogTests {
  @Test("a last line without its end is left out, and that is said")
  func tornLine() throws {
    let path = Scratch.path("torn.csv")
    let rows = (0..<6).map { "\(Double($0) / 10),\($0),-1.\($0)37e-11" }
    let whole = "t,x,u\n" + rows.joined(separator: "\n") + "\n"
    for cut in 1...9 {
      try String(whole.dropLast(cut)).write(toFile: path, atomically: true, encoding: .utf8)
      let episode = try layout.episodes(from: [path])[0]
      #expect(episode.count == 5)
      #expect(episode.notes.count == 1 && episode.notes[0].contains("torn.csv:7: the last line"))
    }
    try whole.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try layout.episodes(from: [path])[0].notes.isEmpty)
  }

  @Test(
    "a log that cannot be written ends the episode with the safe action, and the reason is said")
  func unwritable() throws {
    for path in ["/dev/full", "/proc/none/log.csv", ""] {
      #expect(throws: LogWritingError.self) {
        let writer = try LogWriter(path: path, layout: layout)
        try writer.append(time: 0, measured: [0], exogenous: [0], reward: nil)
      }
    }
    // Removed while it is written.
    let folder = try Scratch.folder()
    var run = EpisodeRun(layout: layout, actionLimits: [-1...1], safeAction: [0], steps: 9)
    run.log = try LogWriter(path: folder + "/log.csv", layout: layout)
    var plant: any Plant = TimedPlant(FakeClock()) { _ in 0 }
    let outcome = try run.run(&plant, seed: 1, name: "test") { step, _ in
      if step == 4 { try FileManager.default.removeItem(atPath: folder + "/log.csv") }
      return [0.5]
    }
    #expect(outcome.failure?.cause is LogWritingError && outcome.rows == 4)
    #expect("\(outcome.failure as Any)".contains("removed while it was written; safe action sent"))
    // A device is no file of ours to remove; a new file without a row is.
    #expect(FileManager.default.fileExists(atPath: "/dev/full"))
    try LogWriter(path: folder + "/empty.csv", layout: layout).close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
  }
}

/// Pages of memory that this process holds; 0 where the system does not tell.
private func residentPages() -> Int {
  let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
  return Int(text?.split(separator: " ").dropFirst().first ?? "") ?? 0
}
