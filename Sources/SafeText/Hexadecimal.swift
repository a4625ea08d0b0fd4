// SPDX-License-Identifier: Apache-2.0
// Numbers in hexadecimal digits of a fixed count.

/// "0000002a" of 42 and 8 digits; all digits of what has more.
package func hexadecimal(
  _ value: some UnsignedInteger, digits: Int, uppercase: Bool = false
) -> String {
  let text = String(value, radix: 16, uppercase: uppercase)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}
