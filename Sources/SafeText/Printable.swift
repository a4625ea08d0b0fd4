// SPDX-License-Identifier: Apache-2.0
// SafeText: text from outside (names, paths, messages of other programs) -> text that a target takes as text and as nothing
// else. Each target has one function (a log's header is quoted by LogWriter, a command for a shell in the kernel cache):
//
//   terminal, ONNX's strings   printable, shortened, shortenedInside   (this file)
//   C, HTML, gnuplot, file names   escapedForC, escapedForHTML, gnuplotString, fileName   (Escapes)
//   what may be a name at all   problem(ofName:), problem(ofColumn:)   (Names)

/// A text from outside for a message: one line without control characters and marks that turn the direction of writing, at
/// most so many characters, with an ellipsis where something was left out.
package func shortened(_ text: String, to limit: Int = 60) -> String {
  // Counted in scalars: one character may carry any number of accents. A megabyte is not gone through.
  let start = printable(String(text.unicodeScalars.prefix(limit + 1)))
  if start.unicodeScalars.count <= limit { return start }
  return String(start.unicodeScalars.prefix(limit - 1)) + "\u{2026}"
}

/// The same, with what is too long left out in the middle: a failure's first words say what and where, its last what became
/// of the machine.
package func shortenedInside(_ text: String, to limit: Int) -> String {
  let scalars = printable(text).unicodeScalars
  guard scalars.count > limit else { return String(scalars) }
  let end = (limit - 1) / 2
  return String(scalars.prefix(limit - 1 - end)) + "\u{2026}" + String(scalars.suffix(end))
}

/// Characters of a message, at most: what a person reads at once, and what no input can drive up.
package let longestMessage = 300

/// A path for a message: its end, where the name is.
///
/// - Parameter path: of a file.
package func shortenedPath(_ path: String) -> String {
  let (text, limit) = (printable(path), 120)
  return text.count <= limit ? text : "\u{2026}" + text.suffix(limit - 1)
}

/// The text with control characters, and marks that turn the direction of writing or cannot be seen, as escapes (\u{1B}).
///
/// - Parameters:
///   - text: from outside.
///   - keeping: control characters that stay.
package func printable(_ text: String, keeping: String = "") -> String {
  if text.unicodeScalars.allSatisfy({ !isHidden($0) }) { return text }
  let kept = Set(keeping.unicodeScalars)
  return text.unicodeScalars.reduce(into: "") { result, scalar in
    if !isHidden(scalar) || kept.contains(scalar) {
      result.unicodeScalars.append(scalar)
    } else {
      result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
    }
  }
}

/// Hidden in a name too: what has no look of its own (fillers, variation selectors, a blank of Braille).
func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
  isHidden(scalar) || scalar.properties.isDefaultIgnorableCodePoint || scalar == "\u{2800}"
}

/// Control and format characters (bidirectional marks, zero-width ones), separators of lines and paragraphs.
func isHidden(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator: true
  default: false
  }
}
