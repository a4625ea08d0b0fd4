// SPDX-License-Identifier: Apache-2.0
// A program that turns a file into CSV on its standard output, and its messages on standard error. It is in this process's group, so that
// Ctrl-C at the terminal reaches both.

import CProcessGuard
import Foundation
import SafeText

/// A converter that runs.
final class ConverterProgram {
  /// Its standard output, open for reading; whoever reads it closes it.
  let output: Int32
  private let identifier: pid_t
  /// File with what it says.
  private let complaints: String
  private let name: String
  /// As `waitpid` gives it; nil while it runs.
  private var status: Int32?

  /// Seconds in which a program ends that has closed its output.
  private static let patience = 5.0

  /// Starts it. Throws: `LogError`.
  init(_ source: LogSource) throws(LogError) {
    name = source.name
    complaints =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("bagel-converter-\(UUID().uuidString)").path
    let file = URL(fileURLWithPath: source.path).standardizedFileURL.path
    // The shell sends its standard error into the file, and becomes the program.
    let command =
      ["sh", "-c", "exec \"$@\" 2>\"$0\"", complaints] + source.converter + [file]
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var ends: [Int32] = [-1, -1]
    let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard input >= 0, pipe(&ends) == 0 else {
      throw LogError(file: name, "cannot be started: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var child: pid_t = 0
    let failure = guard_spawn(&child, &arguments, source.folder, input, ends[1], 0, 0)
    close(input)
    close(ends[1])
    guard failure == 0 else {
      close(ends[0])
      throw LogError(file: name, "cannot be started: \(String(cString: strerror(failure)))")
    }
    (output, identifier) = (ends[0], child)
  }

  /// Ends it, if it still runs.
  func end() {
    if !hasEnded(within: 0) {
      kill(identifier, SIGTERM)
      if !hasEnded(within: 1) {
        kill(identifier, SIGKILL)
        _ = hasEnded(within: 1)
      }
    }
    unlink(complaints)
  }

  /// Waits for its end. Throws: `LogError`, with its last words where it failed.
  func checkEnd() throws(LogError) {
    guard hasEnded(within: Self.patience), let status else {
      throw LogError(
        file: name, "the program has closed its output but did not end; BAGEL ended it")
    }
    // As <sys/wait.h> has it, whose macros Swift does not see.
    let (signal, code) = (status & 0x7F, (status >> 8) & 0xFF)
    guard signal != 0 || code != 0 else { return }
    let words = lastWords
    throw LogError(
      file: name,
      "the program "
        + (signal != 0 ? "was ended by signal \(signal)" : "ended with exit code \(code)")
        + (words.isEmpty ? " without a message" : ": \(shortened(words, to: 160))"))
  }

  private func hasEnded(within seconds: Double) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while status == nil {
      var found: Int32 = 0
      let result = waitpid(identifier, &found, WNOHANG)
      if result == identifier { status = found }
      if result < 0 && errno != EINTR { status = 0 }
      if status == nil {
        if ContinuousClock.now >= end { return false }
        usleep(2_000)
      }
    }
    return true
  }

  /// The last line of its standard error that is not blank.
  var lastWords: String {
    guard let file = try? FileHandle(forReadingFrom: URL(fileURLWithPath: complaints)) else {
      return ""
    }
    let end = (try? file.seekToEnd()) ?? 0
    try? file.seek(toOffset: end > 4_096 ? end - 4_096 : 0)
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
    return lines.last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
  }
}
