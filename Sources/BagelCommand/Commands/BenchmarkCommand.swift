// SPDX-License-Identifier: Apache-2.0
// bagel benchmark: seconds of the things that take time.

import ArgumentParser
import Bagel
import Foundation

struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark",
    abstract:
      "Measure an iteration or a fit on the simulated boom, a watch, promises, or the GPU itself.",
    subcommands: [
      IterationBenchmark.self, FitBenchmark.self, WatchBenchmark.self, PromiseBenchmark.self,
      DeviceBenchmark.self,
    ])
}
