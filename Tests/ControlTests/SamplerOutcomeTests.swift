// SPDX-License-Identifier: Apache-2.0
// What a sampler comes to decides where its moments are beyond the tolerance: a table of a small log serves a search as well as the
// exact posterior, one that is far too coarse does not.

import Bagel
import Foundation
import GaussianProcesses
import LinearAlgebra
import ModelChoice
import Samplers
import Tasks
import Testing

@Suite("Samplers by outcome")
struct SamplerOutcomeTests {
  /// The boom from 40 s of driving, with a tolerance that nothing meets, searched over 60 steps.
  private func fixture(tablePoints: Int) throws -> (task: ControlTask, model: DynamicsModel) {
    var task = try ControlTask("boom")
    task.exploration.seconds = 40
    task.model.fit.fullIterations = 2
    task.model.sampler.name = nil
    task.model.sampler.tolerance.mean = 1e-12
    task.model.sampler.tolerance.deviation = 1e-12
    task.model.sampler.tablePoints = tablePoints
    task.search.horizons = [60]
    return (task, try task.fit().model)
  }

  @Test("a table of a small log is taken by what it comes to, whatever its moments")
  func smallLog() throws {
    let (task, model) = try fixture(tablePoints: 1 << 16)
    let sampler = try task.makeSampler(model)
    #expect(sampler.sampler.name == .tabulated && !sampler.isWithinTolerance)
    #expect(sampler.rejected.allSatisfy { $0.sampler == .tabulated && $0.outcome == nil })
    let outcome = try #require(sampler.certificate.outcome)
    #expect(outcome.isGood && abs(outcome.relativeCRPS - 1) < 0.005)
    #expect(outcome.standardError > 0)
    #expect(
      abs(outcome.returnThroughSampler - outcome.returnThroughExact)
        < 2e-3 * outcome.returnThroughExact)
  }

  @Test("a table that is too coarse is refused, and its outcome is shown")
  func coarseTable() throws {
    let (task, model) = try fixture(tablePoints: 150)
    let sampler = try task.makeSampler(model)
    let refused = try #require(sampler.rejected.last { $0.sampler == .tabulated })
    let outcome = try #require(refused.outcome)
    #expect(!outcome.isGood && outcome.relativeCRPS > 1.05)
    #expect(outcome.sentence.contains("NOT as good"))
    #expect(sampler.certificate.outcome?.isGood == true)
    #expect(sampler.certificate.summary != refused.summary)
  }

  @Test("what would make a search last too long is left, with its minutes")
  func tooLong() throws {
    var (task, model) = try fixture(tablePoints: 150)
    task.search.iterations = 1_000_000_000
    let sampler = try task.makeSampler(model)
    #expect(sampler.sampler.name == .tabulated && sampler.certificate.outcome?.isGood == false)
    for name in [SamplerName.sparse, .love, .exact] {
      #expect(
        sampler.unsuitable.contains { $0.hasPrefix(name.rawValue) && $0.contains("minutes") })
    }
  }

  @Test("a search ends with the outcome of its own policy")
  func ofThePolicy() throws {
    var (task, model) = try fixture(tablePoints: 1 << 14)
    task.search.starts = 1
    task.search.iterations = 30
    let policy = try task.optimize(model)
    let outcome = try #require(policy.sampler.certificate.outcome)
    #expect(outcome.secondsPerIteration == nil, "the outcome is that of the short search")
    #expect(outcome.sentence.hasPrefix("this policy:"))
    #expect(outcome.isGood)
  }

  @Test("where moments are within the tolerance nothing is searched")
  func withinTolerance() throws {
    var (task, model) = try fixture(tablePoints: 1 << 16)
    task.model.sampler.tolerance.mean = 1
    task.model.sampler.tolerance.deviation = 1
    #expect(try task.makeSampler(model).certificate.outcome == nil)
  }

  @Test("distributions within 2 %, returns within two standard errors and a thousandth")
  func rule() {
    func outcome(_ through: Double, _ crps: Double) -> SamplerOutcome {
      SamplerOutcome(
        returnThroughSampler: through, returnThroughExact: 100, standardError: 1,
        relativeCRPS: crps)
    }
    #expect(outcome(102, 1.019).isGood && outcome(98, 0.9).isGood)
    #expect(!outcome(102.2, 1).isGood && !outcome(97.8, 1).isGood && !outcome(100, 1.021).isGood)
    #expect(!outcome(.nan, 1).isGood && !outcome(100, .nan).isGood)
  }
}
