// SPDX-License-Identifier: Apache-2.0
// How steps kept their time, from the real start of each: period (from one action to the next), decision (from a measurement
// to its action, waiting left out), answer (from an action to the plant's answer). In: seconds. Out: quantiles, in memory
// that does not grow.

import Foundation

/// Counts of durations in bins of at most 0.2 % of their duration, from 1 microsecond to 70 minutes.
/// (HdrHistogram's Swift package does the same and brings swift-numerics, which nothing else here needs.)
package struct DurationHistogram: Hashable, Sendable {
  /// Of microseconds: 2^10 linear bins, then 2^9 to each doubling.
  private var counts: [Int]
  package private(set) var count = 0
  /// The longest, exactly; 0 for none.
  package private(set) var worst = 0.0
  private static let bits = 10
  private static let doublings = 22

  package init() {
    counts = Array(repeating: 0, count: (1 << Self.bits) + Self.doublings << (Self.bits - 1))
  }

  package mutating func add(_ seconds: Double) {
    let limit = Double(UInt32.max)
    let microseconds = UInt64(min(max(1e6 * seconds, 0), limit))
    let shift = max(0, 64 - microseconds.leadingZeroBitCount - Self.bits)
    counts[shift << (Self.bits - 1) + Int(microseconds >> shift)] += 1
    count += 1
    worst = max(worst, seconds)
  }

  /// The duration below which this fraction lies, s; 0 without any.
  package func quantile(_ fraction: Double) -> Double {
    var left = Int((fraction * Double(count)).rounded(.up))
    for (index, number) in counts.enumerated() {
      left -= number
      if left <= 0 && number > 0 { return min(Self.middle(of: index), worst) }
    }
    return 0
  }

  /// The middle of a bin, s.
  private static func middle(of index: Int) -> Double {
    let shift = max(0, index >> (bits - 1) - 1)
    let low = (index - shift << (bits - 1)) << shift
    return 1e-6 * (Double(low) + 0.5 * Double(1 << shift))
  }

  package static func += (sum: inout DurationHistogram, other: DurationHistogram) {
    for index in sum.counts.indices { sum.counts[index] += other.counts[index] }
    sum.count += other.count
    sum.worst = max(sum.worst, other.worst)
  }
}

/// How an episode, or several, kept its time.
package struct StepTiming: Hashable, Sendable {
  package var timeStep: Double
  /// From each action to the next.
  package private(set) var period = DurationHistogram()
  package private(set) var decision = DurationHistogram()
  package private(set) var answer = DurationHistogram()
  /// Steps that lasted more than a twentieth longer than a time step.
  package private(set) var late = 0
  /// Whether steps lasted as long as the machine took, rather than a simulation's computing.
  package internal(set) var isReal = false

  package init(timeStep: Double) { self.timeStep = timeStep }

  /// Steps whose period is known.
  package var steps: Int { period.count }
  /// By how much the longest period was longer than a time step.
  package var worstLateness: Double { max(0, period.worst - timeStep) }

  mutating func add(period seconds: Double) {
    period.add(seconds)
    if seconds > 1.05 * timeStep { late += 1 }
  }
  mutating func add(decision seconds: Double) { decision.add(seconds) }
  mutating func add(answer seconds: Double) { answer.add(seconds) }

  package static func += (sum: inout StepTiming, other: StepTiming) {
    sum.period += other.period
    sum.decision += other.decision
    sum.answer += other.answer
    sum.late += other.late
    sum.isReal = sum.isReal || other.isReal
  }
}
