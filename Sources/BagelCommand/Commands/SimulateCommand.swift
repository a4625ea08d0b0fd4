// SPDX-License-Identifier: Apache-2.0
// bagel simulate MODEL: a learnt model answers the plant protocol, for one machine or many at once.

import ArgumentParser
import Bagel
import Foundation
import GaussianProcesses
import MachineLogs
import SafeText
import Tasks

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Simulate the machine: a learnt model that answers the plant protocol.",
    discussion: """
      Reads commands from standard input and answers on standard output, one JSON object per line, like a task's plant:
        plant: {process: [bagel, simulate, my-boom-out/model.safetensors]}
      With --particles N it simulates N machines at once: `states` and `actions` are then lists of lists, and a reset may be for some of \
      them, {"command":"reset","of":[3,7]}. A reset may give the initial state, "state": [..], with derived rates. Answers contain the measured channels.
      """)

  @Argument(help: "A model file, such as my-boom-out/model.safetensors.")
  var model: String

  @Option(
    help: """
      How the model's uncertainty enters: function (one function that agrees with the logs, drawn per episode), steps (a new draw at each \
      time step), none (the mean alone).
      """)
  var doubt = SimulatedDoubt.function

  @Option(help: "Number of machines to simulate at once.")
  var particles: Int?

  @Flag(inversion: .prefixedNo, help: "Add the sensors' noise to measurements.")
  var sensorNoise = true

  @OptionGroup var deviceOptions: DeviceOptions
  @Option(help: "Seed of starts, functions and noise, until a reset gives another.") var seed:
    UInt64 =
      0

  func validate() throws {
    guard particles.map(ModelSimulator.possibleParticles.contains) != false else {
      throw ValidationError("--particles must be from 1 to 1,000,000")
    }
  }

  func run() throws {
    try deviceOptions.checkAvailable()
    guard !BuiltInTasks.names.contains(model), !model.hasSuffix(".yaml"), !model.hasSuffix(".yml")
    else {
      throw LogError(
        file: model,
        "is not a model file; give one that `bagel fit` wrote, such as my-boom-out/model.safetensors"
      )
    }
    let simulator = try ModelSimulator(
      DynamicsModel(path: model), doubt: doubt, particles: particles ?? 1,
      hasSensorNoise: sensorNoise, device: deviceOptions.device)
    if simulator.doubt != doubt {
      Console.error(
        "no function can be drawn from this model: a new draw is made at each time step")
    }
    var session = SimulatedSession(simulator, isBatch: particles != nil, seed: seed)
    var line = 0
    while let text = readLine() {
      line += 1
      if text.allSatisfy(\.isWhitespace) { continue }
      do {
        guard let answer = try session.answer(text) else { return }
        try FileHandle.standardOutput.write(contentsOf: Data((answer + "\n").utf8))
      } catch let error as SimulatedSession.Misunderstood {
        throw LogError(file: "standard input", line: line, error.statement, remedy: error.remedy)
      }
    }
  }
}

extension SimulatedDoubt: ExpressibleByArgument {}
