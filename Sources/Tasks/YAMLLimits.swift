// SPDX-License-Identifier: Apache-2.0
// Texts that cannot be task files are refused before they cost time or memory: too long, too deep, or aliases of aliases that
// expand to billions of values. libYAML's problems in plain words.

import MachineLogs
import SafeText
import Yams

enum YAMLLimits {
  /// Bytes; a task is a page of text.
  static let largestFile = 1 << 20
  /// Lists and mappings within one another, which are read recursively.
  static let deepest = 100
  /// A line that begins beyond this column may be as deep in blocks.
  static let furthestColumn = 500
  /// With so few, even aliases of aliases stand for less than 10 million values while the file is parsed.
  static let mostAnchors = 10
  static let mostAliases = 50
  /// Values of a file with its aliases put in.
  static let mostValues = 100_000

  /// Throws: `LogError`.
  static func check(_ text: String, file: String) throws {
    guard text.utf8.count <= largestFile else {
      throw LogError(
        file: file,
        "has \(text.utf8.count) bytes, but a task file may have at most \(largestFile); is it a log?"
      )
    }
    var (line, depth, anchors, aliases) = (1, 0, 0, 0)
    var (column, isIndentation) = (0, true)
    var before = UInt8(ascii: "\n")
    for byte in text.utf8 {
      // Within quotes and comments, too: what is counted there is little.
      switch byte {
      case UInt8(ascii: "\n"):
        (line, column, isIndentation, before) = (line + 1, 0, true, byte)
        continue
      case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
      case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"): break
      default:
        if isIndentation && column > furthestColumn {
          throw LogError(
            file: file, line: line,
            "begins at character \(column + 1); at most \(furthestColumn) of indentation are allowed"
          )
        }
        isIndentation = false
        if " ,[{:-\n".utf8.contains(before) {
          anchors += byte == UInt8(ascii: "&") ? 1 : 0
          aliases += byte == UInt8(ascii: "*") ? 1 : 0
        }
      }
      guard depth <= deepest else {
        throw LogError(
          file: file, line: line, "has more than \(deepest) lists and mappings within one another")
      }
      (column, before) = (column + 1, byte)
    }
    // A star in a formula is no alias, but without an anchor there is none.
    guard anchors <= mostAnchors, anchors == 0 || aliases <= mostAliases else {
      throw LogError(
        file: file,
        "has \(anchors) anchors (&) and \(aliases) aliases (*), more than \(mostAnchors) and "
          + "\(mostAliases); write the values out")
    }
  }

  /// Throws: `LogError` where a document with its aliases put in is too large.
  static func check(_ node: Node, file: String) throws {
    var values = 0
    func visit(_ node: Node) throws {
      values += 1
      guard values <= mostValues else {
        throw LogError(
          file: file, "expands to more than \(mostValues) values; write a shorter task")
      }
      for element in node.sequence ?? [] { try visit(element) }
      for (key, value) in node.mapping ?? [:] {
        try visit(key)
        try visit(value)
      }
    }
    try visit(node)
  }
}

extension YamlError {
  /// One line: where it is, and what is wrong.
  func inWords(_ text: String, file: String) -> LogError {
    func problem(_ words: String, _ mark: Mark?) -> LogError {
      LogError(file: file, line: mark?.line, character: mark?.column, "is not YAML: \(words)")
    }
    switch self {
    case .duplicatedKeysInMapping(let names, let context):
      return LogError(
        file: file, line: context.mark.line,
        "'\(names.map { shortened($0) }.joined(separator: "', '"))' occurs twice in the mapping that begins here"
      )
    case .scanner(let context, let found, let mark, _),
      .parser(let context, let found, let mark, _),
      .composer(let context, let found, let mark, _):
      if Self.isAtTab(text, mark) {
        return problem("a tab is used here; YAML indents with blanks, not tabs", mark)
      }
      let begin =
        context.map { $0.mark.line == mark.line ? "" : " (see line \($0.mark.line))" } ?? ""
      return problem((Self.words[found] ?? found) + begin, mark)
    case .reader(let found, let offset, let value, _):
      let line = offset.map { text.prefix($0).count { $0.isNewline } + 1 }
      return LogError(
        file: file, line: line,
        "is not YAML: \(found) (\(value < 0 ? "no value" : "0x" + String(value, radix: 16)))")
    case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      return problem(shortened("\(self)", to: 200), nil)
    }
  }

  /// Whether a tab stands at the mark or before it in the indentation.
  private static func isAtTab(_ text: String, _ mark: Mark) -> Bool {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.indices.contains(mark.line - 1) else { return false }
    let line = Array(lines[mark.line - 1].unicodeScalars.prefix(1_000))
    let indentation = line.prefix { $0 == " " || $0 == "\t" || $0 == "-" }
    return indentation.contains("\t")
      || line.indices.contains(mark.column - 1) && line[mark.column - 1] == "\t"
  }

  /// libYAML's problems, and what they mean to a person.
  private static let words = [
    "found character that cannot start any token":
      "a value cannot begin with this character; put it in quotes",
    "mapping values are not allowed in this context":
      "a ':' is not allowed here; put the text in quotes, or begin a new line",
    "could not find expected ':'": "a ':' is missing after a key",
    "did not find expected ',' or ']'": "a ',' or ']' is missing in a list",
    "did not find expected ',' or '}'": "a ',' or '}' is missing in a mapping",
    "did not find expected key": "a key is expected; is it indented as those above?",
    "did not find expected '-' indicator": "a '-' is expected; is it indented as those above?",
    "did not find expected node content": "a value is missing",
    "found unexpected end of stream": "the file ends within quotes",
    "found undefined alias": "an alias (*) without its anchor (&); put the text in quotes",
    "block sequence entries are not allowed in this context":
      "a '-' is not allowed here; begin a new line",
    "did not find expected <document start>": "one document is expected; is a line indented less?",
    "but found another document": "one document is expected, not two (---)",
  ]
}
