// SPDX-License-Identifier: Apache-2.0
// Figure 5 of the paper: seconds and memory of an iteration against batch size, horizon and policy. Every configuration is
// a process of its own (`bagel benchmark iteration`), so that its memory is its own.

import Bagel
import Foundation

/// How much of figure 5 to run.
public struct Figure5Options: Sendable {
  /// B, H and the policy's layers.
  public struct Configuration: Hashable, Sendable {
    public let particles: Int
    public let horizon: Int
    public let layers: [Int]

    public init(_ particles: Int, _ horizon: Int, _ layers: [Int]) {
      (self.particles, self.horizon, self.layers) = (particles, horizon, layers)
    }

    var name: String { "\(particles), \(horizon), \(layers)" }
  }

  /// The paper's scales: its batch and policy, ten and a hundred times the batch, a policy and a horizon of the larger kind.
  public var configurations: [Configuration] = [
    .init(100, 300, [8, 8]), .init(1_000, 300, [8, 8]), .init(1_000, 300, [64, 64]),
    .init(1_000, 1_000, [64, 64]), .init(10_000, 300, [64, 64]), .init(10_000, 1_000, [64, 64]),
  ]
  /// Training points n.
  public var points = 2_200
  /// Seconds to measure each for, after one iteration to warm up.
  public var seconds = 2.0
  /// What a peer needs, measured before.
  public var peers: [PeerCost] = []
  public var seed: UInt64 = 0

  public init() {}

  /// The three smallest on a small model.
  public static var quick: Figure5Options {
    var options = Figure5Options()
    options.configurations = Array(options.configurations.prefix(3))
    (options.points, options.seconds) = (300, 0.3)
    return options
  }
}

/// Figure 5, measured.
public struct Figure5: ReproducedFigure {
  /// What a configuration needs.
  private struct Cost {
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
  private let options: Figure5Options
  private var costs: [Cost]
  /// Through which the rollouts go, and its errors, in words.
  private var sampler: String?
  /// What is left out, and why.
  private var skipped: [(what: String, reason: String)] = []
  public private(set) var isComplete = false
  public let name = "figure5"

