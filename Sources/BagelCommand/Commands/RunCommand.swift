// SPDX-License-Identifier: Apache-2.0
// bagel run: a controller on the task's plant in real time. Ctrl-C leaves the safe action.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Policies
import Tasks

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Drive the plant with a controller in real time, logging as it goes.",
    discussion: """
      Limits are enforced just before an action is sent. Ctrl-C, a state outside its limits and any failure end with the
      safe action. A watch checks every row: states beyond the data, frozen sensors, a machine that no longer behaves as
      its model predicts (`watch:` in the task sets the response). The log is a CSV file that `bagel fit --log` reads.
      Exit code 0 also after Ctrl-C; 2 if a state left its limits, or if the watch stopped the run or started the fallback;
      65 if the plant failed or did not accept the safe action.
      """)

  @OptionGroup var taskArgument: TaskArgument

  @OptionGroup var policyOptions: PolicyFileOptions

  @Option(help: "Seconds to drive (default: the task's evaluation).")
  var seconds: Double?

  @Option(
    parsing: .unconditional,
    help:
      "Goal of the run, one number for each goal of the task: --goal -0.3,0 (default: the task's).")
  var goal: String?

  @Option(help: "Log to write (default: run-1.csv, run-2.csv, ... in the output folder).")
  var log: String?

  @Flag(
    inversion: .prefixedNo,
    help: """
      Read the operator's commands from standard input: one number per action (0.3,-0.1) replaces the policy's action, \
      'stop' commands the safe action, 'release' returns control to the policy (default: if standard input is a terminal).
      """)
  var `operator`: Bool?

  @OptionGroup var realTime: RealTimeOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let seconds, !(seconds > 0 && seconds < 1e7) {
      throw ValidationError("--seconds must be positive and below 10,000,000")
    }
  }

  func run() throws {
    let console = Console(common)
    let task = try taskArgument.load(seed: common.seed)
    let folder = try common.folder(for: task)
    let (controller, description) = try policyOptions.read(for: task, in: folder, console)
    let (watch, gaps) = try task.runWatch(
      of: description, in: policyOptions.folder(of: description, or: folder))
    let fallback = try task.findFallback(
      for: description, modelIn: policyOptions.folder(of: description, or: folder), in: folder,
      console)
    let goal = try goal.map { try numbers($0, task, description) }
    let path =
      log
      ?? firstFreePath(companion: { RunSidecar(log: $0).path }) { "\(folder)/run-\($0).csv" }
    if path.isEmpty { throw OutputError("--log '' is not a file name") }
    guard !FileManager.default.fileExists(atPath: path) else {
      throw OutputError(
        "\(path) already exists and was not overwritten; give another --log")
    }
    if let goal {
      try task.checkGoal(goal, for: description.inputs.goal, within: .init(description))
    }
    try OutputFolders.make(for: path, option: "--log")
    let promised = try task.promise(
      of: controller, description, in: policyOptions.folder(of: description, or: folder),
      seen: VersionStore(folder: folder).plantErrors(
        of: controller.fingerprint, task, seed: common.seed), console)
    InterruptSignal.watch(isDriving: true)
    let seconds = seconds ?? task.evaluation.seconds
    guard seconds >= 0.5 * task.layout.timeStep else {
      throw ValidationError(
        "--seconds \(number(seconds)) is less than one timeStep, \(task.layout.timeStep) s")
    }
    console.say("driving '\(task.plant?.name ?? "")' for \(number(seconds)) s -> \(path)")
    for gap in gaps { console.say("  \(gap)") }
    realTime.apply(console)
    let input = operatorInput(task, console)
    let sidecar = RunSidecar(log: path)
    try sidecar.write(controller, description, task)
    var hasRows = false
    defer { if !hasRows { sidecar.remove() } }
    let run = try task.runInRealTime(
      controller, goal: goal, within: .init(description), seconds: seconds, seed: common.seed,
      log: path, watch: watch, fallback: fallback, operator: input,
      tell: { finding, response in
        // A frozen sensor is what another fallback would go by.
        let driver = finding.matter == .frozen ? ControlTask.Fallback.hold : task.fallback
        let words = response == .fallback ? "; from here on \(driver.words) drives" : ""
        console.say("  watch, step \(finding.step): \(finding.words)\(words)")
      }
    ) { !InterruptSignal.wasRaised }
    let outcome = run.outcome
    for remark in outcome.remarks { console.say(remark) }
    hasRows = outcome.rows > 0
    console.say(
      outcome.rows == 0
        ? "the run ended before the first row; no log was kept"
        : "\(counted(outcome.rows, "row")) in \(path); its policy, \(controller.fingerprint), in \(sidecar.path)"
    )
    if let end = outcome.earlyEnd { console.say("ended early: \(end)") }
    if outcome.overridden > 0 {
      console.say("the operator commanded \(outcome.overridden) of \(counted(outcome.rows, "row"))")
    }
    run.describe(task, console)
    let score = promised.flatMap { task.score($0.promise, by: run) }
    score?.describe(task, console, prefix: "  ", of: "stretch")
    run.describeWatch(task.fallback, console)
    let beyond = task.sentencesBeyond(description.dataBounds, of: [outcome.episode])
    for sentence in beyond { console.say("  warning: \(sentence)") }
    outcome.timing.describe(console)
    if let failure = outcome.failure { throw failure }
    let isNotSafe = if case .failed = outcome.safeEnd.delivery { true } else { false }
    if isNotSafe { Console.error(outcome.safety) } else { console.say(outcome.safety) }
    try console.finish(
      resultJSON(
        run.json(task),
        [
          "log": path, "beyondData": beyond, "earlyEnd": outcome.earlyEnd ?? NSNull(),
          "interrupted": outcome.isInterrupted, "watch": run.watchJSON,
          "promise": promised?.promise.json(task, score) ?? NSNull(),
          "overridden": outcome.overridden, "policyFingerprint": controller.fingerprint,
        ]))
    if isNotSafe { throw machineNotSafe }
    if outcome.hasLeftLimits || outcome.isStopped || run.fallbackStep != nil { throw notSolved }
  }

  /// Standard input, where it is the operator's; says so.
  private func operatorInput(_ task: ControlTask, _ console: Console) -> OperatorInput? {
    guard `operator` ?? (isatty(STDIN_FILENO) == 1) else { return nil }
    let names = task.layout.actions.map(\.name).joined(separator: ",")
    // What was typed before the machine moves commands nothing.
    if isatty(STDIN_FILENO) == 1 { tcflush(STDIN_FILENO, TCIFLUSH) }
    console.say(
      "type \(names) and Enter to drive yourself, '\(OperatorInput.stop)' for the safe action, '\(OperatorInput.release)' to return control to the policy"
    )
    return OperatorInput(descriptor: STDIN_FILENO, safeAction: task.safeAction) { event in
      switch event {
      case .takes(let command):
        console.say(
          "  the operator drives; command: \(command.map(number).joined(separator: ", "))")
      case .releases: console.say("  the operator returns control to the policy")
      case .isGone: console.say("  the operator's input ended: the safe action drives")
      case .notUnderstood(let line):
        console.say(
          "  '\(line)' is not a command; type one number for each of \(names), '\(OperatorInput.stop)' or '\(OperatorInput.release)'"
        )
      }
    }
  }

  /// The goal, which must lie where the policy was searched. Throws: `LogError`.
  private func numbers(
    _ text: String, _ task: ControlTask, _ description: PolicyDescription
  ) throws -> [Double] {
    let words = text.split(separator: ",")
    let goal = words.compactMap { Double($0) }
    let names = task.goalChannels.map(\.name)
    guard goal.count == words.count, goal.count == names.count,
      goal.allSatisfy(\.isFinite)
    else {
      throw ValidationError(
        "--goal \(text): give one number for each of \(names.joined(separator: ", "))")
    }
    guard description.inputs.goal != .none else {
      throw LogError(
        file: task.place,
        "has a policy that does not read its goal, so --goal has no effect; set policy: {goal: error}, then run `bagel optimize`"
      )
    }
    return goal
  }
}
