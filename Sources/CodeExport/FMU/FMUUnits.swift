// SPDX-License-Identifier: Apache-2.0
// Units of an FMU's variables by those of the SI: BaseUnit value = factor * unit value + offset. What a unit is, `UnitConversion` knows;
// here stands which powers of kg, m, s, A, K and rad its kind has. Units of other kinds are defined by name alone.

import MachineLogs

/// A unit that variables of an FMU have.
struct FMUUnit {
  let name: String
  /// Attributes of its BaseUnit; nil of a unit that is not known.
  let base: [(name: String, value: String)]?

  /// Of a word that stands in a task.
  init(_ word: String) {
    name = FMU.plain(word)
    base =
      Self.kinds.lazy.compactMap { kind -> [(name: String, value: String)]? in
        guard let conversion = UnitConversion(from: word, to: kind.word) else { return nil }
        let powers = zip(Self.bases, kind.powers).filter { $1 != 0 }.map { ($0, "\($1)") }
        return powers
          + (conversion.factor == 1 ? [] : [("factor", "\(conversion.factor)")])
          + (conversion.offset == 0 ? [] : [("offset", "\(conversion.offset)")])
      }.first
  }

  private static let bases = ["kg", "m", "s", "A", "K", "rad"]

  /// Words of the SI, with the powers of `bases`.
  private static let kinds: [(word: String, powers: [Int])] = [
    ("1", [0, 0, 0, 0, 0, 0]),
    ("m", [0, 1, 0, 0, 0, 0]), ("m/s", [0, 1, -1, 0, 0, 0]), ("m/s^2", [0, 1, -2, 0, 0, 0]),
    ("m/s^3", [0, 1, -3, 0, 0, 0]), ("m^2", [0, 2, 0, 0, 0, 0]), ("m^3", [0, 3, 0, 0, 0, 0]),
    ("m^3/s", [0, 3, -1, 0, 0, 0]), ("1/m", [0, -1, 0, 0, 0, 0]), ("m^2/s", [0, 2, -1, 0, 0, 0]),
    ("rad", [0, 0, 0, 0, 0, 1]), ("rad/s", [0, 0, -1, 0, 0, 1]), ("rad/s^2", [0, 0, -2, 0, 0, 1]),
    ("rad/s^3", [0, 0, -3, 0, 0, 1]), ("rad/m", [0, -1, 0, 0, 0, 1]),
    ("kg", [1, 0, 0, 0, 0, 0]), ("kg/s", [1, 0, -1, 0, 0, 0]), ("kg/m^3", [1, -3, 0, 0, 0, 0]),
    ("kg*m^2", [1, 2, 0, 0, 0, 0]), ("kg*m/s", [1, 1, -1, 0, 0, 0]),
    ("s", [0, 0, 1, 0, 0, 0]), ("1/s", [0, 0, -1, 0, 0, 0]), ("1/s^2", [0, 0, -2, 0, 0, 0]),
    ("N", [1, 1, -2, 0, 0, 0]), ("N/s", [1, 1, -3, 0, 0, 0]), ("N/m", [1, 0, -2, 0, 0, 0]),
    ("N*s/m", [1, 0, -1, 0, 0, 0]), ("Nm", [1, 2, -2, 0, 0, 0]), ("Nm/rad", [1, 2, -2, 0, 0, -1]),
    ("Nm*s/rad", [1, 2, -1, 0, 0, -1]), ("Pa", [1, -1, -2, 0, 0, 0]),
    ("Pa/s", [1, -1, -3, 0, 0, 0]), ("Pa*s", [1, -1, -1, 0, 0, 0]), ("W", [1, 2, -3, 0, 0, 0]),
    ("A", [0, 0, 0, 1, 0, 0]), ("A/s", [0, 0, -1, 1, 0, 0]), ("V", [1, 2, -3, -1, 0, 0]),
    ("V/s", [1, 2, -4, -1, 0, 0]), ("Ohm", [1, 2, -3, -2, 0, 0]), ("A*s", [0, 0, 1, 1, 0, 0]),
    ("K", [0, 0, 0, 0, 1, 0]), ("K/s", [0, 0, -1, 0, 1, 0]), ("W/K", [1, 2, -3, 0, -1, 0]),
  ]
}

extension FMU {
  /// Each unit once, in the order of the variables.
  var units: [FMUUnit] {
    reals.map(\.units).reduce(into: []) { units, word in
      if !Self.plain(word).allSatisfy(\.isWhitespace), definition(of: word, in: units) == nil {
        units.append(FMUUnit(word))
      }
    }
  }

  /// The definition of a variable's unit; nil where it has none.
  func definition(of word: String, in units: [FMUUnit]) -> FMUUnit? {
    units.first { $0.name == Self.plain(word) }
  }
}
