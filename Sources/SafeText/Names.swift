// SPDX-License-Identifier: Apache-2.0
// What may be the name of a task, state or action, and of a log's column. A name is seen by people and comes back from a
// log's header, so it has nothing hidden in it and no blanks at its ends, which readers of CSV files cut off.

/// Characters (scalars) of a name, at most.
package let longestName = 200

/// Why a text cannot be a name, as the end of a sentence that begins with its key; nil if it can.
package func problem(ofName text: String) -> String? {
  if let hidden = text.unicodeScalars.first(where: { isInvisible($0) && !isJoiner($0) }) {
    return "has \(codePoint(hidden)), an invisible character; write the name without it"
  }
  return problem(ofColumn: text)
}

/// Why a text cannot be a column of a log, likewise: a file may have marks in it that cannot be seen, and is not ours to
/// change, but no line breaks.
package func problem(ofColumn text: String) -> String? {
  let isBlank = { (scalar: Unicode.Scalar) in
    scalar.properties.isWhitespace || isInvisible(scalar) && !isJoiner(scalar)
  }
  guard let first = text.unicodeScalars.first(where: { !isBlank($0) }) else { return "is empty" }
  if let control = text.unicodeScalars.first(where: { $0.properties.generalCategory == .control }) {
    return "has \(codePoint(control)), a control character; write the name without it"
  }
  if text.unicodeScalars.first != first || text.unicodeScalars.last.map(isBlank) == true {
    return "'\(shortened(text))' begins or ends with a blank; write the name without it"
  }
  guard text.unicodeScalars.count <= longestName else {
    return "has \(text.unicodeScalars.count) characters; at most \(longestName) are allowed"
  }
  return nil
}

/// Zero-width joiner and non-joiner belong to the spelling of Persian and Indic words.
private func isJoiner(_ scalar: Unicode.Scalar) -> Bool {
  scalar == "\u{200C}" || scalar == "\u{200D}"
}

/// "U+0007"
func codePoint(_ scalar: Unicode.Scalar) -> String {
  "U+" + hexadecimal(scalar.value, digits: 4, uppercase: true)
}
