// SPDX-License-Identifier: Apache-2.0
// Counting violations: functions in tables are functions of the posterior, errors on unseen rows are found and driven, and the bound of
// rollouts that share functions is no surer than it may be.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import PolicySearch
import Programs
import Rollouts
import Samplers
import Tasks
import TestSupport
import Testing

@Suite("counts of violations")
struct ViolationCountTests {
  private func sampler(_ name: SamplerName, spreads: [Double] = []) throws -> any PosteriorSampler {
    let (task, model) = try SmallBoom.fitted()
    var options = SamplerOptions()
    (options.name, options.noise, options.functionSpreads) = (name, .observed, spreads)
    return try model.sampler(options, actionLimits: task.actionLimits).sampler
  }

  @Test(
    "functions in tables have the posterior's mean, its spread as often as was asked for, and the noise"
  )
  func tables() throws {
    let (_, model) = try SmallBoom.fitted()
    let spreads = [1.0, 3]
    let table = try sampler(.tabulated)
    let tables = try #require(
      FunctionTables(
        table, try sampler(.sparsePathwise, spreads: spreads), noise: .observed))
    let count = 400
    let functions = tables.tables(count, key: DrawKey(seed: 5))
    #expect(functions.count == count)
    // The same function, whatever is made beside it; sums of products round otherwise.
    let again = tables.tables(8, key: DrawKey(seed: 5))[7]
    for (name, values) in functions[7] {
      for (a, b) in zip(values, try #require(again[name])) { #expect(abs(a - b) < 1e-9) }
    }
    let builder = ProgramBuilder()
    builder.output(
      "f",
      table.increments(
        at: builder.input("x", length: 3), draws: builder.input("z", length: 2),
        functionOffset: 0))
    let program = builder.finish()
    func values(_ index: Int, _ x: [Double], _ z: [Double]) -> [Double] {
      let data = table.data.merging(functions[index]) { $1 }
      return Interpreter(shared: data).run(program, inputs: ["x": x, "z": z])["f"]
    }
    for row in [10, 100, 200] {
      let x = model.features.row(row)
      let all = (0..<count).map { values($0, x, [0, 0]) }
      for (m, process) in model.processes.enumerated() {
        let (mean, variance) = process.predict(Matrix([x]))
        let column = all.map { $0[m] }
        let found = column.reduce(0, +) / Double(count)
        let deviation = (column.reduce(0) { $0 + ($1 - found) * ($1 - found) } / Double(count - 1))
          .squareRoot()
        let wanted = spreads[m] * variance[0].squareRoot()
        // Four standard errors, and what 256 features and a table miss.
        #expect(abs(found - mean[0]) < 4 * wanted / Double(count).squareRoot() + 5e-3)
        #expect(abs(deviation / wanted - 1) < 4 / (2 * Double(count)).squareRoot() + 0.1)
        let noise = process.addedVariance(Matrix([x]))[0].squareRoot()
        let moved = values(3, x, [1, 1])[m] - values(3, x, [0, 0])[m]
        #expect(abs(moved - noise) < 0.03 * noise)
      }
    }
  }

  @Test("residuals that grow with changes of commands are found on rows that a half has not seen")
  func unseen() throws {
    var model = try SmallBoom.fitted().model
    let plain = UnseenErrors(try model.halves(), of: model)
    #expect(plain.spreads.allSatisfy { $0 >= 1 } && plain.ofCommands.count == 2)
    let column = try #require(model.form.features.firstIndex(of: .action(0, lag: 0)))
    let process = model.processes[1]
    let scale = model.featureStandardiser.scale[column]
    let draws = DrawKey(seed: 3).normals(particle: 0, step: 0, count: process.y.count)
    let y = process.y.indices.map { k -> Double in
      let before = max(k - UnseenErrors.rows, 0)
      let change = scale * (model.features[k, column] - model.features[before, column])
      return process.y[k] + 8 * change * draws[k]
    }
    model.processes[1] = try GaussianProcess(
      process.hyperparameters, x: process.x, y: y, what: "changes")
    let found = UnseenErrors(try model.halves(), of: model).ofCommands
    #expect((6...12).contains(found[1][0]), "\(found)")
    #expect(found[0] == plain.ofCommands[0])
  }

