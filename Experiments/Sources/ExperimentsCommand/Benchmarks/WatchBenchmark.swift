// SPDX-License-Identifier: Apache-2.0
// bagel benchmark watch: alarms of a folder's watch in quiet hours, and how soon it detects faults, on the task's simulated plant.

import ArgumentParser
import Bagel
import BagelCommand
import Foundation
import LinearAlgebra
import MachineLogs
import Plants
import Policies
import Tasks
import Watching

struct WatchBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract:
      "Count a watch's alarms in hours without faults, and measure how soon it detects faults.",
    discussion: """
      The output folder must contain the task's model, policy and watch (`bagel learn` writes all three). A quiet run is ten
      minutes of the simulated plant with that policy; a faulty run has one minute before its fault. Goals change every
      eight seconds if the policy reads them.
      """)

  @OptionGroup var taskArgument: TaskArgument
  @Option(help: "Hours without a fault.") var hours = 1.0
  @Option(help: "Number of runs with each fault.") var runs = 10
  @OptionGroup var common: CommonOptions

  /// Seconds of a run, between goals, and before a fault.
  private static let (runSeconds, goalSeconds, beforeFault) = (600.0, 8.0, 60.0)

  func validate() throws {
    guard hours >= 0, hours < 1_000, (0...1_000).contains(runs) else {
      throw ValidationError("--hours and --runs must be from 0 to 1,000")
    }
  }

  func run() throws {
    let console = Console(common)
    var task = try taskArgument.load(seed: common.seed)
    let folder = try common.folder(for: task)
    let (controller, description) = try PolicyController.read(
      path: folder + "/policy.safetensors", for: task.policyDescription)
    let (watch, gaps) = try task.runWatch(of: description, in: folder)
    for gap in gaps { console.say("  \(gap)") }
    if description.inputs.goal != .none {
      (task.evaluation.schedule, task.evaluation.goalInterval) = ([], Self.goalSeconds)
    }
    let bench = Bench(
      task: task, controller: controller, data: .init(description), watch: watch, seed: common.seed)
    var json: [String: Any] = [:]
    let quietRuns = Int((hours * 3_600 / Self.runSeconds).rounded(.up))
    let quiet = try inParallel(quietRuns) { try bench.run(Self.runSeconds, index: $0, fault: nil) }
    let alarms = quiet.flatMap(\.findings)
    let rows = quiet.reduce(0) { $0 + $1.rows }
    let judged = quiet.reduce(0) { $0 + $1.judged }
    console.say(
      "\(counted(alarms.count, "alarm")) in \(number(hours)) quiet hours; innovations judged in \(number(100 * Double(judged) / Double(max(rows, 1)))) % of the rows"
    )
    for alarm in alarms.prefix(20) { console.say("  step \(alarm.step): \(alarm.words)") }
    json["quiet"] = [
      "hours": hours, "alarms": alarms.count, "words": alarms.map(\.words),
      "judged": Double(judged) / Double(max(rows, 1)),
    ]
    let deviations = try bench.sensorDeviations()
    let sensors = try task.makePlant().columns(for: task.layout)
    var faults: [[String: Any]] = []
    for fault in Fault.allCases where runs > 0 {
      let before = Int((Self.beforeFault / task.layout.timeStep).rounded())
      let found = try inParallel(runs) { [task] index in
        try bench.run(
          Self.beforeFault + fault.seconds, index: 1_000 + index,
          fault: fault.made(
            sensor: sensors[index % sensors.count], deviations[index % sensors.count],
            timeStep: task.layout.timeStep),
          from: before + index)
      }
      let delays = found.enumerated().map { index, run in
        run.findings.first { $0.step >= before + index }.map {
          Double($0.step - before - index) * task.layout.timeStep
        }
      }
      let early = found.enumerated().reduce(0) { sum, run in
        sum + run.1.findings.count { $0.step < before + run.0 }
      }
      let inTime = delays.count { $0 ?? .infinity <= fault.limit }
      let usual = median(delays.map { $0 ?? .infinity })
      console.say(
        "\(fault.rawValue): \(inTime) of \(runs) within \(number(fault.limit)) s, median \(number(usual)) s"
          + (early > 0 ? "; \(counted(early, "alarm")) before it" : ""))
      faults.append([
        "fault": fault.rawValue, "inTime": inTime, "runs": runs, "limit": fault.limit,
        "seconds": delays.map { $0 ?? .infinity }, "alarmsBefore": early,
        "words": found.enumerated().map { index, run in
          run.findings.first { $0.step >= before + index }?.words ?? ""
        },
      ])
    }
    json["faults"] = faults
    try console.finish(resultJSON(json))
  }

  /// What breaks, in sizes of the sensors' noise.
  private enum Fault: String, CaseIterable {
    case freeze, jump, spike, dropOut = "drop-out", bias, delay, fading

    /// Seconds within which it is to be noticed.
    var limit: Double {
      switch self {
      case .freeze, .jump, .spike, .dropOut: 1
      case .bias, .delay: 10
      case .fading: 750
      }
    }

    /// Seconds of the run after it began.
    var seconds: Double { max(limit, 30) }

    func made(sensor: Int, _ deviation: Double, timeStep: Double) -> PlantFault {
      switch self {
      case .freeze: .freeze(sensor)
      case .jump: .offset(sensor, by: 8 * deviation)
      case .spike: .spike(sensor, by: 8 * deviation)
      case .dropOut: .dropOut(sensor, steps: max(1, Int(0.3 / timeStep)))
      case .bias: .offset(sensor, by: 3 * deviation)
      case .delay: .delay
      // A fifth in ten minutes.
      case .fading: .fading(byStep: 0.2 / 600 * timeStep)
      }
    }
  }
}

/// Runs of one policy with one watch.
private struct Bench {
  let task: ControlTask
  let controller: PolicyController
  let data: ControlTask.SearchedData
  let watch: RunWatch
  let seed: UInt64

  func run(
    _ seconds: Double, index: Int, fault: PlantFault?, from step: Int = 0
  ) throws -> (findings: [WatchFinding], rows: Int, judged: Int) {
    var task = task
    task.evaluation.seconds = seconds
    var plant = try task.makePlant()
    if let fault {
      plant = FaultyPlant(plant, fault, from: step, safeAction: task.safeAction)
    }
    let (outcome, _) = try PlantSession(task, driving: plant).drive(
      controller, index: index, seed: seed, within: data, name: "run \(index)")
    var watch = watch
    let findings = outcome.episode.measuredRows(task.layout).flatMap { watch.findings($0) }
    return (findings, outcome.episode.count, watch.judgedRows)
  }

  /// Standard deviations of the plant's sensors, as it is measured at one state [C].
  func sensorDeviations() throws -> [Double] {
    var plant = try task.makePlant()
    let columns = try plant.columns(for: task.layout)
    let middle = plant.states.map { _ in 0.0 }
    let measured = try (0..<400).map { seed in
      let states = try plant.reset(to: middle, seed: 7_777 + UInt64(seed)).states
      return columns.map { states[$0] }
    }
    return columns.indices.map { c in
      let values = measured.map { $0[c] }
      let mean = values.reduce(0, +) / Double(values.count)
      return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
        .squareRoot()
    }
  }
}
