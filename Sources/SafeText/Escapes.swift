// SPDX-License-Identifier: Apache-2.0
// The escapes of each target. All are lists of what passes or rules over single characters, so that no text can build
// something from parts.

/// For a C comment that begins with a slash and a star: nothing in it ends the comment, begins another, is a trigraph or
/// continues a line, so that it compiles with -Wall -Wextra -Werror -pedantic. Pairs that would are parted by a blank;
/// backslashes and hidden characters become U+005C.
package func escapedForC(_ text: String) -> String {
  let pairs: Set<String> = ["*/", "/*", "??"]
  var result = ""
  var last: Unicode.Scalar = " "
  for scalar in text.unicodeScalars {
    if isHidden(scalar) || scalar == "\\" {
      result += codePoint(scalar)
      last = "0"
      continue
    }
    if pairs.contains("\(last)\(scalar)") { result += " " }
    result.unicodeScalars.append(scalar)
    last = scalar
  }
  return result
}

/// A C identifier: letters, digits and underscores of ASCII; everything else becomes an underscore. Where letters of other scripts are
/// lost, or the end, it ends with eight digits that tell such names apart.
///
/// - Parameters:
///   - text: a name.
///   - prefix: what the identifier begins with, itself one.
///   - longest: characters, at most.
package func cIdentifier(_ text: String, prefix: String, longest: Int = .max) -> String {
  let name =
    prefix
    + text.lowercased().unicodeScalars.reduce(into: "") { result, scalar in
      let isPlain = ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar)
      result.unicodeScalars.append(isPlain ? scalar : "_")
    }
  guard name.count > longest || text.unicodeScalars.contains(where: { !$0.isASCII }) else {
    return name
  }
  // FNV-1a (Fowler, Noll, Vo), 32 bits.
  let hash = text.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
  return name.prefix(longest - 9) + "_" + hexadecimal(hash, digits: 8)
}

/// A CSV field: in quotes, which are doubled inside, where it holds a separator, a quote or a line's end.
package func escapedForCSV(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: { ",\";\r\n\t".unicodeScalars.contains($0) }) else {
    return text
  }
  return "\"" + text.replacing("\"", with: "\"\"") + "\""
}

/// For HTML, as text or inside a quoted attribute.
package func escapedForHTML(_ text: String) -> String {
  printable(text, keeping: "\n\t").unicodeScalars.reduce(into: "") { result, scalar in
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    default: result.unicodeScalars.append(scalar)
    }
  }
}

/// A string of gnuplot with its quotes. Only letters, digits, blanks and other scripts stand as they are; every other
/// character of ASCII is an octal escape. (In single quotes nothing is substituted, but gnuplot 5.4 loses its place at two
/// doubled quotes in a row; in double quotes a backtick would run a command.)
///
/// - Parameters:
///   - text: what is to be seen.
///   - isFormat: gnuplot will read the string as a format of numbers too, as it does with the names of tics.
package func gnuplotString(_ text: String, isFormat: Bool = false) -> String {
  var result = "\""
  var followsEscape = false
  for scalar in printable(text).unicodeScalars {
    // A digit behind an escape would be read as one more of its digits.
    let isPlain =
      !scalar.isASCII || scalar == " " || ("a"..."z").contains(scalar)
      || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) && !followsEscape
    followsEscape = !isPlain
    if isPlain {
      result.unicodeScalars.append(scalar)
    } else {
      let digits = String(scalar.value, radix: 8)
      let escape = "\\" + String(repeating: "0", count: 3 - digits.count) + digits
      result += isFormat && scalar == "%" ? escape + escape : escape
    }
  }
  return result + "\""
}

/// The name of a file or folder in the present folder: letters and digits of any script, "-", "_", "." and blanks; a dash for
/// each run of others; neither hidden nor a way out ("../x" becomes "x"), of at most 100 bytes; "unnamed" where nothing is
/// left.
package func fileName(_ text: String) -> String {
  var result = ""
  for character in text {
    let isPlain = character.isLetter || character.isNumber || "-_. ".contains(character)
    let next = isPlain && !character.unicodeScalars.contains(where: isInvisible) ? character : "-"
    if next == "-" && result.last == "-" { continue }
    if result.utf8.count + String(next).utf8.count > 100 { break }
    result.append(next)
  }
  let inner = result.drop { "-. ".contains($0) }
  let end = inner.lastIndex { !"-. ".contains($0) }.map(inner.index(after:)) ?? inner.startIndex
  return inner[..<end].isEmpty ? "unnamed" : String(inner[..<end])
}
