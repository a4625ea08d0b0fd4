// SPDX-License-Identifier: Apache-2.0
// What the numbers of a row of a file's table may be, as a test and in words.

import Foundation

/// A rule for each number of an array.
package struct AllowedNumbers: Sendable {
  /// For messages: "numbers above 0 are wanted".
  package let words: String
  let holds: @Sendable (_ value: Double, _ index: Int) -> Bool

  /// - Parameters:
  ///   - words: what is wanted, "numbers above 0".
  ///   - holds: whether a number may stand at this index of the array.
  package init(
    _ words: String, _ holds: @escaping @Sendable (_ value: Double, _ index: Int) -> Bool
  ) {
    (self.words, self.holds) = (words, holds)
  }

  package static let finite = AllowedNumbers("finite numbers") { value, _ in value.isFinite }

  package static let notNegative = AllowedNumbers("numbers from 0 up") { value, _ in
    value >= 0 && value.isFinite
  }

  /// Numbers in a range.
  package static func within(_ range: ClosedRange<Double>) -> AllowedNumbers {
    AllowedNumbers("numbers from \(short(range.lowerBound)) to \(short(range.upperBound))") {
      value, _ in
      range.contains(value)
    }
  }

  private static func short(_ value: Double) -> String { String(format: "%g", value) }

  /// Of physical quantities. A log with greater ones is refused as well.
  private static let largest = 1e100

  /// Of a policy. Adam moves a parameter by about its rate an iteration; sums of products of larger ones would leave the
  /// range of single precision.
  package static let parameters = within(-1e6...1e6)

  package static let physical = within(-largest...largest)

  /// Scales and durations. A reciprocal is finite too.
  package static let positive = AllowedNumbers("positive numbers") { value, _ in
    value >= 1 / largest && value <= largest
  }

  /// Upper bounds of data: none is below its lower one.
  package static func notBelow(_ lower: [Double]) -> AllowedNumbers {
    AllowedNumbers("numbers that are not below the lower bounds") { value, index in
      value >= lower[index] && value <= largest
    }
  }

  /// Upper limits: each is above its lower one.
  package static func above(_ lower: [Double]) -> AllowedNumbers {
    AllowedNumbers("numbers above the lower limits") { value, index in
      value > lower[index] && value <= largest
    }
  }

  /// Numbers within limits of their own.
  package static func between(_ lower: [Double], _ upper: [Double]) -> AllowedNumbers {
    AllowedNumbers("numbers within the limits") { value, index in
      value >= lower[index] && value <= upper[index]
    }
  }

  /// The same or one value more.
  package func or(_ other: Double) -> AllowedNumbers {
    AllowedNumbers("\(words) or \(other)") { [holds] value, index in
      value == other || holds(value, index)
    }
  }
}
