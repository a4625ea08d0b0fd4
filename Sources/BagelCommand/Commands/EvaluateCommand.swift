// SPDX-License-Identifier: Apache-2.0
// bagel evaluate: a policy on a plant, episode by episode.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Plants
import Policies
import Tasks

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Drive a plant with a controller and judge it.",
    discussion: "Exit code 2 if no episode succeeds.")

  @OptionGroup var taskArgument: TaskArgument

  @OptionGroup var policyOptions: PolicyFileOptions

  @Option(
    help: "Plant to use instead of the task's: \(BuiltInPlants.names.joined(separator: ", ")).")
  var plant: String?

  @Option(help: "Number of episodes (overrides the task).")
  var episodes: Int?

  @Option(
    help: "Vary every parameter of a simulated plant by up to this fraction, anew for each episode."
  )
  var vary: Double?

  @Flag(
    inversion: .prefixedNo,
    help:
      "Also drive the same episodes with a PID controller found on the same model (default: on simulated plants)."
  )
  var rival: Bool?

  @Flag(
    inversion: .prefixedNo,
    help:
      "Also drive the same episodes with the policy's former version (default: on simulated plants)."
  )
  var former: Bool?

  @OptionGroup var realTime: RealTimeOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let vary, !(0..<1).contains(vary) {
      throw ValidationError("--vary must be a fraction from 0 to below 1")
    }
    if let episodes, !(1...100_000).contains(episodes) {
      throw ValidationError("--episodes must be from 1 to 100000")
    }
    if let plant, !BuiltInPlants.names.contains(plant) {
      throw ValidationError(
        "there is no plant '\(plant)'; there are: \(BuiltInPlants.names.joined(separator: ", "))")
    }
  }

  func run() throws {
    let console = Console(common)
    var task = try taskArgument.load(seed: common.seed)
    let usual = task.plant
    if let plant { task.plant = .simulated(plant, parameters: [:]) }
    if let episodes { task.evaluation.episodes = episodes }
    guard task.isJudged else {
      throw LogError(
        file: task.place,
        "does not define success; add `evaluate:` with a tolerance, track or success, or `done: success`"
      )
    }
    let folder = try common.folder(for: task)
    let (controller, description) = try policyOptions.read(for: task, in: folder, console)
    if let other = task.otherPlant(than: description, usual: usual) { console.say(other) }
    let promised =
      plant == nil
      ? try task.promise(
        of: controller, description, in: policyOptions.folder(of: description, or: folder),
        seen: VersionStore(folder: folder).plantErrors(
          of: controller.fingerprint, task, seed: common.seed), console)
      : nil
    InterruptSignal.watch(isDriving: true)
    realTime.apply(console)
    let words = EpisodeWords(console, task)
    let evaluation = try task.evaluate(
      controller, seed: common.seed, spread: vary ?? 0, within: .init(description),
      logFolder: folder, goesOn: { !InterruptSignal.wasRaised }, tell: words.tell)
    let count = evaluation.episodes.count
    if InterruptSignal.wasRaised {
      throw Interruption(
        description: "interrupted after \(counted(count, "episode")); "
          + (words.leaving ?? "nothing was moved"))
    }
    evaluation.describe(task, console)
    let gains = PIDGains(controller, timeStep: task.layout.timeStep)
    for line in gains?.lines(task) ?? [] { console.say("  \(line)") }
    let score = try promised.map { try task.score($0.promise, by: evaluation, on: $0.model) }
    score?.describe(task, console, prefix: "  ")
    let beyond = task.sentencesBeyond(
      description.dataBounds, of: evaluation.episodes.map(\.episode))
    for sentence in beyond { console.say("  warning: \(sentence)") }
    words.sayEarlyEnds(of: count)
    words.sayTiming()
    if let logs = words.logWords { console.say(logs) }
    if plant == nil, vary ?? 0 == 0 {
      try VersionStore(folder: folder).note(
        evaluation, of: controller.fingerprint, task, seed: common.seed)
      try evaluation.teachWatch(
        task, description, in: policyOptions.folder(of: description, or: folder), console)
    }
    let model =
      try promised?.model
      ?? modelOfPolicy(description, in: policyOptions.folder(of: description, or: folder))
    func compared(
      _ kind: ComparedController.Kind, _ name: String, _ evaluation: Evaluation
    ) throws -> ComparedController {
      ComparedController(
        kind, name: name, evaluation: evaluation,
        meanReturn: try model.flatMap { try task.meanReturn(of: evaluation, on: $0) })
    }
    let (rival, rivalTrouble) = rivalEvaluation(task, description, folder, console)
    let (former, formerTrouble) = formerEvaluation(task, controller, folder, console)
    try common.report(
      Report(
        task: task, evaluation: evaluation,
        meanReturn: try model.flatMap { try task.meanReturn(of: evaluation, on: $0) },
        others: [
          try rival.map { try compared(.pid, "PID controller", $0.evaluation) },
          try former.map {
            try compared(.former, "former policy, version \($0.version.number)", $0.evaluation)
          },
        ].compactMap(\.self),
        promised: promised.flatMap { made in score.map { (made.promise, $0) } },
        loggedGoals: description.loggedGoals,
        origin: ReportOrigin(
          seed: common.seed, model: description.model, policy: controller.fingerprint,
          description: description,
          policyFile: policyOptions.policy ?? folder + "/policy.safetensors", spread: vary ?? 0)),
      in: folder, name: "report-evaluate.html", console: console)
    try console.finish(
      resultJSON(
        evaluation.json(task),
        [
          "beyondData": beyond, "promise": promised?.promise.json(task, score) ?? NSNull(),
          "gains": gains?.json ?? NSNull(), "rival": rival?.json(task) ?? NSNull(),
          "former": former?.json(task) ?? NSNull(),
          "timing": words.timing.json,
          "earlyEnds": words.earlyEnds,
          "policyFingerprint": controller.fingerprint,
          "modelFingerprint": description.model ?? NSNull(),
          "solved": evaluation.successes > 0,
          "paths": ["output": folder, "report": folder + "/report-evaluate.html"],
        ]))
    if InterruptSignal.wasRaised {
      throw Interruption(
        description:
          "interrupted while another controller was driving; the policy's evaluation is complete")
    }
    if let trouble = rivalTrouble ?? formerTrouble { throw trouble }
    if evaluation.successes == 0 { throw notSolved }
  }

  /// The former version's episodes.
  private func formerEvaluation(
    _ task: ControlTask, _ controller: PolicyController, _ folder: String, _ console: Console
  ) -> (FormerEvaluation?, (any Error)?) {
    guard former ?? (task.isSimulated && plant == nil), !InterruptSignal.wasRaised else {
      return (nil, nil)
    }
    return episodes(with: "the former version", task, console) {
      do {
        let found = try task.evaluateFormer(
          than: controller.fingerprint, in: folder, seed: common.seed, spread: vary ?? 0, console)
        found?.evaluation.describeBriefly(task, console)
        return found
      } catch let none as NoFormerPolicy {
        if former == true { console.say("no former version: \(none)") }
        return nil
      }
    }
  }

  /// The rival's episodes.
  private func rivalEvaluation(
    _ task: ControlTask, _ description: PolicyDescription, _ folder: String, _ console: Console
  ) -> (RivalEvaluation?, (any Error)?) {
    guard rival ?? (task.isSimulated && plant == nil && task.obstacleToPID == nil) else {
      return (nil, nil)
    }
    return episodes(with: "the PID controller", task, console) {
      let found = try task.evaluateRival(
        of: description, modelIn: policyOptions.folder(of: description, or: folder), in: folder,
        seed: common.seed, spread: vary ?? 0, console)
      found?.describe(task, console)
      return found
    }
  }

  /// Episodes of another controller, after all that is known of the policy was said and kept. What goes wrong in them is said. Of a machine
  /// it is also an error, once the report is written; a simulation is no worse for it.
  private func episodes<Found>(
    with what: String, _ task: ControlTask, _ console: Console, _ drive: () throws -> Found?
  ) -> (Found?, (any Error)?) {
    do {
      return (try drive(), nil)
    } catch {
      console.say("\(what) was not evaluated: \(words(of: error))")
      return (nil, task.isSimulated ? nil : error)
    }
  }
}