  @Test("particles answer commands by their own errors all along")
  func drivenErrors() throws {
    let (task, model) = try SmallBoom.fitted()
    let sampler = try sampler(.exact)
    func paths(_ errors: [[Double]]) throws -> (BatchTrajectories, Rollout) {
      let rollout = Rollout(
        model: model, sampler: sampler, policy: task.makePolicy(), goals: nil,
        reward: try task.makeReward(model), commandErrors: errors, horizon: 3)
      let key = DrawKey(seed: 9)
      let standardised = model.stateStandardiser.standardise([-0.3, 0])
      let parameters = task.makePolicy().initialParameters(1)
      let batch = RolloutBatch(
        parameters: parameters,
        initialStates: (0..<8).flatMap {
          rollout.start(state: standardised, particle: $0, key: key)
        },
        goals: (0..<8).flatMap { _ in model.stateStandardiser.standardise([0, 0]) }, particles: 8,
        horizon: 3, draws: key)
      return (InterpreterExecutor(rollout.program, data: rollout.data).trajectories(batch), rollout)
    }
    let (none, _) = try paths([])
    let (off, _) = try paths([[0], [2]])
    for b in 0..<8 {
      let (plain, moved) = (none.carry(step: 1, particle: b), off.carry(step: 1, particle: b))
      // One step from rest: the change of the command is all of it.
      let command = none.action(step: 0, particle: b).first ?? .nan
      let z = DrawKey(seed: 9).normals(
        particle: b, step: ReservedStep.commandErrors.rawValue, count: 2)[1]
      let change = 2 * z * command * model.incrementStandardiser.scale[1]
      let found =
        (moved[moved.startIndex + 1] - plain[plain.startIndex + 1])
        * model.stateStandardiser.scale[1]
      #expect(abs(found - change) < 1e-9 + 1e-6 * abs(change))
    }
  }

  @Test("rollouts that share a function are worth as many as they behave like")
  func designEffect() {
    func count(_ perBatch: [Int], shares: Bool = true) -> ViolationCount {
      var count = ViolationCount(constraints: 1, particles: 32, sharesFunctions: shares)
      for own in perBatch { count.add([own]) }
      return count
    }
    // All or none of a batch: each batch is one trial.
    let all = count((0..<100).map { $0 < 5 ? 32 : 0 })
    #expect(all.violations == [160] && all.rollouts == 3_200)
    #expect(all.designEffect(0) > 30 && all.designEffect(0) <= 32)
    let bound = binomialUpperBound(
      count: 160, trials: 3_200, designEffect: all.designEffect(0))
    #expect(abs(bound - binomialUpperBound(count: 6, trials: 100)) < 0.02)
    // As independent rollouts fall.
    let draws = DrawKey(seed: 2).uniforms(particle: 0, step: 0, count: 3_200)
    let independent = count(
      (0..<100).map { b in (0..<32).count { draws[32 * b + $0] < 0.05 } })
    #expect(independent.designEffect(0) < 1.6)
    // None: as many trials as functions.
    let none = count(Array(repeating: 0, count: 1_000))
    #expect(none.designEffect(0) == 32)
    // What decides takes one more for left: 0 of 1,000 prove 1 % with 99.9 %, and 3 single ones; 0 of 500 do not.
    func isLeft(_ count: ViolationCount) -> Bool {
      count.isLeft(0, allowed: 0.01, confidence: 0.999)
    }
    #expect(!isLeft(none) && isLeft(count(Array(repeating: 0, count: 500))))
    #expect(!isLeft(count((0..<1_200).map { $0 < 3 ? 1 : 0 })))
    #expect(isLeft(count((0..<1_000).map { $0 < 10 ? 32 : 0 })))
    #expect(count(Array(repeating: 0, count: 100), shares: false).designEffect(0) == 1)
  }
}
