// SPDX-License-Identifier: Apache-2.0
// The key `picture` of a task file: the machine's joints in its plane, for the report.

import Formulas
import SafeText

extension ControlTask {
  /// A coordinate: a number, or a quantity.
  package enum PictureCoordinate: Hashable, Sendable {
    case fixed(Double)
    case quantity(Quantity)

    package var quantity: Quantity? {
      if case .quantity(let quantity) = self { quantity } else { nil }
    }

    /// Its value at a state [S].
    package func value(_ state: [Double]) -> Double {
      switch self {
      case .fixed(let value): value
      case .quantity(let quantity): quantity.value(state)
      }
    }
  }

  /// A point of a machine in its plane.
  package struct PicturePoint: Hashable, Sendable {
    package var x: PictureCoordinate
    package var y: PictureCoordinate
  }

  /// picture: [[0, 0.8], [elbow_x, elbow_z], ...]
  mutating func readPicture(_ yaml: YAMLMapping) throws {
    guard let points = try yaml.words(inLists: "picture") else { return }
    picture = try points.map { point in
      guard point.count == 2 else {
        throw yaml.error("picture", "must be a list of points [x, y], of numbers or quantities")
      }
      let parts = try point.map { word -> PictureCoordinate in
        if let number = Double(word), number.isFinite { return .fixed(number) }
        guard let quantity = quantity(word) else {
          throw yaml.error(
            "picture", "has '\(shortened(word))', which is not a number, state or quantity")
        }
        return .quantity(quantity)
      }
      return PicturePoint(x: parts[0], y: parts[1])
    }
    guard points.count > 1 else { throw yaml.error("picture", "needs two points or more") }
  }
}
