// SPDX-License-Identifier: Apache-2.0
// The bytes of a cell -> a number in decimal notation, to the last bit. Own code, because the system's strtod reads what no
// log means (hexadecimal, nan, inf, the locale's marks) and takes five times as long.

import Foundation

/// The number: a sign, digits with at most one point, perhaps an exponent; nil for all else. Beyond the range of Double it is
/// infinite or zero.
///
/// - Parameters:
///   - bytes: without blanks around them.
///   - point: before the fraction: a point, or a comma.
func decimalNumber(
  _ bytes: UnsafeBufferPointer<UInt8>, point: UInt8 = UInt8(ascii: ".")
) -> Double? {
  guard var next = bytes.baseAddress, !bytes.isEmpty else { return nil }
  let end = next + bytes.count
  /// Whether a sign stood there, and was a minus.
  func takesMinus() -> Bool {
    guard next < end, next.pointee == minus || next.pointee == plus else { return false }
    next += 1
    return next[-1] == minus
  }
  let isNegative = takesMinus()
  var (mantissa, digits, exponent, significant) = (UInt64(0), 0, 0, 0)
  func takeDigits() {
    while next < end {
      let value = UInt64(next.pointee &- zero)
      guard value < 10 else { return }
      // Up to 19 digits fit.
      if significant < 19 { mantissa = 10 &* mantissa &+ value }
      if significant > 0 || value > 0 { significant += 1 }
      digits += 1
      next += 1
    }
  }
  takeDigits()
  if next < end, next.pointee == point {
    next += 1
    let whole = digits
    takeDigits()
    exponent = whole - digits
  }
  guard digits > 0 else { return nil }
  if next < end, next.pointee | 0x20 == UInt8(ascii: "e") {
    next += 1
    let isBelow = takesMinus()
    let first = next
    var power = 0
    while next < end, next.pointee &- zero < 10 {
      power = min(10 * power + Int(next.pointee &- zero), 100_000)
      next += 1
    }
    guard next > first else { return nil }
    exponent += isBelow ? -power : power
  }
  guard next == end else { return nil }
  // Exact where mantissa and power of ten are (Clinger 1990); otherwise the system's correctly rounded conversion.
  if significant <= 19 && mantissa <= 1 << 53 && abs(exponent) <= 22 {
    let value =
      exponent < 0
      ? Double(mantissa) / exactPowers[-exponent] : Double(mantissa) * exactPowers[exponent]
    return isNegative ? -value : value
  }
  return strtod(
    String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: ",", with: "."), nil)
}

private let zero = UInt8(ascii: "0")
private let plus = UInt8(ascii: "+")
private let minus = UInt8(ascii: "-")

/// 10^0 to 10^22, all exact.
private let exactPowers = Array(sequence(first: 1.0) { 10 * $0 }.prefix(23))
