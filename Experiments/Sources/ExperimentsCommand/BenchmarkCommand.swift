// SPDX-License-Identifier: Apache-2.0
// bagel benchmark: seconds of the things that take time.

import ArgumentParser
import Bagel
import BagelCommand
import Foundation

struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark",
    abstract: ExperimentsProgram.benchmarkAbstract,
    subcommands: [
      IterationBenchmark.self, FitBenchmark.self, WatchBenchmark.self, PromiseBenchmark.self,
      DeviceBenchmark.self,
    ])
}
