// SPDX-License-Identifier: Apache-2.0
// Where a kernel is made: a folder in the cache for one compilation, which holds the compiler's temporary files too. A shell
// beside it ends the compiler and removes the folder as soon as this process lets go of a socket, and a process lets go
// however it ends, even by SIGKILL. What a power cut leaves, or SIGKILL in the millisecond before the shell
// runs, is swept when it is a day old.

import CProcessGuard
import Foundation

/// A folder for one compilation or one loading, which goes with it.
final class WorkFolder {
  let folder: TrustedFolder
  private let parent: TrustedFolder
  private let name: String
  private var guardian: (process: pid_t, socket: Descriptor)?

  /// Names of work folders begin so.
  private static let prefix = "work."

  /// - Throws: `ExecutionError.cache`.
  init(in parent: TrustedFolder) throws(ExecutionError) {
    name = Self.prefix + UUID().uuidString
    self.parent = parent
    folder = try parent.makeFolder(name)
  }

  /// $1: the folder. The rest: the compiler's command. Standard input ends when BAGEL lets go, standard output takes the
  /// compiler's words and, in the last line, its exit code. This shell leads a process group of its own, so `kill 0` reaches
  /// what the compiler started and nobody else.
  private static let script = """
    export TMPDIR="$1" LC_ALL=C PATH="$PATH:/usr/bin:/bin"
    shift
    umask 077
    exec 3<&0
    trap : TERM
    { "$@" 2>&1; printf '\\n%s' "$?"; } </dev/null 3<&- &
    exec >/dev/null 2>&1
    read -r end <&3
    kill -TERM 0
    for attempt in 1 2 3 4 5; do rm -rf -- "$TMPDIR" && break; sleep 1; done
    kill -KILL 0
    """

  /// Runs a command in the folder, once.
  ///
  /// - Returns: exit code (128 + n for signal n, as shells say), and what it wrote.
  /// - Throws: `ExecutionError.compilerFailed` where no shell can be started.
  func run(_ command: [String]) throws(ExecutionError) -> (status: Int, log: String) {
    precondition(guardian == nil, "a second command in the folder of one compilation")
    let output = try start(command)
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      let count = read(output.number, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      text += chunk[..<count]
    }
    var lines = String(decoding: text, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    guard let status = lines.popLast().flatMap({ Int($0) }) else {
      throw .compilerFailed(compiler: command[0], reason: "the shell that runs it was ended")
    }
    return (status, lines.joined(separator: "\n"))
  }

  /// From now on the folder goes if this process is killed. A shell costs some milliseconds; without one the sweep will do.
  func guardAgainstKill() { _ = try? run([":"]) }

  /// Starts shell and compiler. Returns what they write to; their ends are closed here when this returns.
  private func start(_ command: [String]) throws(ExecutionError) -> Descriptor {
    guard let life = Descriptor.pair(), let log = Descriptor.pair() else {
      throw .compilerFailed(
        compiler: command[0], reason: "no socket for it: \(systemReason(errno))")
    }
    let shell = ["/bin/sh", "-c", Self.script, "bagel-compiler", folder.path] + command
    var arguments: [UnsafeMutablePointer<CChar>?] = shell.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    let failure = guard_spawn(
      &process, &arguments, folder.path, life.theirs.number, log.theirs.number, 1, 0)
    guard failure == 0 else {
      throw .compilerFailed(
        compiler: command[0],
        reason: "/bin/sh, which runs it, does not start: \(systemReason(failure))")
    }
    guardian = (process, life.ours)
    return log.ours
  }

  /// Removes the folder with all that it holds.
  func remove() {
    if let (process, socket) = guardian {
      // Not by closing alone: a program that was started meanwhile may hold a copy of this end.
      shutdown(socket.number, Int32(SHUT_RDWR))
      while waitpid(process, nil, 0) < 0 && errno == EINTR {}
      guardian = nil
    }
    // Without a shell, or if somebody ended it.
    parent.removeAll(name)
  }

  /// Seconds after which a work folder belongs to no process: a compilation takes some seconds.
  private static let longest = 86_400.0

  /// Removes what BAGEL left: work folders a day old, and all entries of its first form, which are used no more. What others put
  /// here stays, whatever its name: a folder of theirs cannot be removed safely, and nothing of theirs is used.
  static func sweep(_ cache: TrustedFolder) {
    let now = Date().timeIntervalSince1970
    for name in cache.names where name.hasPrefix(prefix) || isOfFirstForm(name) {
      guard let information = cache.information(of: name) else { continue }
      if isOfFirstForm(name) || now - information.changed > longest { cache.removeAll(name) }
    }
  }

  /// 32 hexadecimal digits, perhaps a UUID, and one of five endings.
  private static func isOfFirstForm(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts[0].count == 32, parts[0].allSatisfy(\.isHexDigit),
      let ending = parts.last
    else { return false }
    return ["c", "so", "cu", "cubin", "sha256"].contains(ending)
  }
}
