// SPDX-License-Identifier: Apache-2.0
// A seeded generator of what users' files look like when something went wrong, or when somebody wants it to: logs, tasks,
// formulas, names. In: a generator and a sound text. Out: an altered one.

import TestSupport

struct HostileText {
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func pick<T>(_ choices: [T]) -> T {
    choices[Int.random(in: 0..<choices.count, using: &random)]
  }
  mutating func count(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  // MARK: Names

  static let pieces = [
    "*/", "/*", "??/", "\\", "\n", "\r", "\t", "\0", "\u{1B}[31m", "\u{202E}", "\u{200B}",
    "\u{3164}", "x\u{FE00}", "\u{2800}",
    "\u{2028}",
    "'", "\"", "''", "`date`", "$(date)", "${HOME}", "%s%n", "{", "}", "<script>alert(1)</script>",
    "&amp;", "<",
    "]]>", "../", "/", "..", ".", "~", "-rf", "--seed", ";", "|", "#", "@", "!", ":", ",", " ",
    "EOD", "\u{FEFF}",
    "int evil(void){return 1;}", "winkel", "å", "角度", "\u{1F600}", "e\u{301}", "a", "x", "v", "nan",
    "1e3", "null", "yes",
    String(repeating: "n", count: 300),
  ]

  /// A name that is made to break out of what it is written into.
  mutating func name() -> String {
    (0..<count(1...5)).map { _ in pick(Self.pieces) }.joined()
  }

  // MARK: Formulas

  private static let tokens = [
    "x", "v", "u", "goal.x", "previous.x", "pi", "1", "0", "1e308", "1e-320", "-", "+", "*", "/",
    "^", "**", "(", ")", "((", "))",
    "exp", "log", "sqrt", "sin", "tanh", "abs", "min", "max", "exp(", "sqrt(x)", "log(0)", ",", ";",
    "=", "==", "<", "&&", "'", "\"",
    "\\", "import os", "__x__", "1/0", "x/0", "0/0", "1e400", "0x10", "1_000", "½", "∞", "−", "x y",
    "goal", "goal.", ".x", "x.", "$",
    "\u{202E}", "é", "(-1)^0.5", "x^1000000", "exp(exp(exp(x)))",
  ]

  mutating func formula() -> String {
    switch count(0...9) {
    case 0...4: return expression(depth: count(1...4))
    case 5:
      return String(
        repeating: pick(["(", "-", "sqrt(", "x*", "x^", "1+"]),
        count: pick([10, 200, 5_000, 20_000])) + "x"
    case 6:
      return (0..<pick([50, 2_000, 20_000])).map { _ in pick(["x+", "v*", "u-", "sin(x)+"]) }
        .joined() + "1"
    default:
      return (0..<count(1...12)).map { _ in pick(Self.tokens) }.joined(separator: pick(["", " "]))
    }
  }

  /// A sound one, perhaps of numbers at the edge of what there is.
  private mutating func expression(depth: Int) -> String {
    if depth == 0 {
      return pick(["x", "v", "u", "goal.x", "previous.x", "pi", "2", "0", "1e308", "1e-320", "0.5"])
    }
    let a = expression(depth: depth - 1)
    switch count(0...3) {
    case 0: return "\(pick(["exp", "log", "sqrt", "sin", "tanh", "abs"]))(\(a))"
    case 1: return "(\(a)) ^ \(pick(["2", "-1", "0.5", "3", "1000000"]))"
    case 2: return "\(pick(["min", "max"]))(\(a), \(expression(depth: depth - 1)))"
    default: return "(\(a) \(pick(["+", "-", "*", "/"])) \(expression(depth: depth - 1)))"
    }
  }

  // MARK: Logs

  private static let cells = [
    "nan", "NaN", "inf", "-inf", "1e400", "1e-400", "-1e308", "1e99", "--", "", " ", "\"", "\"\"",
    "\"1", "1,5", "1;5", "0x1F", "1 000",
    "1'000", "²", "١٢٣", "2024-01-01T00:00:00Z", "12:30:01.5", "TRUE", "null", "#N/A", "-1.#IND",
    "=1+1", "\0", "\u{1B}[2J",
    "\u{FEFF}1", "\u{202E}1", "9999999999999999999999", "+1", "1.", ".5", "1e5", "1d5",
    "1,2,3,4,5,6", String(repeating: "9", count: 5_000),
    String(repeating: "x", count: 3_000),
  ]

  /// A log of three columns, altered at some places.
  mutating func log(rows: Int = 60) -> [UInt8] {
    var lines = ["t,x,u"]
    var x = 0.0
    for k in 0..<rows {
      let u = Double.random(in: -1...1, using: &random)
      lines.append("\(Double(k) / 10),\(x),\(u)")
      x += 0.1 * (u - 0.3 * x)
    }
    for _ in 0..<count(1...2) { alter(&lines) }
    let ending = pick(["\n", "\n", "\r\n", "\r", "\n\n"])
    var bytes = Array(lines.joined(separator: ending).utf8)
    if count(0...5) == 0 { alter(&bytes) }
    return bytes
  }

  private mutating func alter(_ lines: inout [String]) {
    let row = count(0...3) == 0 ? 0 : count(0...lines.count - 1)
    switch count(0...10) {
    case 0:
      lines.insert(
        pick(["", "# comment", "t,x,u", ",,", "\"", "sep=;", pick(Self.cells)]), at: row)
    case 1 where lines.count > 1: lines.remove(at: row)
    case 2:
      let mark = pick([";", "\t", ", ", " ", "|"])
      lines = lines.map { $0.replacingOccurrences(of: ",", with: mark) }
    case 3:
      lines[0] = pick([
        "", "t,x", "t,x,x", "t,u,x", "x,u", "t;x;u", "time,x,u", "t,x,u,", "\"t\",\"x\",\"u\"",
        name(),
      ])
    case 4: lines[1...].shuffle(using: &random)
    default: alterCells(of: &lines[row])
    }
  }

  private mutating func alterCells(of line: inout String) {
    var cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    switch count(0...7) {
    case 0: cells.removeLast()
    case 1: cells.append(pick(Self.cells))
    default: cells[count(0...cells.count - 1)] = pick(Self.cells)
    }
    line = cells.joined(separator: ",")
  }

  // MARK: Tasks

  private static let values = [
    "", "~", "null", "{}", "[]", "[[]]", "{a: 1}", "-1", "0", "1", "1e9", "1e309", ".inf", ".nan",
    "0x10", "1_0", "0,5", "abc", "\"\"",
    "\"\\0\"", "\"\\e[31m\"", "' a '", "*x", "&x 1", "!!binary AA==",
    "!!python/object:os.system [ls]", "|\n  text", "[1, 2, 3, 4]", "true",
    "99999999999999999999", "-.inf", "2020-01-01", "[a, b]", "{lower: [0], upper: [1]}", "../../x",
    "\u{202E}", "\"\\u2028\"",
    "[" + String(repeating: "[", count: 200) + String(repeating: "]", count: 200) + "]",
    String(repeating: "y", count: 4_000),
  ]

  /// A task's text with some lines or values changed.
  mutating func task(_ sound: String) -> [UInt8] {
    var lines = sound.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    for _ in 0..<count(1...3) {
      let row = count(0...max(lines.count - 1, 0))
      guard lines.indices.contains(row) else { continue }
      switch count(0...9) {
      case 0...4: replaceValue(&lines[row])
      case 5: lines.remove(at: row)
      case 6: lines.insert(lines[count(0...lines.count - 1)], at: row)
      case 7: lines[row] = String(repeating: " ", count: count(0...6)) + lines[row]
      case 8:
        lines.insert(
          pick(["\t- a", "---", "...", "%YAML 1.1", "a: &a [*a]", "? x", "<<: *b", ": ", "- ", "'"]
          ), at: row)
      default:
        lines[row] = lines[row].replacingOccurrences(
          of: pick(["x", "u", ":", "{", "]", "0", "1"]), with: pick(Self.values))
      }
    }
    var bytes = Array(lines.joined(separator: pick(["\n", "\n", "\r\n"])).utf8)
    if count(0...4) == 0 { alter(&bytes) }
    return bytes
  }

  private mutating func replaceValue(_ line: inout String) {
    let colons = line.indices.filter { line[$0] == ":" }
    guard !colons.isEmpty else {
      line = pick(Self.values)
      return
    }
    let start = line.index(after: pick(colons))
    let end = line[start...].firstIndex { ",}".contains($0) } ?? line.endIndex
    line.replaceSubrange(start..<end, with: " " + pick(Self.values))
  }

  // MARK: Tensor files

  private static let headerValues = [
    "-1", "0", "1e300", "1e999", "NaN", "null", "true", "[]", "{}", "[1]", "9223372036854775807",
    "18446744073709551616", "1.5", "[0,8]", "[8,0]", "[2,3]", "[[1]]", "\"F32\"", "\"I64\"",
  ]

  private static let numbers = [
    Double.nan, .infinity, -.infinity, 0, -1, 1e300, -1e300, .leastNonzeroMagnitude, 1e9, 0.5, 3,
    1e18,
  ]

  /// Damages a safetensors file: its numbers, a value of its header (whose length is set anew), or bytes anywhere.
  mutating func damage(_ bytes: inout [UInt8]) {
    // Mostly a file without a checksum: else nothing behind it would be tried.
    let key = Array("\"crc32\"".utf8)
    if count(0...7) > 0, let place = bytes.firstRange(of: key) {
      bytes.replaceSubrange(place, with: Array("\"other\"".utf8))
    }
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    switch count(0...4) {
    case 0, 1:
      for _ in 0..<count(1...2) where bytes.count >= 16 + length {
        let place = 8 + length + 8 * count(0...(bytes.count - 16 - length) / 8)
        withUnsafeBytes(of: pick(Self.numbers)) {
          bytes.replaceSubrange(place..<place + 8, with: $0)
        }
      }
    case 2, 3:
      var header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
      replaceValue(inJSON: &header)
      while header.utf8.count % 8 != 0 { header += " " }
      let size = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
      bytes = size + Array(header.utf8) + bytes[(8 + length)...]
    default: alter(&bytes)
    }
  }

  /// Puts another value in the place of one.
  mutating func replaceValue(inJSON text: inout String) {
    // Mostly of a name; elements of lists and names themselves too.
    let marks = count(0...4) == 0 ? ":,[" : ":"
    let start = text.index(after: pick(text.indices.filter { marks.contains(text[$0]) }))
    let end = text[start...].firstIndex { ",]}\n".contains($0) } ?? text.endIndex
    let whole = ["-1", "0", "1", "2", "99", "1000000000", "9223372036854775807"]
    text.replaceSubrange(start..<end, with: pick(count(0...1) == 0 ? whole : Self.headerValues))
  }

  // MARK: Bytes

  /// Flips, cuts, inserts or repeats bytes.
  mutating func alter(_ bytes: inout [UInt8]) {
    for _ in 0..<count(1...4) where !bytes.isEmpty {
      let place = count(0...bytes.count - 1)
      switch count(0...5) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
      case 2 where count(0...3) == 0: bytes.removeLast(bytes.count - place)
      case 3:
        bytes.insert(
          contentsOf: (0..<count(1...9)).map { _ in UInt8.random(in: 0...255, using: &random) },
          at: place)
      case 4: bytes.removeSubrange(place..<min(bytes.count, place + count(1...16)))
      default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 64)], at: place)
      }
    }
  }
}
