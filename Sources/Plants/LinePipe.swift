// SPDX-License-Identifier: Apache-2.0
// Lines to a program and from it, with time limits both ways: a program that does not read or does not
// answer cannot block this process. In: lines of text. Out: lines without their end, or why there is none.

import Foundation

final class LinePipe {
  enum Written: Hashable {
    case all
    /// The pipe is full: the program does not read.
    case late
    case closed
    /// `goesOn` said so.
    case interrupted
  }

  enum Answer {
    case line(String)
    /// With what it wrote without an end of line.
    case late(String)
    case closed(String)
    case tooLong
    case interrupted
  }

  /// Bytes of the longest line; longer is no answer.
  static let longestLine = 1 << 20
  /// Seconds between two questions whether to wait on.
  private static let patience = 0.02

  private(set) var input: Int32
  private let output: Int32
  /// What was read and not yet given out, and how much of it is known to hold no end of line.
  private var received: [UInt8] = []
  private var scanned = 0
  private var chunk = [UInt8](repeating: 0, count: 1 << 16)
  /// The line that is being read is too long; the rest of it is thrown away.
  private var isSkipping = false
  /// Seconds for which this process did not run while it waited for the last line (it was stopped, or had no turn): a line
  /// may have lain there that long.
  private(set) var pause = 0.0
  /// What a program that has ended may still say through another that holds its output.
  private static let afterlife = Duration.seconds(0.3)
  /// A line was written in part: whatever follows would be read as its end.
  private var isTorn = false

  /// - Parameters:
  ///   - input: where to write; closed by this object, as `output` is.
  ///   - output: where to read.
  init(input: Int32, output: Int32) {
    (self.input, self.output) = (input, output)
    for end in [input, output] { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
  }

  deinit {
    closeInput()
    Foundation.close(output)
  }

  func closeInput() {
    if input >= 0 { Foundation.close(input) }
    input = -1
  }

  /// Writes lines, waiting at most so many seconds for the program to read, and only while `goesOn`.
  func write(
    _ text: String, timeout: Double, while goesOn: () -> Bool = { true }
  ) -> Written {
    guard input >= 0 else { return .closed }
    if isTorn { return .late }
    let end = ContinuousClock.now + .seconds(timeout)
    var text = text
    return text.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[done...])
        let count = Foundation.write(input, rest.baseAddress, rest.count)
        if count > 0 {
          done += count
        } else if count < 0 && errno == EINTR {
          continue
        } else if count < 0 && errno == EAGAIN {
          let left = ContinuousClock.now.duration(to: end) / .seconds(1)
          let isOver = !goesOn()
          if isOver || left <= 0 {
            isTorn = done > 0
            return isOver ? .interrupted : .late
          }
          wait(for: POLLOUT, of: input, upTo: left)
        } else {
          return .closed
        }
      }
      return .all
    }
  }

  /// The next line, waiting at most so many seconds, and only while `goesOn`.
  ///
  /// - Parameters:
  ///   - timeout: seconds.
  ///   - start: when the waiting began, if before this call.
  ///   - isAlive: whether the program runs; one that has ended is given a moment more, for those that answer through another.
  ///   - goesOn: false ends the waiting.
  func readLine(
    timeout: Double, since start: ContinuousClock.Instant = .now,
    isAlive: () -> Bool = { true }, while goesOn: () -> Bool = { true }
  ) -> Answer {
    let end = ContinuousClock.now + .seconds(timeout)
    var (hasRead, last, death) = (false, start, ContinuousClock.Instant?.none)
    pause = 0
    while true {
      let now = ContinuousClock.now
      pause = max(pause, last.duration(to: now) / .seconds(1) - Self.patience)
      last = now
      if let line = nextLine() {
        return line.utf8.count <= Self.longestLine ? .line(line) : .tooLong
      }
      if received.count > Self.longestLine, !isSkipping {
        isSkipping = true
        return .tooLong
      }
      let left = now.duration(to: end) / .seconds(1)
      // Whoever writes without end is not read without end.
      if hasRead {
        guard goesOn() else { return .interrupted }
        guard left > 0 else { return .late(fragment) }
      }
      let count = chunk.withUnsafeMutableBytes { read(output, $0.baseAddress, $0.count) }
      if count > 0 {
        received += chunk[..<count]
        hasRead = true
      } else if count < 0 && errno == EINTR {
        continue
      } else if count < 0 && errno == EAGAIN {
        guard goesOn() else { return .interrupted }
        guard left > 0 else { return .late(fragment) }
        if death == nil && !isAlive() { death = now }
        if let death, death.duration(to: now) > Self.afterlife { return .closed(fragment) }
        wait(for: POLLIN, of: output, upTo: left)
      } else {
        return .closed(fragment)
      }
    }
  }

  /// What the program has written without being asked, if anything.
  func unasked() -> String? {
    guard isReadable || !received.isEmpty else { return nil }
    switch readLine(timeout: 0.05) {
    case .line(let text), .late(let text): return text
    case .closed(let text): return text.isEmpty ? nil : text
    case .tooLong: return fragment
    case .interrupted: return nil
    }
  }

  /// Bytes that were written and that the program has not read; nil where the system does not tell.
  var unreadBytes: Int? {
    #if os(Linux)
      var count: Int32 = 0
      return input >= 0 && ioctl(input, UInt(FIONREAD), &count) == 0 ? Int(count) : nil
    #else
      return nil
    #endif
  }

  private var isReadable: Bool {
    var wanted = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
    return poll(&wanted, 1, 0) > 0 && wanted.revents & Int16(POLLIN) != 0
  }

  /// What of a line there is, shown whole only as far as a message goes.
  private var fragment: String { String(decoding: received.prefix(1_000), as: UTF8.self) }

  private func nextLine() -> String? {
    if isSkipping {
      scanned = 0
      let end = received.firstIndex(of: UInt8(ascii: "\n"))
      received.removeSubrange(..<(end.map { $0 + 1 } ?? received.count))
      isSkipping = end == nil
    }
    guard let newline = received[scanned...].firstIndex(of: UInt8(ascii: "\n")) else {
      scanned = received.count
      return nil
    }
    scanned = 0
    let line = String(decoding: received[..<newline], as: UTF8.self)
    received.removeSubrange(...newline)
    return line
  }

  private func wait(for event: Int32, of descriptor: Int32, upTo seconds: Double) {
    var wanted = pollfd(fd: descriptor, events: Int16(event), revents: 0)
    _ = poll(&wanted, 1, Int32((1_000 * min(seconds, Self.patience)).rounded(.up)))
  }
}
