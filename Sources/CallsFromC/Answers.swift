// SPDX-License-Identifier: Apache-2.0
// CallsFromC: the functions of bagel.h. In: pointers and counts of a C caller. Out: numbers in the caller's arrays and a code; words
// for a code that is not 0. The compiler holds each function against its declaration in the header (`@c @implementation`, SE-0495).
// Shapes: S states, C measured columns, G goals, A actions, B particles; units are those of the log.

import Bagel
import CBagel
import Faults
import SafeText

/// A call that cannot be meant.
struct BadCall: Fault {
  let statement: String

  init(_ statement: String) { self.statement = statement }
}

/// Numbers that cannot be used.
struct BadNumbers: Fault {
  let statement: String

  init(_ statement: String) { self.statement = statement }
}

/// Runs a call, and says how it ended.
func answer(_ call: () throws -> Void) -> CInt {
  do {
    try call()
    return CInt(BAGEL_OK)
  } catch {
    keep_error_text(printable("\(error)", keeping: "\n"))
    switch error {
    case is BadCall: return CInt(BAGEL_BAD_CALL)
    case is BadNumbers: return CInt(BAGEL_BAD_DATA)
    default: return (error as? any Fault)?.origin.exitCode ?? CInt(BAGEL_FAILED)
    }
  }
}

/// A C string. Throws: `BadCall` for none.
func string(_ pointer: UnsafePointer<CChar>?, _ what: String) throws(BadCall) -> String {
  guard let pointer else { throw BadCall("\(what) is NULL") }
  return String(cString: pointer)
}

/// A copy of a caller's array. Throws: `BadCall` where it is not there or has another count, `BadNumbers`.
///
/// - Parameters:
///   - pointer: to `given` numbers; NULL serves where none are wanted.
///   - given: as the caller has it.
///   - wanted: as the handle has it.
///   - what: the argument's name, for words.
///   - largest: what is beyond cannot be meant.
func numbers(
  _ pointer: UnsafePointer<Double>?, _ given: Int, of wanted: Int, _ what: String,
  largest: Double = .greatestFiniteMagnitude
) throws -> [Double] {
  try check(pointer != nil, given, of: wanted, what)
  let numbers = Array(UnsafeBufferPointer(start: pointer, count: wanted))
  if let place = numbers.firstIndex(where: { !(abs($0) <= largest) }) {
    let value = numbers[place]
    throw BadNumbers(
      "number \(place) of \(what) is \(value)"
        + (value.isFinite ? ", beyond \(largest)" : ""))
  }
  return numbers
}

/// A caller's array to be filled. Throws: `BadCall`.
func output(
  _ pointer: UnsafeMutablePointer<Double>?, _ given: Int, of wanted: Int, _ what: String
) throws(BadCall) -> UnsafeMutableBufferPointer<Double> {
  try check(pointer != nil, given, of: wanted, what)
  return UnsafeMutableBufferPointer(start: pointer, count: wanted)
}

private func check(
  _ isThere: Bool, _ given: Int, of wanted: Int, _ what: String
) throws(BadCall) {
  guard given == wanted else {
    // A size_t beyond Int is another count too.
    throw BadCall("\(what) has \(UInt(bitPattern: given)) numbers, not \(wanted)")
  }
  guard isThere || wanted == 0 else { throw BadCall("\(what) is NULL") }
}

extension UnsafeMutableBufferPointer<Double> {
  func fill(_ values: [Double]) { _ = update(fromContentsOf: values) }
}

private let version = ConstantText(bagelVersion)

@c @implementation
package func bagel_version() -> UnsafePointer<CChar>? { version.pointer }
