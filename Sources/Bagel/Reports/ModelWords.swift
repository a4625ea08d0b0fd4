// SPDX-License-Identifier: Apache-2.0
// A fitted model in words: inputs and lengthscales of each output, noise, likelihood, and how much known physics explains.

import Foundation
import GaussianProcesses
import MachineLogs
import SafeText

extension DynamicsModel {
  /// One line per output, then what was known beforehand.
  package var summaryLines: [String] { outputNames.indices.map(summary) + physicsLines }

  /// Inputs that are named in a line; of more only the scales are said.
  private static let mostNamed = 8

  private func summary(_ m: Int) -> String {
    let (name, process) = (outputNames[m], processes[m])
    let h = process.hyperparameters
    let noise = number(h.noiseVariance.squareRoot() * incrementStandardiser.scale[m])
    if process.isNoise {
      return "\(name): linear in \(form.features.count) features, noise \(noise)"
    }
    let parameters = zip(h.covariance.parameterKinds, h.covariance.parameters)
    let scales = parameters.compactMap { kind, value -> String? in
      if case .lengthscale = kind { number(exp(value)) } else { nil }
    }
    let shapes = parameters.filter { $0.0 == .shape }.map { ", shape \(number(exp($0.1)))" }
    let inputs = form.outputs[m].inputs.map { shortened(form.features[$0].words(layout)) }
    let read =
      inputs.count <= Self.mostNamed
      ? "reads " + zip(inputs, scales).map { "\($0) (\($1))" }.joined(separator: ", ")
        + "; lengthscales in standard deviations"
      : "reads \(inputs.count) inputs; lengthscales \(scales.joined(separator: ", ")) standard deviations"
    let jitter = process.jitter > 0 ? "; jitter \(number(process.jitter)) was needed" : ""
    let likelihood = process.logMarginalLikelihood
    return
      "\(name) \(read)\(shapes.joined()), noise \(noise), log marginal likelihood \(number(likelihood)) "
      + "(\(number(likelihood / Double(process.y.count))) a point)\(jitter)"
  }

  /// What known physics explains, and its constants.
  private var physicsLines: [String] {
    guard let physics else { return [] }
    let rates = physics.rates.map { rate in
      "known physics explains \(rate.explained.map { number(100 * $0) } ?? "-") % of the variance of the changes of \(rate.state); "
        + "the process learns the rest"
    }
    let free = physics.constants.filter(\.isFree).map { constant -> String in
      let error = constant.error.map { " +- \(number(1.96 * $0))" } ?? ""
      return "\(constant.name) = \(number(constant.value))\(error)"
    }
    return rates + (free.isEmpty ? [] : ["constants (95 %): " + free.joined(separator: ", ")])
  }
}

extension KnownPhysics {
  /// Constants that the data do not tell, in words.
  var untold: [String] {
    constants.filter { !$0.isTold }.map { constant in
      let interval =
        constant.error.map {
          "its 95 % interval is \(number(constant.value - 1.96 * $0)) to \(number(constant.value + 1.96 * $0))"
        } ?? "any value fits, or another constant replaces it"
      return
        "the data do not determine the constant '\(constant.name)': \(interval); give it (constants: {\(constant.name): ...}), or "
        + "log a motion that depends on it"
    }
  }
}

extension InputFeature {
  /// What it is of, by the channels' names.
  package func words(_ layout: LogLayout) -> String {
    func ago(_ lag: Int) -> String {
      switch lag {
      case 0: ""
      case -1: " of the next row"
      default: " \(counted(lag, "row")) before"
      }
    }
    switch self {
    case .state(let i, let lag): return layout.states[i].name + ago(lag)
    case .action(let j, let lag): return layout.actions[j].name + ago(lag)
    case .disturbance(let w, let lag): return layout.disturbances[w].channel.name + ago(lag)
    case .filteredAction(let j, let steps):
      return "\(layout.actions[j].name) filtered over \(number(steps)) steps"
    case .sine(let i, _): return "sin \(layout.states[i].name)"
    case .cosine(let i, _): return "cos \(layout.states[i].name)"
    case .formula(let formula, let lag): return formula.name + ago(lag)
    }
  }
}

extension FittedModel {
  /// What was understood of how logs are written, each once with the logs that it is of.
  package var readingSentences: [String] {
    let readings = (training + heldOutEpisodes).compactMap(\.reading)
    var order: [String] = []
    var files: [String: Set<String>] = [:]
    for reading in readings where !reading.habits.isEmpty {
      let words = reading.habits.joined(separator: "; ")
      if files[words] == nil { order.append(words) }
      files[words, default: []].insert(reading.file)
    }
    let all = Set(readings.map(\.file))
    return order.map { words in
      let of = files[words] ?? []
      let some = of.sorted().prefix(3).map { URL(fileURLWithPath: $0).lastPathComponent }
      let more = of.count > 3 ? " and \(of.count - 3) others" : ""
      return "read\(of == all ? "" : " \(some.joined(separator: ", "))\(more)"): \(words)"
    }
  }
}
