// SPDX-License-Identifier: Apache-2.0
// Faults: errors that people read. In: what is wrong, where, which value; what may help, as a value; where the cause lies. Out: one
// sentence without the words of any command, so that programs, the library for C and Python say what they can do; the command puts
// its own flags in (`RemedyWords`). The exit code follows from the cause.

/// An error for people: what is wrong, and what may help.
package protocol Fault: Error, CustomStringConvertible, Sendable {
  /// What is wrong: where, which value, what was expected.
  var statement: String { get }
  /// What may help; nil where nothing does, or the problem says it.
  var remedy: Remedy? { get }
  /// Where its cause lies.
  var origin: FaultOrigin { get }
}

extension Fault {
  package var remedy: Remedy? { nil }
  package var origin: FaultOrigin { .input }
  package var description: String { sentence { $0.words } }

  /// The statement, then the remedy in somebody's words.
  package func sentence(_ words: (Remedy) -> String) -> String {
    remedy.map { "\(statement); \(words($0))" } ?? statement
  }
}

/// Where the cause of a fault lies: what a caller can mend.
package enum FaultOrigin: Hashable, Sendable, CaseIterable {
  /// What the user gave: a log, a task, a file, an option, a plant.
  case input
  /// The machine that computes: its disk, memory, compiler or GPU.
  case surroundings

  /// Of the command `bagel`: EX_DATAERR of sysexits.h, or 1 for anything else.
  package var exitCode: Int32 {
    switch self {
    case .input: 65
    case .surroundings: 1
    }
  }
}
