// SPDX-License-Identifier: Apache-2.0
// The table of a file: one row a tensor, with its name, its shape, and what its numbers may be. The same rows write a
// file and read it, so that a number that is written is one that is checked, and nothing is read that no row names:
//
//   mutating func rows(_ table: inout TensorTable) throws(TensorFileError) {
//     try table.row("state_mean", &stateMean, [.count(states)], .physical)
//     try table.row("inputs", &inputs, [.free("points"), .count(features)])
//   }
//
// Rows come in the order in which they depend on one another: a shape may use what an earlier row has read.
// (Rejected: an array of key paths. Rows that some files have and others not, and shapes that depend on numbers, are
// plain Swift here.)

import SafeText

/// Writes or reads the tensors of a file, row by row.
package struct TensorTable {
  /// One dimension of a tensor.
  package enum Size: Sendable {
    case count(Int)
    /// Whatever the file has, from 1 to the most, but the same wherever the name stands.
    case free(String, most: Int = .max)
  }

  private enum Direction { case writing, reading, collecting }

  private let direction: Direction
  private let path: String
  private var tensors: [String: Tensor] = [:]
  private var sizes: [String: Int] = [:]

  /// Writes a file of these rows. Nothing is written, and no file replaced, where a number is not as its row wants it.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - metadata: the format's name, and what is not numbers.
  ///   - rows: of the table.
  /// - Throws: `TensorFileError`, also what `rows` throws.
  package static func write(
    to path: String, metadata: [String: String],
    rows: (inout TensorTable) throws(TensorFileError) -> Void
  ) throws(TensorFileError) {
    var table = TensorTable(direction: .writing, path: path)
    try rows(&table)
    try TensorFile(tensors: table.tensors, metadata: metadata).write(to: path)
  }

  /// Reads these rows from a file. Throws: `TensorFileError`, also what `rows` throws.
  ///
  /// - Parameters:
  ///   - file: its contents.
  ///   - path: of the file, for messages.
  ///   - rows: of the table.
  package static func read(
    _ file: TensorFile, path: String, rows: (inout TensorTable) throws(TensorFileError) -> Void
  ) throws(TensorFileError) {
    var table = TensorTable(direction: .reading, path: path)
    table.tensors = file.tensors
    try rows(&table)
    if let name = table.tensors.keys.min() {
      throw TensorFileError(
        path: path, "is damaged: it has a tensor '\(shortened(name))' that does not belong to it")
    }
  }

  /// The tensors that would be written, unchecked.
  package static func tensors(
    rows: (inout TensorTable) throws(TensorFileError) -> Void
  ) -> [String: Tensor] {
    var table = TensorTable(direction: .collecting, path: "")
    // Nothing throws while nothing is checked.
    try? rows(&table)
    return table.tensors
  }

  private init(direction: Direction, path: String) {
    (self.direction, self.path) = (direction, path)
  }

  /// A row of many numbers.
  ///
  /// - Parameters:
  ///   - name: of the tensor.
  ///   - values: row-major; written, or set to what is read.
  ///   - shape: of the tensor.
  ///   - allowed: what each number may be.
  /// - Throws: `TensorFileError` where the tensor is missing, of another shape, or has a number that is not allowed.
  package mutating func row(
    _ name: String, _ values: inout [Double], _ shape: [Size], _ allowed: AllowedNumbers = .finite
  ) throws(TensorFileError) {
    switch direction {
    case .collecting: tensors[name] = Tensor(values)
    case .writing:
      let found = try resolved(shape, count: values.count, name)
      try check(values, found, name, allowed)
      tensors[name] = Tensor(shape: found, values: values)
    case .reading:
      guard let tensor = tensors.removeValue(forKey: name) else {
        throw problem("it has no tensor '\(name)'")
      }
      try bind(shape, to: tensor.shape, name)
      try check(tensor.values, tensor.shape, name, allowed)
      values = tensor.values
    }
  }

  /// A row of one number.
  package mutating func row(
    _ name: String, _ value: inout Double, _ allowed: AllowedNumbers = .finite
  ) throws(TensorFileError) {
    var values = [value]
    try row(name, &values, [.count(1)], allowed)
    value = values[0]
  }

  /// A row of one whole number.
  package mutating func row(
    _ name: String, _ value: inout Int, _ range: ClosedRange<Int>
  ) throws(TensorFileError) {
    // Beyond 2^53 a Double skips whole numbers.
    let upper = min(range.upperBound, 1 << 53)
    var number = Double(value)
    let bounds = Double(range.lowerBound)...Double(max(upper, range.lowerBound))
    try row(
      name, &number,
      AllowedNumbers("whole numbers from \(range.lowerBound) to \(upper)") { value, _ in
        bounds.contains(value) && value == value.rounded()
      })
    if direction == .reading { value = Int(number) }
  }

  /// A row of yes (1) or no (0).
  package mutating func row(_ name: String, _ value: inout Bool) throws(TensorFileError) {
    var number = value ? 1 : 0
    try row(name, &number, 0...1)
    value = number == 1
  }

  /// The shape of an array that is written. One dimension may be free for the first time; it follows from the count.
  private mutating func resolved(
    _ shape: [Size], count: Int, _ name: String
  ) throws(TensorFileError) -> [Int] {
    var rest = 1
    for size in shape { rest *= known(size) ?? 1 }
    let free = rest == 0 ? 0 : count / rest
    let found = shape.map { known($0) ?? free }
    guard found.reduce(1, *) == count else {
      throw problem("\(name) has \(count) numbers, not \(words(shape))")
    }
    try bind(shape, to: found, name)
    return found
  }

  private func known(_ size: Size) -> Int? {
    switch size {
    case .count(let count): count
    case .free(let name, _): sizes[name]
    }
  }

  private mutating func bind(
    _ shape: [Size], to found: [Int], _ name: String
  ) throws(TensorFileError) {
    let isRight =
      shape.count == found.count
      && zip(shape, found).allSatisfy { size, count in
        if let known = known(size) { return known == count }
        if case .free(_, let most) = size { return (1...most).contains(count) }
        return false
      }
    guard isRight else {
      throw problem("\(name) has the shape \(found); \(words(shape)) is expected")
    }
    for case (.free(let free, _), let count) in zip(shape, found) { sizes[free] = count }
  }

  private func check(
    _ values: [Double], _ shape: [Int], _ name: String, _ allowed: AllowedNumbers
  ) throws(TensorFileError) {
    for (index, value) in values.enumerated() where !allowed.holds(value, index) {
      var (rest, place) = (index, [Int]())
      for size in shape.reversed() {
        place.insert(rest % size, at: 0)
        rest /= size
      }
      let at = shape == [1] ? "" : "\(place)"
      throw problem("\(name)\(at) is \(value); \(allowed.words) are expected")
    }
  }

  private func words(_ shape: [Size]) -> String {
    let words = shape.map { size in
      switch size {
      case .count(let count): "\(count)"
      case .free(let name, let most):
        sizes[name].map { "\($0) \(name)" } ?? (most < .max ? "\(name), at most \(most)" : name)
      }
    }
    return "[\(words.joined(separator: ", "))]"
  }

  private func problem(_ words: String) -> TensorFileError {
    TensorFileError(
      path: path, (direction == .writing ? "cannot be written: " : "is damaged: ") + words,
      isWriting: direction == .writing)
  }
}
