// SPDX-License-Identifier: Apache-2.0
// Figure 5 of the paper: seconds and memory of an iteration against batch size, horizon and policy. Every configuration is
// a process of its own (`bagel benchmark iteration`), so that its memory is its own.

import Bagel
import Execution
import Foundation

/// How much of figure 5 to run.
package struct Figure5Options: Sendable {
  /// B, H and the policy's layers.
  package struct Configuration: Hashable, Sendable {
    package let particles: Int
    package let horizon: Int
    package let layers: [Int]

    package init(_ particles: Int, _ horizon: Int, _ layers: [Int]) {
      (self.particles, self.horizon, self.layers) = (particles, horizon, layers)
    }

    var name: String { "\(particles), \(horizon), \(layers)" }
  }

  /// The paper's scales: its batch and policy, ten and a hundred times the batch, a policy and a horizon of the larger kind.
  package var configurations: [Configuration] = [
    .init(100, 300, [8, 8]), .init(1_000, 300, [8, 8]), .init(1_000, 300, [64, 64]),
    .init(1_000, 1_000, [64, 64]), .init(10_000, 300, [64, 64]), .init(10_000, 1_000, [64, 64]),
  ]
  /// Training points n.
  package var points = 2_200
  /// Seconds to measure each for, after one iteration to warm up.
  package var seconds = 2.0
  /// What a peer needs, measured before.
  package var peers: [PeerCost] = []
  package var seed: UInt64 = 0

  package init() {}

  /// The three smallest on a small model.
  package static var quick: Figure5Options {
    var options = Figure5Options()
    options.configurations = Array(options.configurations.prefix(3))
    (options.points, options.seconds) = (300, 0.3)
    return options
  }
}

/// Figure 5, measured.
package struct Figure5: ReproducedFigure {
  /// What a configuration needs.
  struct Cost {
    /// CPU, GPU, or a peer's name.
    let name: String
    let configuration: Figure5Options.Configuration
    /// Of one iteration, median.
    let seconds: Double
    /// Of the whole process at its peak, on the host.
    let processBytes: Double?
    /// Of the rollouts alone: on the GPU where they ran there.
    let rolloutBytes: Double?
  }

  /// The command that measures: bagel's own path.
  private let program: String
  let options: Figure5Options
  private(set) var costs: [Cost]
  /// Through which the rollouts go, and its errors, in words.
  private(set) var sampler: String?
  /// What is left out, and why.
  private(set) var skipped: [(what: String, reason: String)] = []
  package private(set) var isComplete = false
  package let name = "figure5"

  /// Throws: `ReproductionError` for peers on another number of transitions.
  package init(_ options: Figure5Options, program: String) throws {
    if let other = options.peers.first(where: { $0.points != options.points }) {
      throw ReproductionError(
        "the peer was measured on n = \(other.points), this figure is of n = \(options.points)")
    }
    (self.options, self.program) = (options, program)
    costs = options.peers.map { peer in
      Cost(
        name: peer.name, configuration: peer.configuration, seconds: peer.seconds,
        processBytes: peer.processMebibytes * 1_048_576,
        rolloutBytes: peer.deviceMebibytes.map { $0 * 1_048_576 })
    }
  }

  private static func name(_ device: ExecutionDevice) -> String {
    device == .host ? "BAGEL, CPU" : "BAGEL, GPU"
  }

  /// Measures every configuration on the host and, where there is one, on a GPU; what fails is left out with its reason.
  package mutating func run(_ tell: @escaping Progress) throws {
    var done = 0.0
    for device in [ExecutionDevice.host, .cuda] {
      do { try device.checkAvailable() } catch {
        skipped.append((Self.name(device), "\(error)"))
        continue
      }
      for configuration in options.configurations {
        let what = "\(Self.name(device)): \(configuration.name)"
        guard tell(done / Double(2 * options.configurations.count), what) else { return }
        do { costs.append(try measure(configuration, device)) } catch {
          // The command that measures hears Ctrl-C too.
          guard tell(done / Double(2 * options.configurations.count), what) else { return }
          skipped.append((what, "\(error)"))
        }
        done += 1
      }
    }
    isComplete = true
  }

  private mutating func measure(
    _ configuration: Figure5Options.Configuration, _ device: ExecutionDevice
  ) throws -> Cost {
    let said = try said(by: [
      "benchmark", "iteration", "--json", "--particles", "\(configuration.particles)", "--horizon",
      "\(configuration.horizon)", "--layers",
      configuration.layers.map { "\($0)" }.joined(separator: ","), "--points", "\(options.points)",
      "--sampler", "automatic", "--device", device.rawValue, "--seconds", "\(options.seconds)",
      "--seed", "\(options.seed)",
    ])
    guard let seconds = said["secondsPerIteration"] as? Double,
      let name = said["sampler"] as? String, let summary = said["samplerSummary"] as? String,
      let error = said["samplerError"] as? [String: Double], let mean = error["mean"],
      let deviation = error["sd"]
    else {
      throw ReproductionError("`bagel benchmark` printed no usable JSON: \(said)")
    }
    sampler =
      "\(name), \(summary) (error of its mean \(number(100 * mean)) % of the signal, of its deviation "
      + "\(number(100 * deviation)) % of the predictive)"
    return Cost(
      name: Self.name(device), configuration: configuration, seconds: seconds,
      processBytes: said["peakMemoryBytes"] as? Double,
      rolloutBytes: said["rolloutBytes"] as? Double)
  }

  /// The JSON object on the last line that a command of the program prints.
  private func said(by arguments: [String]) throws -> [String: Any] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // A few lines: they fit the pipe while standard output is read.
    let data = output.fileHandleForReading.readDataToEndOfFile()
    let complaint = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let last = String(decoding: data, as: UTF8.self).split(separator: "\n").last ?? ""
    guard process.terminationStatus == 0,
      let said = try? JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any]
    else {
      throw ReproductionError(
        "ended with exit code \(process.terminationStatus): "
          + (complaint.split(separator: "\n").last.map(String.init) ?? "no error message"))
    }
    return said
  }

  package var json: [String: Any] {
    [
      "costs": costs.map { cost -> [String: Any] in
        [
          "particles": cost.configuration.particles, "horizon": cost.configuration.horizon,
          "layers": cost.configuration.layers, "on": cost.name,
          "secondsPerIteration": cost.seconds, "peakMemoryBytes": cost.processBytes ?? NSNull(),
          "rolloutBytes": cost.rolloutBytes ?? NSNull(),
        ]
      },
      "sampler": sampler ?? NSNull(),
      "skipped": skipped.map { ["what": $0.what, "reason": $0.reason] },
    ]
  }

  package var csv: String {
    let rows = costs.map { cost in
      "\"\(cost.name)\",\(cost.configuration.particles),\(cost.configuration.horizon),"
        + "\"\(cost.configuration.layers)\",\(cost.seconds),"
        + [cost.processBytes, cost.rolloutBytes].map { $0.map { "\($0)" } ?? "" }
        .joined(separator: ",")
    }
    return (["on,particles,horizon,layers,time_s,process_memory_B,rollout_memory_B"] + rows)
      .joined(separator: "\n") + "\n"
  }
}
