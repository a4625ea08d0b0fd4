// SPDX-License-Identifier: Apache-2.0
// bagel benchmark fit: time of learning the hyperparameters, on the paper's Experiment 1.

import ArgumentParser
import Bagel
import BagelCommand
import Execution
import Foundation
import GaussianProcesses
import Tasks

/// Hyperparameter learning on the boom.
struct FitBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit", abstract: "Time the learning of hyperparameters.")

  @Option(help: "Training points n.") var points = 2_200
  @Option(help: "Outputs to learn, 1 or 2.") var outputs = 2
  @Option(help: "Criterion of the fit; `bagel fit` uses heteroscedastic.")
  var criterion = FitCriterion.marginalLikelihood
  @Option(help: "How the likelihood of all points is computed.")
  var likelihood = Choice<LikelihoodMethod>.automatic
  @Flag(help: "Maximum likelihood, without the priors.") var noPrior = false
  @Option(help: "Device for the products of row blocks.")
  var device = Choice<ExecutionDevice>.automatic
  @Option(
    help: "Also write the standardised inputs and targets to this CSV file, for other libraries.")
  var data: String?
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard points >= 10, (1...2).contains(outputs) else {
      throw ValidationError("--points must be at least 10, --outputs 1 or 2")
    }
  }

  func run() throws {
    let console = Console(common)
    try device.option?.checkAvailable()
    var task = try ControlTask("boom")
    task.exploration.seconds = Double(points) * task.layout.timeStep
    if noPrior { task.model.fit.prior = nil }
    task.model.fit.criterion = criterion
    task.model.fit.likelihood = likelihood.option
    task.model.fit.device = device.option
    let episodes = try task.trainingEpisodes(seed: common.seed)
    var form = try task.modelForm()
    if outputs == 1 {
      form = ModelForm(
        features: form.features,
        updates: [.backwardIntegral(rate: 1, smoothing: 1), .increment(output: 0)])
    }
    let start = ContinuousClock.now
    let bar = ProgressBar("learning")
    let (model, results) = try DynamicsModel.fit(
      episodes, layout: task.layout, form: form, options: task.model.fit,
      progress: { bar.update($0) })
    bar.finish()
    let seconds = start.duration(to: .now).seconds
    let fit = FittedModel(
      model: model, results: results, seconds: seconds, training: episodes, heldOutEpisodes: [],
      heldOut: [])
    fit.describe(console)
    console.say(
      "full evaluations: \(results.map(\.fullEvaluations)) (\(results[0].method.rawValue))")
    console.say("peak memory: \(number(Double(peakMemoryBytes()) / 1e6)) MB")
    if let data { try writeData(model, to: data) }
    let perPoint = model.processes.map { $0.logMarginalLikelihood / Double($0.y.count) }
    try console.finish(
      resultJSON(
        fit.json,
        [
          "logMarginalLikelihoodPerPoint": perPoint, "peakMemoryBytes": peakMemoryBytes(),
          "likelihood": results[0].method.rawValue,
        ]))
  }

  private func writeData(_ model: DynamicsModel, to path: String) throws {
    let x = model.features
    let header =
      (0..<x.columns).map { "x\($0)" } + model.processes.indices.map { "y\($0)" }
    let rows = (0..<x.rows).map { i in
      (x.row(i) + model.processes.map { $0.y[i] }).map { "\($0)" }.joined(separator: ",")
    }
    let text = ([header.joined(separator: ",")] + rows).joined(separator: "\n")
    try WrittenFile(path, option: "--data").write(Data(text.utf8))
  }
}
