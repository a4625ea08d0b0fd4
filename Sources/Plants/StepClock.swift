// SPDX-License-Identifier: Apache-2.0
// The time of an episode's steps: a clock, the waiting until a step is due, and the time stamp of each row. All times in seconds.

import Foundation

/// Seconds since some moment, and waiting: the machine's clock, or one that tests move themselves.
package struct StepClock {
  package var now: () -> Double
  /// Returns at this time, or a little earlier where a signal came.
  package var sleep: (_ until: Double) -> Void

  package init(now: @escaping () -> Double, sleep: @escaping (_ until: Double) -> Void) {
    (self.now, self.sleep) = (now, sleep)
  }

  /// Monotonic, and it goes on while the computer sleeps.
  package static var real: StepClock {
    StepClock(
      now: { seconds(clock) },
      sleep: { until in
        #if os(Linux)
          var time = timespec(
            tv_sec: Int(until), tv_nsec: Int(1e9 * (until - until.rounded(.down))))
          clock_nanosleep(clock, TIMER_ABSTIME, &time, nil)
        #else
          Thread.sleep(forTimeInterval: max(0, until - seconds(clock)))
        #endif
      })
  }

  #if os(Linux)
    private static let clock = CLOCK_BOOTTIME
  #else
    private static let clock = CLOCK_MONOTONIC
  #endif

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }
}

/// Waits for the time of every step.
struct StepPace {
  let timeStep: Double
  let clock: StepClock
  private var due: Double?
  /// Between two questions whether to wait on.
  private static let patience = 0.02

  init(timeStep: Double, clock: StepClock) { (self.timeStep, self.clock) = (timeStep, clock) }

  /// Returns when the next step is due, one time step after the last, or at once if it is late. A late step shifts those
  /// after it: they do not hurry, and a machine that waits for its own time step is never waited for twice.
  ///
  /// - Parameter goesOn: false ends the waiting.
  mutating func wait(while goesOn: () -> Bool) {
    var now = clock.now()
    let planned = due ?? now
    due = max(planned, now) + timeStep
    while now < planned, goesOn() {
      clock.sleep(min(planned, now + Self.patience))
      now = clock.now()
    }
  }
}

/// The stamps of an episode's rows, 0 for the first. A plant's own "time" counts where it sends one. Else a machine's rows
/// have the real time of their action, and a simulation's are one time step apart.
struct EpisodeTime {
  private let timeStep: Double
  private let plantClock: PlantClock?
  /// Whether rows are stamped by the real clock, as far as is known.
  private(set) var isReal: Bool
  private var rows = 0
  private var last = 0.0
  private var firstOwn: Double?
  /// The last row by the real clock, and what was stamped for it.
  private var lastReal = 0.0
  private var elapsed = 0.0
  /// What was stamped for the last real step, and simulated steps since.
  private var base = 0.0
  private var simulated = 0
  private var quickSteps = 0

  /// The part of a time step below which a step is a simulation's.
  private static let quick = 0.9

  init(timeStep: Double, plantClock: PlantClock?) {
    (self.timeStep, self.plantClock) = (timeStep, plantClock)
    isReal = plantClock == .machine
  }

  /// The stamp of the next row.
  ///
  /// - Parameters:
  ///   - now: real time of its action.
  ///   - own: the plant's time.
  ///   - steps: since the last row; more than one where an answer was lost.
  /// - Throws: `Backwards`.
  mutating func next(now: Double, own: Double?, steps: Int = 1) throws(Backwards) -> Double {
    defer { rows += 1 }
    if rows == 0 {
      (firstOwn, lastReal) = (own, now)
      return 0
    }
    // By the majority so far: a simulation may be slow at first, a machine may hurry after a pause.
    if plantClock == nil {
      if now - lastReal < Self.quick * timeStep { quickSteps += 1 }
      isReal = 2 * quickSteps < rows
    }
    if isReal {
      elapsed += now - lastReal
      (base, simulated) = (elapsed, 0)
    } else {
      simulated += steps
      elapsed = base + Double(simulated) * timeStep
    }
    lastReal = now
    // Rounded: 0.15 is not to be written as 0.15000000000000002.
    var stamp = isReal ? Self.rounded(elapsed, to: 1e6) : Self.rounded(elapsed, to: 1e9)
    if let firstOwn {
      guard let own else {
        throw Backwards(problem: "answered without the \"time\" that it gave before")
      }
      stamp = Self.rounded(own - firstOwn, to: 1e9)
      guard stamp > last else {
        throw Backwards(problem: "its \"time\" does not increase: \(own) s")
      }
    }
    if firstOwn == nil, own != nil {
      throw Backwards(problem: "gives a \"time\" with a step, but gave none with the reset")
    }
    last = max(stamp, last + 1e-6)
    return last
  }

  struct Backwards: Error { let problem: String }

  private static func rounded(_ time: Double, to parts: Double) -> Double {
    (time * parts).rounded() / parts
  }
}
