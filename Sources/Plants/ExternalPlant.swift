// SPDX-License-Identifier: Apache-2.0
// A plant that is another program: a simulator, or an interface to a real machine. One JSON object per line.
//
//   to it:    {"command":"reset","seed":7}   {"command":"step","action":[..]}   {"command":"close"}
//   from it:  {"state":[..]}, with "disturbance":[..] where the task has some, perhaps with "time" (s), "done" (true ends the
//             episode), "success", "reward", "override":[..] (the operator's commands instead of the controller's)
//
// Every reset and step has one answer; the program's standard error is passed on. An answer that is late,
// not JSON, of a wrong length or not finite is a `PlantFailure`, and so is a program that does not read. From its start to its
// end the safe action lies ready (`guard_arm`): what ends this process abnormally still sends it (to one plant of a process).

import CProcessGuard
import Foundation
import MachineLogs

/// A plant behind a pipe.
package final class ExternalPlant: Plant {
  package let states: [Channel]
  package let actions: [Channel]
  package let disturbances: [Channel]
  package let actionLimits: [ClosedRange<Double>]
  package let timeStep: Double
  package let clock: PlantClock?
  /// Seconds for the answer to a step, and to a reset (the first includes the program's start).
  package let timeout: Double
  package let resetTimeout: Double
  /// Commands that a program may leave unread while it answers: some read in a thread of their own.
  private static let unreadCommands = 8
  private let command: [String]
  private let folder: String
  private let safeAction: [Double]
  private var child: ChildProcess?
  private var hasFinishedEpisode = false
  private var isAwaiting = false
  /// Whether the last answer said so.
  private var isDone = false
  /// Until when an answer may come.
  private var awaitedUntil = ContinuousClock.now
  /// The action of the last command that was written; nil for a reset.
  private var lastSent: [Double]?
  private var goesOn: () -> Bool = { true }
  private var unsaidRemarks: [String] = []

  /// - Parameters:
  ///   - command: program, found on PATH, and its arguments.
  ///   - folder: where it runs.
  ///   - states: what it measures, in the order in which it answers.
  ///   - actions: what it is sent, in that order.
  ///   - disturbances: what else it measures, in the order in which it answers.
  ///   - actionLimits: physical, one per action.
  ///   - safeAction: sent if this process ends abnormally [A]; nil for zero, or what of the limits is nearest.
  ///   - timeStep: seconds.
  ///   - clock: what a step lasts.
  ///   - timeout: seconds to read and answer a step, at most 1e9.
  ///   - resetTimeout: seconds to answer a reset, at most 1e9.
  package init(
    command: [String], folder: String = ".", states: [Channel], actions: [Channel],
    disturbances: [Channel] = [], actionLimits: [ClosedRange<Double>], safeAction: [Double]? = nil,
    timeStep: Double, clock: PlantClock? = nil, timeout: Double = 2,
    resetTimeout: Double = 60
  ) {
    precondition(
      (0...1e9).contains(timeout) && (0...1e9).contains(resetTimeout) && !command.isEmpty,
      "timeouts \(timeout) and \(resetTimeout) s of '\(command.joined(separator: " "))'")
    self.command = command
    self.folder = folder
    self.states = states
    self.actions = actions
    self.disturbances = disturbances
    self.actionLimits = actionLimits
    self.safeAction =
      safeAction ?? actionLimits.map { min(max(0, $0.lowerBound), $0.upperBound) }
    self.timeStep = timeStep
    self.clock = clock
    self.timeout = timeout
    self.resetTimeout = resetTimeout
  }

  deinit { _ = close(safeAction: safeAction) }

  package var name: String { command.joined(separator: " ") }

  /// Why its program cannot start, as far as that shows without starting it; nil where nothing speaks against it.
  package var obstacle: String? {
    ChildProcess.obstacle(command, in: folder)
  }

  package func keepAsking(_ goesOn: @escaping () -> Bool) { self.goesOn = goesOn }

  package var remarks: [String] {
    defer { unsaidRemarks = [] }
    return unsaidRemarks
  }

  /// Starts the program if it is not running; one that ended since its last episode is started once more. Where the episode
  /// begins is the plant's business; `state` is ignored.
  ///
  /// Throws: `PlantFailure`.
  package func reset(to state: [Double]?, seed: UInt64) throws -> Measurement {
    let message = PlantCommand.reset(seed: seed)
    if child != nil && hasFinishedEpisode {
      hasFinishedEpisode = false
      do {
        return try exchange(message, "reset", timeout: resetTimeout)
      } catch is Ended {
        letGo()
        unsaidRemarks.append(
          "plant '\(name)' had ended between episodes and was started again")
      }
    }
    if child == nil { try start() }
    do {
      return try exchange(message, "reset", timeout: resetTimeout)
    } catch let error as Ended {
      throw PlantFailure(plant: name, error.problem)
    }
  }

  /// Throws: `PlantFailure`.
  package func step(_ action: [Double]) throws -> Measurement {
    do {
      let answer = try exchange(PlantCommand.step(action), "step", action, timeout: timeout)
      hasFinishedEpisode = true
      return answer
    } catch let error as Ended {
      throw PlantFailure(plant: name, error.problem)
    }
  }

  /// Sends the safe action and `close`, whatever is awaited; listens a moment for the answers, then ends the program and
  /// what it started.
  package func close(safeAction: [Double]) -> SafeEnd {
    guard let child else { return SafeEnd(.notStarted) }
    self.child = nil
    // A program that ended on the safe action itself has read it.
    let hadIt = lastSent == safeAction && child.lines.unreadBytes == 0
    let written = child.lines.write(
      PlantCommand.step(safeAction) + PlantCommand.close, timeout: min(timeout, 0.5))
    var end = SafeEnd(.confirmed)
    switch written {
    case .all: end = listen(to: child)
    case .late, .interrupted: end.delivery = .failed("it does not read its standard input")
    case .closed:
      end.delivery =
        isDone && child.hasSucceeded
        ? .finished
        : .failed(
          child.isRunning ? "it closed its standard input" : "it has ended, \(child.ending)")
    }
    if hadIt, case .failed(let why) = end.delivery { end.delivery = .sent(why) }
    end.held = lastSent
    guard_disarm()
    // Who has not answered by now had its time; who has may need some to put the machine to rest.
    child.end(within: end.delivery == .confirmed ? min(timeout, timeStep) + 1 : 0)
    return end
  }

  /// The answers to what was awaited and to the safe action. A step may be under way: it has its time, then the safe one its.
  private func listen(to child: ChildProcess) -> SafeEnd {
    let now = ContinuousClock.now
    let end =
      max(now, min(awaitedUntil, now + .seconds(timeout)))
      + .seconds(min(timeout, 2 * timeStep) + 1)
    var result = SafeEnd(.confirmed)
    // All but `close`, which some programs do not read before they have answered.
    var hasRead: Bool { (child.lines.unreadBytes ?? 0) <= PlantCommand.close.utf8.count }
    func unconfirmed(_ reason: String) -> SafeEnd {
      if child.lines.unreadBytes == nil {
        result.delivery = .sent("\(reason); whether it was read is not known on this system")
      } else {
        result.delivery = hasRead ? .sent(reason) : .failed("\(reason), and did not read it")
      }
      return result
    }
    while true {
      let left = ContinuousClock.now.duration(to: end) / .seconds(1)
      switch child.lines.readLine(timeout: max(left, 0), isAlive: { child.isRunning }) {
      case .line(let text):
        let answer = try? measurement(text, answerTo: "step")
        if isAwaiting {
          (result.awaited, isAwaiting) = (answer, false)
        } else if hasRead {
          result.after = answer
          return answer == nil ? unconfirmed("its answer is not a measurement") : result
        }
        // What it writes without having read the safe action is no answer to it.
        if left <= 0 { return unconfirmed("it writes without reading commands") }
      case .late, .interrupted:
        let seconds = now.duration(to: end) / .seconds(1)
        return unconfirmed(
          "it did not answer within \(shortest((100 * seconds).rounded() / 100)) s")
      case .closed:
        if isDone && !isAwaiting && child.hasSucceeded { return SafeEnd(.finished) }
        return unconfirmed("it ended, \(child.ending)")
      case .tooLong: isAwaiting = false
      }
    }
  }

  private func start() throws {
    do {
      let child = try ChildProcess(command, in: folder)
      self.child = child
      (isAwaiting, isDone, lastSent) = (false, false, nil)
      let farewell = PlantCommand.step(safeAction) + PlantCommand.close
      _ = farewell.utf8CString.withUnsafeBufferPointer {
        guard_arm(
          child.lines.input, $0.baseAddress, farewell.utf8.count, PlantCommand.close.utf8.count,
          child.identifier)
      }
    } catch {
      throw PlantFailure(plant: name, "cannot be started: \(error.reason)")
    }
  }

  /// Ends a program that has ended itself, or nearly.
  private func letGo() {
    guard_disarm()
    child?.end(within: 0.1)
    child = nil
  }

  /// A program that ended, or closed its pipes, where an answer was wanted.
  private struct Ended: Error { let problem: String }

  private func exchange(
    _ line: String, _ what: String, _ action: [Double]? = nil, timeout: Double
  ) throws -> Measurement {
    guard let child else { throw PlantFailure(plant: name, "got a \(what) before its reset") }
    if let early = child.lines.unasked() {
      if child.hasEnded {
        throw Ended(problem: "wrote '\(PlantAnswer.shown(early))' and ended (\(child.ending))")
      }
      throw PlantFailure(
        plant: name,
        "wrote '\(PlantAnswer.shown(early))' before it was sent a \(what): every command has one line as its answer; write "
          + "messages for people to standard error")
    }
    if let unread = child.lines.unreadBytes, unread > Self.unreadCommands * line.utf8.count {
      throw PlantFailure(
        plant: name,
        "answers without reading: \(unread) bytes of commands are unread in its standard input")
    }
    let sent = ContinuousClock.now
    switch child.lines.write(line, timeout: timeout, while: goesOn) {
    case .all:
      (isAwaiting, lastSent) = (true, action)
      awaitedUntil = .now + .seconds(timeout)
    case .late:
      throw PlantFailure(
        plant: name,
        "did not read a \(what) within \(shortest(timeout)) s: its standard input is full")
    case .closed:
      throw Ended(
        problem: child.isRunning
          ? "closed its standard input but still runs; a \(what) could not be sent"
          : "had ended (\(child.ending)) when a \(what) was sent")
    case .interrupted: throw PlantInterruption()
    }
    let answer = child.lines.readLine(
      timeout: timeout, since: sent, isAlive: { child.isRunning }, while: goesOn)
    switch answer {
    case .line(let text):
      isAwaiting = false
      do {
        var measured = try measurement(text, answerTo: what)
        measured.age = child.lines.pause
        isDone = measured.isDone
        return measured
      } catch let error as PlantFailure where child.hasEnded {
        // Its last words, not its answer.
        throw Ended(problem: error.problem + "; it ended (\(child.ending))")
      }
    case .late(let part):
      throw PlantFailure(
        plant: name,
        "did not answer a \(what) within \(shortest(timeout)) s"
          + (part.isEmpty ? "" : "; it wrote '\(PlantAnswer.shown(part))' without an end of line")
          + " (every command needs one line {\"state\": [..]}, flushed; "
          + "`\(what == "reset" ? "resetTimeout" : "timeout"):` beside `process:` in the task allows more time)"
      )
    case .closed(let part):
      throw Ended(
        problem: "ended (\(child.ending)) instead of answering a \(what)"
          + (part.isEmpty ? "" : "; it wrote '\(PlantAnswer.shown(part))'"))
    case .tooLong:
      isAwaiting = false
      throw PlantFailure(
        plant: name,
        "answered a \(what) with a line of more than \(LinePipe.longestLine) bytes, which is the limit"
      )
    case .interrupted: throw PlantInterruption()
    }
  }

  private func measurement(_ text: String, answerTo what: String) throws -> Measurement {
    do {
      return try PlantAnswer(text).measurement(of: states, disturbances, actions: actions)
    } catch let error as PlantAnswer.Unreadable {
      throw PlantFailure(
        plant: name, "answered a \(what) with '\(PlantAnswer.shown(text))', \(error.reason)")
    } catch let error as PlantAnswer.Unfit {
      throw PlantFailure(plant: name, "\(error.reason): \(PlantAnswer.shown(text))")
    }
  }
}
