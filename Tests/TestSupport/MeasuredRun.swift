// SPDX-License-Identifier: Apache-2.0
// A program run once, with its end, its words, its seconds and its memory; ended where it takes too long.

import Foundation

package struct MeasuredRun: Sendable {
  /// Exit code; nil where a signal ended it.
  package var status: Int32?
  package var signal: Int32?
  package var output: String
  package var errors: String
  package var seconds: Double
  /// Largest resident memory, bytes. On Linux its own, read every millisecond: what `wait4` says counts the process that forked it.
  package var peakBytes: Int

  /// - Parameters:
  ///   - command: program (a path) and arguments.
  ///   - folder: where it runs.
  ///   - environment: added to this process's.
  ///   - limit: seconds, after which it is killed.
  package init(
    _ command: [String], in folder: String, environment: [String: String] = [:], limit: Double
  ) throws {
    let stem = folder + "/." + UUID().uuidString
    defer { for end in [".out", ".err"] { unlink(stem + end) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, stem + ".out", O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, stem + ".err", O_WRONLY | O_CREAT, 0o600)
    // Glibc's way into a folder is not imported into Swift.
    let entering = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder]
    var arguments = (entering + command).map { strdup($0) } + [nil]
    let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var variables = all.map { strdup("\($0)=\($1)") } + [nil]
    defer { (arguments + variables).forEach { free($0) } }
    var identifier = pid_t()
    let start = ContinuousClock.now
    let failure = posix_spawn(&identifier, entering[0], &actions, nil, &arguments, &variables)
    guard failure == 0 else { throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .EINVAL) }
    var (end, usage) = (Int32(0), rusage())
    var isKilled = false
    var peak = 0
    while wait4(identifier, &end, WNOHANG, &usage) == 0 {
      if !isKilled && start.duration(to: .now) > .seconds(limit) {
        kill(identifier, SIGKILL)
        isKilled = true
      }
      #if os(Linux)
        peak = max(peak, Self.peak(of: identifier))
      #endif
      usleep(1_000)
    }
    let elapsed = start.duration(to: .now)
    seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
    signal = end & 0x7f == 0 ? nil : end & 0x7f
    status = end & 0x7f == 0 ? end >> 8 & 0xff : nil
    #if os(Linux)
      peakBytes = peak
    #else
      peakBytes = usage.ru_maxrss
    #endif
    func text(_ end: String) -> String {
      String(decoding: FileManager.default.contents(atPath: stem + end) ?? Data(), as: UTF8.self)
    }
    (output, errors) = (text(".out"), text(".err"))
  }

  /// "Name: ..." of this process.
  private static let ownName =
    (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?
    .split(separator: "\n").first.map(String.init) ?? "-"

  /// Largest resident memory so far of a process that runs, bytes.
  private static func peak(of identifier: pid_t) -> Int {
    let status = try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
    // Before it has become another program its memory is this one's.
    guard let status, !status.hasPrefix(ownName) else { return 0 }
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return 1_024 * (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0)
  }
}
