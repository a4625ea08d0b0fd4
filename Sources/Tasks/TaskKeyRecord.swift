// SPDX-License-Identifier: Apache-2.0
// The keys that the sections read from a task, and what each must be: the source of the reference of task files.

import Foundation

/// Keys that were asked for, in the order of their first asking.
package final class TaskKeyRecord {
  /// "optimise.particles", "states[].limits" -> kinds of values, "whole number, 1 to 10000000".
  package private(set) var kinds: [(key: String, kinds: [String])] = []

  package init() {}

  func note(_ path: String, _ kind: String) {
    // The number of a list's element says nothing.
    let key = path.replacing(#/\[\d+\]/#, with: "[]")
    guard let index = kinds.firstIndex(where: { $0.key == key }) else {
      return kinds.append((key, [kind]))
    }
    if !kinds[index].kinds.contains(kind) { kinds[index].kinds.append(kind) }
  }

  /// ", 0 to 1"; nothing of any number.
  static func words(_ range: ClosedRange<Double>) -> String {
    if range == YAMLMapping.anyNumber { return "" }
    return range == YAMLMapping.anyPositive
      ? " above 0" : ", \(short(range.lowerBound)) to \(short(range.upperBound))"
  }

  /// 0.0 as 0, 1e-06 as 1e-6, 10000000 as 1e7.
  static func short(_ number: Double) -> String {
    let exponent = number > 0 ? Int(log10(number).rounded()) : 0
    if abs(exponent) > 5, abs(number / pow(10, Double(exponent)) - 1) < 1e-12 {
      return "1e\(exponent)"
    }
    return number == number.rounded() && abs(number) < 1e9 ? "\(Int(number))" : "\(number)"
  }
}
