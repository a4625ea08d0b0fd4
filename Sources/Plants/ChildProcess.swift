// SPDX-License-Identifier: Apache-2.0
// Another program with pipes to its standard input and output, read line by line with time limits. In a process
// group of its own: Ctrl-C at the terminal must reach us alone, so that we can still send the safe action.
// (Foundation's Process offers neither the group nor reads with a limit.)

import Foundation

final class ChildProcess {
  struct CannotStart: Error { let reason: String }
  enum Answer {
    case line(String)
    case late
    case closed
    case notWaitedFor
  }

  private let program: String
  private let identifier: pid_t
  private let input: Int32
  private let output: Int32
  private var received: [UInt8] = []
  private var status: Int32?

  /// - Parameter folder: where it runs, and from where its path is looked for if it has a slash.
  /// - Throws: `CannotStart`.
  init(_ command: [String], in folder: String) throws {
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
    let started = Self.spawn(command, in: folder, input: toChild[0], output: fromChild[1])
    Foundation.close(toChild[0])
    Foundation.close(fromChild[1])
    switch started {
    case .success(let identifier): self.identifier = identifier
    case .failure(let error):
      Foundation.close(toChild[1])
      Foundation.close(fromChild[0])
      throw error
    }
    program = command[0]
    (input, output) = (toChild[1], fromChild[0])
  }

  /// Starts a program in a process group of its own, with these as its standard input and output, and signals as they are by
  /// default.
  private static func spawn(
    _ command: [String], in folder: String, input: Int32, output: Int32
  ) -> Result<pid_t, CannotStart> {
    #if os(Linux)
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #else
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    for (end, standard) in [(input, STDIN_FILENO), (output, STDOUT_FILENO)] {
      posix_spawn_file_actions_adddup2(&actions, end, standard)
    }
    var (none, defaults) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigemptyset(&defaults)
    for number in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&defaults, number) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
    // The shell changes the folder (posix_spawn has no portable word for it) and becomes the program.
    let shell = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder] + command
    var arguments: [UnsafeMutablePointer<CChar>?] = shell.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var identifier: pid_t = 0
    let failure = posix_spawn(&identifier, shell[0], &actions, &attributes, &arguments, environ)
    return failure == 0
      ? .success(identifier) : .failure(CannotStart(reason: String(cString: strerror(failure))))
  }

  deinit {
    Foundation.close(input)
    Foundation.close(output)
  }

  /// Whether all of it was taken.
  func write(_ text: String) -> Bool {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return false }
      bytes = bytes.dropFirst(count)
    }
    return true
  }

  /// Milliseconds between two questions whether to wait on.
  private static let patience = 50.0

  /// The next line, waiting at most so many seconds, and only while `goesOn`.
  func readLine(timeout: Double, while goesOn: () -> Bool = { true }) -> Answer {
    let end = ContinuousClock.now + .seconds(timeout)
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while true {
      if let newline = received.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: received[..<newline], as: UTF8.self)
        received.removeSubrange(...newline)
        return .line(line)
      }
      guard goesOn() else { return .notWaitedFor }
      let milliseconds = ContinuousClock.now.duration(to: end) / .milliseconds(1)
      guard milliseconds >= 0 else { return .late }
      var wanted = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      let ready = poll(&wanted, 1, Int32(min(milliseconds + 1, Self.patience)))
      if ready == 0 || ready < 0 && errno == EINTR { continue }
      guard ready > 0 else { return .closed }
      let count = read(output, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return .closed }
      received += chunk[..<count]
    }
  }

  /// What the program has written without being asked, if anything.
  func unread() -> String? {
    var wanted = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
    guard !received.isEmpty || poll(&wanted, 1, 0) > 0 && wanted.revents & Int16(POLLIN) != 0 else {
      return nil
    }
    if case .line(let text) = readLine(timeout: 0.1) { return text }
    return received.isEmpty ? nil : String(decoding: received, as: UTF8.self)
  }

  /// How the program ended, in words; waits a moment for it.
  var ending: String {
    guard let status = wait(upTo: 1) else { return "its output is closed, it still runs" }
    let (signal, code) = (status & 0x7f, (status >> 8) & 0xff)
    guard signal == 0 else { return "signal \(signal)" }
    // POSIX shells say so of what they cannot find, or not execute.
    let reason = [
      126: ": '\(program)' is not executable", 127: ": there is no program '\(program)'",
    ]
    return "exit code \(code)" + (reason[Int(code)] ?? "")
  }

  /// Waits for the end, asks for it (SIGTERM), forces it (SIGKILL), each after so many seconds.
  func end(within seconds: Double) {
    if wait(upTo: seconds) != nil { return }
    kill(-identifier, SIGTERM)
    if wait(upTo: max(seconds, 0.2)) != nil { return }
    kill(-identifier, SIGKILL)
    _ = wait(upTo: 5)
  }

  private func wait(upTo seconds: Double) -> Int32? {
    let end = ContinuousClock.now + .seconds(seconds)
    while status == nil {
      var found: Int32 = 0
      if waitpid(identifier, &found, WNOHANG) == identifier {
        status = found
      } else if ContinuousClock.now >= end {
        break
      } else {
        usleep(2_000)
      }
    }
    return status
  }
}
