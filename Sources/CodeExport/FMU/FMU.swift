// SPDX-License-Identifier: Apache-2.0
// A functional mock-up unit (FMU) for co-simulation, as the Functional Mock-up Interface defines it (FMI 2.0.5, 3.0.2). In: variables, and
// C that begins and acts. Out, in the files beside this one: modelDescription.xml, the C between a simulator and that code, the archive.
//
// An FMU has the sample times t_0 + k T of its own. A communication step [t, t + h) of any length acts at those that lie in it, with
// the inputs as they are then; outputs hold in between:
//
//   begin    outputs and memory from the parameters, at t_0
//   tick     at t_0 + k T: reads inputs
//   arrive   at t_0 + (k + 1) T: what the tick before has computed becomes an output, where that takes a time step
//
// All three work on `fmu_memory *self`: self->real[i] is variable i, self->integer[i] likewise, beside what `CBody.memory` declares.

import Foundation
import SafeText

/// A version of the interface.
package enum FMIVersion: String, Sendable, CaseIterable {
  case two = "2.0"
  case three = "3.0"
}

/// What an FMU is, for either version.
package struct FMU: Sendable {
  enum Causality: String, Sendable {
    case input, output, parameter
  }

  /// A number of double precision.
  struct Real: Sendable {
    var name: String
    var words: String
    var units = ""
    var causality: Causality
    /// Of inputs and parameters; outputs begin at what `begin` computes.
    var start = 0.0
    var range: ClosedRange<Double>?
    /// A difference or deviation: a unit's offset is no part of it.
    var isRelative = false
    /// The number of the parameter that an output begins at, if it depends on one.
    var beginsAt: Int?
  }

  /// An output that counts or has bits.
  struct Integer: Sendable {
    var name: String
    var words: String
  }

  /// C text of the functions' bodies, and of members of the memory. A tick returns 0 where its result is not finite.
  struct CBody: Sendable {
    var header: String
    var memory: String
    var begin: String
    var tick: String
    var arrive = ""
  }

  /// A C identifier.
  let identifier: String
  /// Of the task.
  let name: String
  /// For people.
  let words: String
  /// s
  let timeStep: Double
  let reals: [Real]
  let integers: [Integer]
  /// C beside the FMU's own, and its headers.
  let sources: [SourceFile]
  let body: CBody

  struct SourceFile: Sendable {
    var name: String
    var text: String
  }

  /// Names become printable and differ from each other: by a number at the end where they do not.
  init(
    identifier: String, name: String, words: String, timeStep: Double, reals: [Real],
    integers: [Integer], sources: [SourceFile], body: CBody
  ) {
    (self.identifier, self.name, self.words, self.timeStep) = (identifier, name, words, timeStep)
    (self.sources, self.body) = (sources, body)
    // FMI 3.0 has a variable of this name.
    var seen: Set<String> = ["time"]
    func unlike(_ name: String) -> String {
      let own = Self.plain(name)
      var (result, number) = (own, 1)
      while !seen.insert(result).inserted {
        number += 1
        result = "\(own)_\(number)"
      }
      return result
    }
    self.reals = reals.map { real in
      var real = real
      real.name = unlike(real.name)
      real.start = real.start.isFinite ? real.start : 0
      if let range = real.range {
        real.start = min(max(real.start, range.lowerBound), range.upperBound)
      }
      return real
    }
    self.integers = integers.map { Integer(name: unlike($0.name), words: $0.words) }
  }

  /// Value references are these numbers: 0 is the time, then come reals and integers. They are the places in the list of variables of
  /// FMI 2.0 too, which has no time.
  func reference(ofReal index: Int) -> Int { index + 1 }
  func reference(ofInteger index: Int) -> Int { reals.count + index + 1 }

  /// The C between a simulator and the task's code.
  static let sourceName = "fmu.c"

  /// What a simulator must give back, so that description and code belong together: a fingerprint of both.
  func token(_ version: FMIVersion) -> String {
    let parts =
      [version.rawValue, identifier, name, words, "\(timeStep)", "\(body)"]
      + reals.map { "\($0)" } + integers.map { "\($0)" } + sources.map(\.text)
    // FNV-1a of 64 bits, twice: what differs is told apart, nobody is kept from forging it.
    func digits(_ start: UInt64) -> String {
      var hash = start
      for part in parts {
        for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ 0xFF) &* 0x100_0000_01B3
      }
      return hexadecimal(hash, digits: 16)
    }
    let all = Array(digits(0xCBF2_9CE4_8422_2325) + digits(0x9AE1_6A3B_2F90_404F))
    let cuts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
    return "{" + cuts.map { String(all[$0]) }.joined(separator: "-") + "}"
  }

  /// One line that XML can hold.
  static func plain(_ text: String) -> String {
    printable(text.replacingOccurrences(of: "\n", with: " ")).unicodeScalars.reduce(into: "") {
      result, scalar in
      // No characters at all, which XML does not allow: U+FFFE, U+FFFF.
      result.unicodeScalars.append(scalar.value & 0xFFFE == 0xFFFE ? "\u{FFFD}" : scalar)
    }
  }
}
