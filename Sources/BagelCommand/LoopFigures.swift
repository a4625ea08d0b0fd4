// SPDX-License-Identifier: Apache-2.0
// What `bagel learn` says while its loop runs.

import Bagel
import Foundation
import MachineLogs
import Tasks

/// The loop's events as lines, a bar, and a report that is written anew after every trial.
final class LoopFigures {
  private let console: Console
  private let task: ControlTask
  private let folder: String
  private let store: VersionStore?
  private var last: Report?
  let episodes: EpisodeWords
  private let rest = RestInterruption()
  private var bar: ProgressBar?
  private var fit: FittedModel?
  /// Of what was said once, each trial would find the same again.
  private var said: Set<String> = []
  private var policy: OptimizedPolicy?
  /// Of the trial that is under way.
  private var promise: Promise?
  /// The episodes of the last trial, as far as this command drove them.
  private var judged: [EvaluatedEpisode] = []

  /// - Parameters:
  ///   - console: prints messages.
  ///   - task: of the loop.
  ///   - folder: of the loop.
  ///   - store: of the output folder; nil where the loop leaves no versions.
  init(console: Console, task: ControlTask, folder: String, store: VersionStore?) {
    (self.console, self.task, self.folder, self.store) = (console, task, folder, store)
    episodes = EpisodeWords(console, task)
  }

  /// Throws: `OutputError`.
  func tell(_ event: LoopEvent) throws {
    defer {
      // The loop hears of it now, and stops by itself.
      if InterruptSignal.wasRaised { rest.end() }
    }
    switch event {
    case .drove(let outcome): episodes.tell(outcome)
    case .exploringAgain(let outcome):
      console.say(
        "exploring ended after \(counted(outcome.rows, "row"))"
          + (outcome.earlyEnd.map { " (\($0))" } ?? "")
          + ", too early to learn from it: exploring again with other actions")
    case .explored(let record, _):
      console.say(
        "explored: \(counted(record.last.rows, "row")) in \(folder)/\(record.last.log)"
          + (record.last.earlyEnd.map { " (\($0))" } ?? ""))
    case .failed(let record):
      console.say(
        "the plant failed; its \(record.last.rows) rows are kept in \(folder)/\(record.last.log). Repair it; the same "
          + "command continues")
    case .proposing:
      rest.begin()
      bar = ProgressBar("planning the exploration")
    case .proposed:
      finish()
      rest.end()
    case .fitting:
      rest.begin()
      bar = ProgressBar("learning")
    case .fitted(let trial, let fit):
      self.fit = fit
      finish()
      if task.model.choice.isOpen {
        let name = fit.choice.map { $0.candidates[$0.chosen].name } ?? "the plain model"
        console.say("trial \(trial): model: \(name)")
      }
      let findings = fit.notes + fit.findings + task.goalWarnings(fit.model)
      for line in findings where said.insert(line).inserted { console.say("warning: \(line)") }
      for line in fit.advice where said.insert(line).inserted { console.say("note: \(line)") }
      bar = ProgressBar("optimising", "measuring samplers")
    case .searching(let trial, let state):
      bar?.update(
        state.fraction(of: task.search),
        "trial \(trial), iteration \(state.iteration), best \(number(state.bestReturn))")
    case .optimized(let trial, let policy):
      finish()
      // While the machine still rests.
      promise = try fit.flatMap {
        try task.promise(of: policy.best, on: $0.model, console, prefix: "trial \(trial): ")
      }
      rest.end()
      self.policy = policy
      policy.warnOfFlatness(console)
      policy.sayWidening(console)
      policy.describeDoubts(console, prefix: "trial \(trial): ")
      if policy.sampler.isUseless {
        console.say(
          "trial \(trial): warning: the sampler \(policy.sampler.sampler.name.rawValue): "
            + policy.sampler.certificate.sentence)
      }
    case .tried(let record, let evaluated):
      judged = [evaluated]
      let verdict = record.verdict(over: task.evaluation.episodes)
      if let promise, let fit {
        try task.score(promise, by: Evaluation(episodes: judged), on: fit.model)
          .describe(task, console, prefix: "trial \(record.last.trial): ")
      }
      say(record.last, verdict)
      if let verdict, verdict.isOpen {
        beginJudging(verdict)
      } else {
        try report(record)
      }
    case .judged(let record, let evaluated):
      judged.append(evaluated)
      try sayJudged(record, evaluated)
    }
  }

  private func report(_ record: LoopRecord) throws {
    let description = policy.flatMap { policy in
      fit.map { task.description(of: policy, on: $0.model) }
    }
    let written = Report(
      task: task, fit: fit, policy: policy, evaluation: Evaluation(episodes: judged), loop: record,
      origin: ReportOrigin(
        seed: record.seed, model: fit?.model.fingerprint, policy: policy?.best.fingerprint,
        description: description,
        policyFile: folder + String(format: "/policy-%03d.safetensors", record.last.trial),
        spread: record.spread))
    try written.write(to: folder + "/report.html", versions: store)
    last = written
  }

  /// Writes the last report again: the versions have numbers now. Throws: `OutputError`.
  func reportVersions() throws {
    try last?.write(to: folder + "/report.html", versions: store)
  }

  /// Of a trial that succeeded; also where an interrupted judging goes on.
  func beginJudging(_ verdict: TrialVerdict) {
    bar = ProgressBar("judging", "\(verdict.wanted) episodes")
  }

  private func sayJudged(_ record: LoopRecord, _ evaluated: EvaluatedEpisode) throws {
    guard let verdict = record.verdict(over: task.evaluation.episodes) else { return }
    bar?.update(Double(verdict.episodes) / Double(verdict.wanted), verdict.words)
    if !evaluated.isSuccess {
      finish()
      console.say(
        "  episode \(verdict.episodes) of \(verdict.wanted) does not succeed"
          + (evaluated.earlyEnd.map { ": \($0)" } ?? ""))
      if verdict.isOpen { beginJudging(verdict) }
    }
    if verdict.isOpen { return }
    finish()
    // The command's last line says what ended the loop.
    if !verdict.isSolved || !task.learning.untilSolved {
      console.say("trial \(record.last.trial): \(verdict.finalWords)")
    }
    try report(record)
  }

  private func say(_ trial: EpisodeRecord, _ verdict: TrialVerdict?) {
    let steps = trial.steps > 1 ? " (\(trial.stepSuccesses) of \(trial.steps) steps)" : ""
    console.say(
      "trial \(trial.trial): learnt in \(number(trial.fitSeconds)) s, policy in "
        + "\(number(trial.optimizeSeconds)) s (return \(number(trial.predictedReturn ?? .nan)))"
        + (verdict?.isOpen == true ? "" : trial.isSolved ? ", solved" : ", not solved") + steps
        + (trial.earlyEnd.map { "; \($0)" } ?? ""))
    if let verdict, verdict.isOpen {
      console.say(
        "trial \(trial.trial) succeeds; judging it over \(verdict.wanted) episodes")
    }
  }

  func finish() {
    bar?.finish()
    bar = nil
  }
}

extension TrialVerdict {
  /// What a closed verdict says: "7 of 8 episodes succeed: solved".
  var finalWords: String {
    isSolved
      ? "\(words): solved" : "\(words): not solved (of \(wanted), \(fewest) must succeed)"
  }
}