  /// Throws: `ReproductionError` for peers on another number of transitions.
  public init(_ options: Figure5Options, program: String) throws {
    if let other = options.peers.first(where: { $0.points != options.points }) {
      throw ReproductionError(
        description:
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
    device == .host ? "CPU" : "GPU"
  }

  /// Measures every configuration on the host and, where there is one, on a GPU; what fails is left out with its reason.
  public mutating func run(_ tell: @escaping Progress) throws {
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
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = [
      "benchmark", "iteration", "--json", "--particles", "\(configuration.particles)", "--horizon",
      "\(configuration.horizon)", "--layers",
      configuration.layers.map { "\($0)" }.joined(separator: ","), "--points", "\(options.points)",
      "--sampler", "automatic", "--device", device.rawValue, "--seconds", "\(options.seconds)",
      "--seed", "\(options.seed)",
    ]
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
      let said = try? JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any],
      let seconds = said["secondsPerIteration"] as? Double
    else {
      throw ReproductionError(
        description: "ended with exit code \(process.terminationStatus): "
          + (complaint.split(separator: "\n").last.map(String.init) ?? "no word of why"))
    }
    if let name = said["sampler"] as? String, let summary = said["samplerSummary"] as? String,
      let error = said["samplerError"] as? [String: Double], let mean = error["mean"],
      let deviation = error["sd"]
    {
      sampler =
        "\(name), \(summary) (error of its mean \(number(100 * mean)) % of the signal, of its deviation "
        + "\(number(100 * deviation)) % of the predictive)"
    }
    return Cost(
      name: Self.name(device), configuration: configuration, seconds: seconds,
      processBytes: said["peakMemoryBytes"] as? Double,
      rolloutBytes: said["rolloutBytes"] as? Double)
  }

  public var json: [String: Any] {
    [
      "costs": costs.map { cost -> [String: Any] in
        [
          "particles": cost.configuration.particles, "horizon": cost.configuration.horizon,
          "layers": cost.configuration.layers, "on": cost.name,
          "secondsPerIteration": cost.seconds, "peakMemoryBytes": cost.processBytes ?? NSNull(),
          "rolloutBytes": cost.rolloutBytes ?? NSNull(),
        ]
      },
      "skipped": skipped.map { ["what": $0.what, "reason": $0.reason] },
    ]
  }

  // MARK: The page

  public var page: Page? {
    if costs.isEmpty { return nil }
    return Page(
      title: "Figure 5: seconds and memory of an iteration",
      sections: [
        .init(
          title: nil,
          html: [
            "<p>One iteration of Experiment 1 (rollouts, their gradient, Adam) through the posterior of \(options.points) transitions"
              + "\(sampler.map { " as `sampler: automatic` takes it: \($0)" } ?? ""), for batches of B rollouts of H steps and networks of two hidden "
              + "layers. Each configuration is a process of its own. Memory is that of the whole process on the host at its peak, "
              + "learning the model included, and that of the rollouts alone, on the GPU where they run there.</p>"
          ]),
        .init(title: nil, plot: plot("time of an iteration", "s", seconds)),
        .init(title: nil, plot: plot("memory", "MB", megabytes)),
        .init(title: "Measured", html: [table]),
        .init(title: "The paper, and what is different here", html: [comparison]),
      ])
  }

  public var csv: String {
    let rows = costs.map { cost in
      "\"\(cost.name)\",\(cost.configuration.particles),\(cost.configuration.horizon),"
        + "\"\(cost.configuration.layers)\",\(cost.seconds),"
        + [cost.processBytes, cost.rolloutBytes].map { $0.map { "\($0)" } ?? "" }
        .joined(separator: ",")
    }
    return (["on,particles,horizon,layers,time_s,process_memory_B,rollout_memory_B"] + rows)
      .joined(separator: "\n") + "\n"
  }

  /// Names in the order in which they first come.
  private func distinct(_ names: [String]) -> [String] {
    names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// A box in a picture: whose it is, and how tall.
  private struct Bar {
    let name: String
    let configuration: Figure5Options.Configuration
    let value: Double
  }

  private var seconds: [Bar] {
    costs.map { Bar(name: $0.name, configuration: $0.configuration, value: $0.seconds) }
  }

  private var megabytes: [Bar] {
    costs.flatMap { cost in
      [("process", cost.processBytes), ("rollouts", cost.rolloutBytes)].compactMap { what, bytes in
        bytes.map {
          Bar(name: "\(cost.name): \(what)", configuration: cost.configuration, value: $0 / 1e6)
        }
      }
    }
  }

  private func plot(_ title: String, _ units: String, _ bars: [Bar]) -> Plot {
    var plot = Plot(title: title, xLabel: "B, H, policy", yLabel: "\(title) (\(units))")
    plot.hasLogarithmicY = true
    plot.xNames = options.configurations.map(\.name)
    let names = distinct(bars.map(\.name))
    let width = 0.8 / Double(names.count)
    for (index, name) in names.enumerated() {
      let shift = width * (Double(index) - 0.5 * Double(names.count - 1))
      let places = bars.filter { $0.name == name }.compactMap { bar in
        options.configurations.firstIndex(of: bar.configuration).map { ($0, bar.value) }
      }
      plot.curves.append(
        .init(
          title: name, style: .boxes(color: Palette.color(1 + index), width: width),
          x: places.map { Double($0.0) + shift }, y: places.map(\.1)))
    }
    return plot
  }

  private var table: String {
    let rows = costs.map { cost in
      "<tr><td>\(escaped(cost.name))</td><td>\(cost.configuration.name)</td>"
        + "<td>\(number(cost.seconds))</td>"
        + [cost.processBytes, cost.rolloutBytes].map {
          "<td>\($0.map { number($0 / 1e6) } ?? "")</td>"
        }.joined() + "</tr>"
    }
    let left = skipped.map {
      "<p>Left out: \(escaped($0.what)): \(escaped($0.reason))</p>"
    }
    return
      "<table><tr><th>on</th><th>B, H, policy</th><th>seconds</th><th>megabytes of the process</th>"
      + "<th>of the rollouts</th></tr>"
      + rows.joined() + "</table>" + left.joined()
  }

  /// Seconds of one configuration over those of another; nil where one is missing.
  private func ratio(
    _ name: String, _ a: Figure5Options.Configuration, _ b: Figure5Options.Configuration
  ) -> Double? {
    func seconds(_ wanted: Figure5Options.Configuration) -> Double? {
      costs.first { $0.name == name && $0.configuration == wanted }?.seconds
    }
    guard let x = seconds(a), let y = seconds(b) else { return nil }
    return x / y
  }

  private var comparison: String {
    let sentences = distinct(costs.map(\.name)).flatMap { name -> [String] in
      [
        ratio(name, .init(1_000, 300, [8, 8]), .init(100, 300, [8, 8])).map {
          "\(escaped(name)): ten times the batch (100 to 1,000) takes \(number($0)) times as long."
        },
        ratio(name, .init(1_000, 300, [64, 64]), .init(1_000, 300, [8, 8])).map {
          "\(escaped(name)): 42 times the parameters ([8, 8] to [64, 64]) take \(number($0)) times as long."
        },
        ratio(name, .init(1_000, 1_000, [64, 64]), .init(1_000, 300, [64, 64])).map {
          "\(escaped(name)): 3.33 times the horizon takes \(number($0)) times as long."
        },
      ].compactMap { $0 }
    }
    return """
      <p>The paper, on a Tesla V100: sublinear in the batch and in the size of the policy, near-linear in the horizon; the larger \
      configurations only with KeOps, out of memory without.</p>
      <p>Here: \(sentences.isEmpty ? "too few configurations to say." : sentences.joined(separator: " ")) Nothing but states and a \
      few values a step is kept.</p>
      """
  }
}
