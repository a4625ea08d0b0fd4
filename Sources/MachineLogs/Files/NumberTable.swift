// SPDX-License-Identifier: Apache-2.0
// A small CSV file of numbers that is not a log: a path for a machine to follow. In: columns by name. Out: their numbers, row by
// row, and the line of each for messages.

/// Some columns of a CSV file.
package struct NumberTable {
  /// In the order in which the columns were asked for.
  package private(set) var rows: [[Double]] = []
  /// 1-based, as an editor counts.
  package private(set) var lines: [Int] = []

  /// - Parameters:
  ///   - path: of the file.
  ///   - columns: names in its header.
  ///   - mostRows: more are refused.
  /// - Throws: `LogError`.
  package init(path: String, columns: [String], mostRows: Int = 100_000) throws {
    let reader = try CSVReader(TextStream(path: path))
    let head = try LogHead(of: reader, wanted: columns)
    let header = head.names
    var marks = DecimalMarks()
    let indices = try columns.map { name in
      guard let index = header.firstIndex(of: name) else {
        let hint = nearest(to: name, among: header).map { "; did you mean '\($0)'?" } ?? ""
        throw LogError(
          file: path, line: head.line,
          "has no column '\(name)'; its header has \(header.joined(separator: ", "))\(hint)")
      }
      return index
    }
    while try reader.next() {
      if reader.line < head.firstRowLine || reader.isComment { continue }
      guard !reader.isUnclosed else {
        throw LogError(
          file: path, line: reader.line, "a quote that begins in this row is not closed")
      }
      rows.append(
        try zip(columns, indices).map { name, index in
          guard index < reader.count, let value = marks.number(reader, index), value.isFinite else {
            let text = index < reader.count ? "'\(reader.text(index))'" : "nothing"
            throw LogError(
              file: path, line: reader.line, column: name, "is \(text), not a finite number")
          }
          return value
        })
      lines.append(reader.line)
      guard rows.count <= mostRows else {
        throw LogError(file: path, line: reader.line, "has more than \(mostRows) rows")
      }
    }
    try marks.check(file: path, header: header)
  }
}
