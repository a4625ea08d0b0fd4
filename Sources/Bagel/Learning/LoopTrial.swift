// SPDX-License-Identifier: Apache-2.0
// The stages of a trial (paper, Algorithm 1, lines 4 to 21): fit, search, drive, and judge where it succeeded.

import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Plants
import Policies
import PolicySearch
import SafeText
import Tasks
import Watching

/// A trial's policy before it is driven.
struct TrialPolicy {
  let controller: PolicyController
  let data: ControlTask.SearchedData
  /// What is known of the trial so far.
  let entry: EpisodeRecord
}

extension InteractionLoop {
  /// Line 6: learns the dynamics from all data so far.
  func fit(_ trial: Int) throws -> FittedModel {
    try say(.fitting(trial: trial))
    let fit = try task.fit(
      files.episodes(of: record, before: trial, of: task, fewestRows: fewestRows),
      from: files.earlierModel(trial, of: task))
    try fit.model.write(
      to: files.path("model", trial, ".safetensors"), provenance: "\(task.name), trial \(trial)")
    try say(.fitted(trial: trial, fit))
    return fit
  }

  /// Lines 7 to 18: searches a policy on the model.
  func search(_ trial: Int, on fit: FittedModel) throws -> TrialPolicy {
    var task = task
    task.objective.rewardScale = try files.firstScale(fit.model, of: task)
    let policy = try task.optimize(
      fit.model, from: files.earlierParameters(trial, of: task), device: device,
      checkpoint: files.path("search", trial, ".safetensors"), checkpointInterval: 1
    ) { tell(.searching(trial: trial, $0)) }
    guard policy.isFinished else { throw LoopInterruption() }
    try policy.best.write(
      to: files.path("policy", trial, ".safetensors"),
      description: task.description(of: policy, on: fit.model))
    try say(.optimized(trial: trial, policy))
    var entry = EpisodeRecord(
      trial: trial, log: files.name("episode", record.episodes.count, ".csv"), rows: 0)
    entry.fitSeconds = fit.seconds
    entry.optimizeSeconds = policy.seconds
    entry.predictedReturn = policy.state.bestReturn
    entry.iterations = policy.state.iteration
    let data = ControlTask.SearchedData(task.policyDescription(on: fit.model))
    try task.checkSchedule(for: policy.best.policy.inputs.goal, within: data)
    return TrialPolicy(controller: policy.best, data: data, entry: entry)
  }

  /// One more episode of the last trial, with its policy as it is on the disk.
  mutating func judge(_ verdict: TrialVerdict) throws {
    let trial = record.lastTrialEpisodes[0].trial
    let (controller, description) = try files.policy(beingJudged: trial)
    let entry = EpisodeRecord(
      trial: trial, judging: verdict.episodes,
      log: files.name("episode", record.episodes.count, ".csv"), rows: 0)
    try drive(TrialPolicy(controller: controller, data: .init(description), entry: entry), trial)
  }

  /// Lines 19 to 21: runs the policy on the plant, judges what it did, and adds it to the data.
  mutating func drive(_ policy: TrialPolicy, _ trial: Int) throws {
    var entry = policy.entry
    // No two episodes of a loop have the same start, goal and noise.
    let index = 1 + record.episodes.count { $0.trial > 0 }
    if spread > 0 { try session.vary(by: spread, seed: seed &+ UInt64(index)) }
    let log = try LogWriter(path: folder + "/" + entry.log, layout: task.layout)
    defer { log.close() }
    let (outcome, goals) = try session.drive(
      policy.controller, index: index, seed: seed, within: policy.data,
      name: "trial \(trial)" + (entry.judging.map { ", episode \($0 + 1)" } ?? ""), log: log,
      isLearntFrom: true, goesOn: goesOn)
    _ = tell(.drove(outcome))
    if outcome.isInterrupted { throw LoopInterruption() }
    entry.rows = outcome.rows
    entry.earlyEnd = outcome.earlyEnd
    entry.hasLeftLimits = outcome.hasLeftLimits
    entry.failure = outcome.failure.map { "\($0)" }
    if let failure = outcome.failure {
      try keep(entry, outcome)
      throw failure
    }
    let evaluated = EpisodeJudge(task).judge(outcome, goals: goals)
    entry.add(evaluated, reasons: evaluated.reasons(task))
    try keep(entry, outcome)
    try say(entry.judging == nil ? .tried(record, evaluated) : .judged(record, evaluated))
  }

  /// What is usual on the machine: on what the last trial's model learnt from, and where its policy drove.
  func writeWatch() throws {
    let trial = record.trials.count
    let path = files.path("model", trial, ".safetensors")
    guard FileManager.default.fileExists(atPath: path) else { return }
    let model = try DynamicsModel(path: path)
    let own = record.lastTrialEpisodes.filter { $0.failure == nil && $0.rows >= fewestRows }
    let learnt = try files.episodes(of: record, before: trial, of: task, fewestRows: fewestRows)
    // A record that was altered may have none.
    if learnt.isEmpty || own.isEmpty { return }
    let driven = try task.layout.episodes(
      from: own.map { folder + "/" + $0.log }, needsExcitation: false, checksValues: false)
    do {
      try WatchCalibration(
        model, episodes: learnt, safeAction: task.safeAction
      ).widened(by: driven, model, safeAction: task.safeAction)
        .write(to: files.path("watch", trial, ".safetensors"))
    } catch is FactorizationError {
      // The loop has its policy; `run` says that there is no watch.
    }
  }
}

extension EpisodeRecord {
  /// Notes what an evaluation found.
  fileprivate mutating func add(_ evaluated: EvaluatedEpisode, reasons: [String]) {
    isSuccess = evaluated.isSuccess
    steps = evaluated.steps.count
    stepSuccesses = evaluated.steps.count { $0.isSuccess }
    steadyStateErrors = evaluated.steps.map { $0.tracked[0].steadyStateError }
    responseErrors = evaluated.responseErrors
    reason =
      reasons.isEmpty ? nil : shortened(reasons.joined(separator: "; "), to: longestMessage)
  }
}
