// SPDX-License-Identifier: Apache-2.0
// bagel benchmark: how long iterations and fits take, and how reliable watches and promises are.

import ArgumentParser
import Bagel
import Foundation

struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark",
    abstract:
      "Measure the time of an iteration or a fit, the alarms of a watch, kept promises, or the GPU's peak.",
    subcommands: [
      IterationBenchmark.self, FitBenchmark.self, WatchBenchmark.self, PromiseBenchmark.self,
      DeviceBenchmark.self,
    ])
}
