// SPDX-License-Identifier: Apache-2.0
// Another program with pipes to its standard input and output, in a process group of its own: Ctrl-C at the terminal must
// reach only us, so that we can still send the safe action. It ends with everything that it started in its group.
// (Foundation's Process offers neither the group nor the folder of a program found on PATH with an exact reason.)

import CProcessGuard
import Foundation

final class ChildProcess {
  struct CannotStart: Error { let reason: String }

  let lines: LinePipe
  let identifier: pid_t
  private var isReaped = false
  private var lastInformation = siginfo_t()

  /// - Parameter folder: where it runs, and from where its path is looked for if it has a slash.
  /// - Throws: `CannotStart`.
  init(_ command: [String], in folder: String) throws(CannotStart) {
    // A closed pipe is to be an error of write, not the end of this process.
    signal(SIGPIPE, SIG_IGN)
    var (toChild, fromChild): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
      let reason = String(cString: strerror(errno))
      for end in toChild where end >= 0 { Foundation.close(end) }
      throw CannotStart(reason: "no pipe: \(reason)")
    }
    // Nobody inherits these but by the copies that the child gets.
    for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var identifier: pid_t = 0
    let failure = guard_spawn(&identifier, &arguments, folder, toChild[0], fromChild[1], 1, 1)
    Foundation.close(toChild[0])
    Foundation.close(fromChild[1])
    guard failure == 0 else {
      Foundation.close(toChild[1])
      Foundation.close(fromChild[0])
      throw CannotStart(reason: Self.reason(failure, command[0], folder))
    }
    self.identifier = identifier
    lines = LinePipe(input: toChild[1], output: fromChild[0])
  }

  /// Why a program did not start, in words.
  private static func reason(_ failure: Int32, _ program: String, _ folder: String) -> String {
    var isFolder: ObjCBool = false
    let files = FileManager.default
    guard files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      return "there is no folder '\(folder)' to run it in"
    }
    let path = program.hasPrefix("/") ? program : "\(folder)/\(program)"
    switch failure {
    case ENOENT where !program.contains("/"): return "there is no program '\(program)' on PATH"
    case ENOENT where files.fileExists(atPath: path):
      return "the interpreter in the first line of '\(program)' does not exist"
    case ENOENT: return "there is no program '\(program)'"
    case EACCES: return "'\(program)' is not executable (chmod +x, or name its interpreter first)"
    case ENOEXEC:
      return
        "'\(program)' is not a program; a script must begin with a line such as #!/usr/bin/env python3"
    default: return String(cString: strerror(failure))
    }
  }

  /// Why a command will not start, as far as that shows without starting it.
  static func obstacle(_ command: [String], in folder: String) -> String? {
    let files = FileManager.default
    func path(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }
    let program = command[0]
    let search = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let places = program.contains("/") ? [path(program)] : search.map { "\($0)/\(program)" }
    if !places.contains(where: files.fileExists) { return reason(ENOENT, program, folder) }
    if !places.contains(where: files.isExecutableFile) { return reason(EACCES, program, folder) }
    // An interpreter starts without its script, and then ends.
    let endings = [".py", ".sh", ".jl", ".rb", ".js", ".pl", ".lua"]
    guard let script = command.dropFirst().first(where: { !$0.hasPrefix("-") }),
      endings.contains(where: script.hasSuffix), !files.fileExists(atPath: path(script))
    else { return nil }
    return "there is no file '\(script)' in \(folder)"
  }

  /// Whether it has ended, or does within a moment.
  var hasEnded: Bool { ended(within: 0.02) != nil }

  var isRunning: Bool { ended(within: 0) == nil }

  /// Whether it has ended by itself, without an error; as patient as `ending`.
  var hasSucceeded: Bool {
    guard let information = ended(within: Self.moment) else { return false }
    return information.si_code == CLD_EXITED && Self.status(information) == 0
  }

  /// Seconds in which a program that closes its pipes ends (not long: a machine may be moving).
  private static let moment = 0.1

  private static func status(_ information: siginfo_t) -> Int32 {
    #if os(Linux)
      information._sifields._sigchld.si_status
    #else
      information.si_status
    #endif
  }

  /// How the program ended, in words; waits a moment for it.
  var ending: String {
    guard let information = ended(within: Self.moment) else {
      return "its output is closed, but it still runs"
    }
    let status = Self.status(information)
    guard information.si_code == CLD_EXITED else { return "signal \(status)" }
    // POSIX shells say so of what they cannot find, or not execute.
    let reason: [Int32: String] = [126: ": not executable", 127: ": a program was not found"]
    return "exit code \(status)" + (reason[status] ?? "")
  }

  /// Closes its input, waits for its end, then ends what is left of its process group: SIGTERM, and SIGKILL after a moment.
  ///
  /// - Parameter seconds: to end by itself.
  func end(within seconds: Double) {
    lines.closeInput()
    _ = ended(within: seconds)
    if hasGroup {
      kill(-identifier, SIGTERM)
      kill(-identifier, SIGCONT)
      let end = ContinuousClock.now + .seconds(0.3)
      while hasGroup, ContinuousClock.now < end { usleep(2_000) }
      if hasGroup { kill(-identifier, SIGKILL) }
    }
    reap(within: 1)
  }

  /// Whether a process of its group lives (one that ended and is not waited for does not).
  private var hasGroup: Bool {
    // The program itself would count as a member of its group until it is reaped.
    reap(within: 0)
    return kill(-identifier, 0) == 0
  }

  /// How the program itself ended, if it has; it is left to be reaped, so that its group's number is not given away.
  private func ended(within seconds: Double) -> siginfo_t? {
    if isReaped { return lastInformation }
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      var information = siginfo_t()
      let found = waitid(P_PID, id_t(identifier), &information, WEXITED | WNOHANG | WNOWAIT)
      if found == 0 && information.si_signo != 0 || found < 0 && errno == ECHILD {
        lastInformation = information
        return information
      }
      if ContinuousClock.now >= end { return nil }
      usleep(2_000)
    }
  }

  private func reap(within seconds: Double) {
    guard !isReaped, ended(within: seconds) != nil else { return }
    var status: Int32 = 0
    while waitpid(identifier, &status, 0) < 0 && errno == EINTR {}
    isReaped = true
  }
}
