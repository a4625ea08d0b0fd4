// SPDX-License-Identifier: Apache-2.0
// The operator's override, typed. In: lines from a terminal or pipe. Out: the command that holds now.
//
//   0.3,-0.1    one number for each action: from the next row on they go to the machine in the controller's place
//   stop        the safe action goes to the machine
//   release     the controller drives again, from the last command that was sent
//
// Lines are read between two rows, without waiting. If the input ends or fails while the operator drives, the operator's intention is
// unknown: the safe action is sent, and the policy does not drive again.

import Foundation
import MachineLogs

/// Reads what an operator commands.
package final class OperatorInput {
  /// What a line did.
  package enum Event: Hashable, Sendable {
    /// The operator drives, with these commands [A].
    case takes([Double])
    case releases
    /// The input ended while the operator drove: the safe action drives.
    case isGone
    /// A line that says neither; nothing changes.
    case notUnderstood(String)
  }

  /// What the operator commands [A]; nil while nobody does.
  package private(set) var command: [Double]?
  private let descriptor: Int32
  private let safeAction: [Double]
  private let tell: (Event) -> Void
  private var bytes: [UInt8] = []
  private var isOpen = true

  /// What hands the machine back.
  package static let release = "release"
  /// What commands the safe action.
  package static let stop = "stop"
  /// Bytes of a line, at most; what is longer is no command.
  private static let longestLine = 4_096

  /// - Parameters:
  ///   - descriptor: a file that is open for reading.
  ///   - safeAction: for where the operator is gone [A].
  ///   - tell: called with the effect of each line.
  package init(descriptor: Int32, safeAction: [Double], tell: @escaping (Event) -> Void) {
    (self.descriptor, self.safeAction, self.tell) = (descriptor, safeAction, tell)
  }

  /// Takes lines that have come, so many bytes at most; the command that holds now [A], or nil.
  package func next() -> [Double]? {
    guard isOpen else { return command }
    var file = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&file, 1, 0) > 0 else { return command }
    var buffer = [UInt8](repeating: 0, count: Self.longestLine)
    let count = read(descriptor, &buffer, buffer.count)
    if count > 0 {
      bytes += buffer[..<count]
      takeLines()
      // The rest of a line that was cut is understood by nobody.
      if bytes.count > Self.longestLine { bytes = Array("?".utf8) }
    } else if count == 0 || !isPassing(errno) {
      end()
    }
    return command
  }

  /// Whether a failed read may succeed later. A job in the background may not read its terminal (EIO): that matters once the operator
  /// drives.
  private func isPassing(_ error: Int32) -> Bool {
    error == EINTR || error == EAGAIN || error == EIO && command == nil
  }

  private func end() {
    isOpen = false
    if command == nil { return }
    command = safeAction
    tell(.isGone)
  }

  private func takeLines() {
    while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
      take(String(decoding: bytes[..<end], as: UTF8.self))
      bytes.removeSubrange(...end)
    }
  }

  private func take(_ line: String) {
    let words = line.split { " ,\t\r".contains($0) }.map(String.init)
    if words.isEmpty { return }
    if words == [Self.release] {
      if command != nil { tell(.releases) }
      command = nil
      return
    }
    if words == [Self.stop] {
      if command != safeAction { tell(.takes(safeAction)) }
      command = safeAction
      return
    }
    let numbers = words.compactMap(Double.init)
    guard numbers.count == words.count, numbers.count == safeAction.count,
      numbers.allSatisfy(\.isFinite)
    else { return tell(.notUnderstood(line)) }
    if command != numbers { tell(.takes(numbers)) }
    command = numbers
  }
}
