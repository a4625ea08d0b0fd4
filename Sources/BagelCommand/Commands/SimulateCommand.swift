// SPDX-License-Identifier: Apache-2.0
// bagel simulate MODEL: a learnt model speaks the plant protocol, one machine or many at once.

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
    abstract: "Be the machine: a learnt model behind the plant protocol.",
    discussion: """
      Reads commands from standard input and answers on standard output, one JSON object a line, as a plant of a task does:
        plant: {process: [bagel, simulate, my-boom-out/model.safetensors]}
      With --particles N many machines are driven at once: `states` and `actions` are lists of lists then, and a reset may name some of \
      them, {"command":"reset","of":[3,7]}. A reset may say where episodes begin, "state": [..], with derived rates; answers have what is measured.
      """)

  @Argument(help: "A model file, such as my-boom-out/model.safetensors.")
  var model: String

  @Option(
    help: """
      What moves the machine beside the model's mean: function (one of those that the logs allow, drawn for an episode), steps (draws anew \
      at each step), none.
      """)
  var doubt = SimulatedDoubt.function

  @Option(help: "Machines at once.")
  var particles: Int?

  @Flag(inversion: .prefixedNo, help: "Whether measurements have the sensors' noise.")
  var sensorNoise = true

  @OptionGroup var deviceOptions: DeviceOptions
  @Option(help: "Seed of starts, functions and noise, until a reset names one.") var seed: UInt64 =
    0

  func validate() throws {
    guard particles.map(ModelSimulator.possibleParticles.contains) != false else {
      throw ValidationError("--particles is a number from 1 to 1,000,000")
    }
  }

  func run() throws {
    try deviceOptions.checkAvailable()
    guard !BuiltInTasks.names.contains(model), !model.hasSuffix(".yaml"), !model.hasSuffix(".yml")
    else {
      throw LogError(
        file: model,
        "is no model file; name one, such as my-boom-out/model.safetensors, which `bagel fit` writes"
      )
    }
    let simulator = try ModelSimulator(
      DynamicsModel(path: model), doubt: doubt, particles: particles ?? 1,
      hasSensorNoise: sensorNoise, device: deviceOptions.device)
    if simulator.doubt != doubt {
      Console.error("the model has no functions to draw: draws are made anew at each step")
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
