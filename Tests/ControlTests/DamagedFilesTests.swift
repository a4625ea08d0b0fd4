// SPDX-License-Identifier: Apache-2.0
// Damaged files of models, policies and searches: each tensor and each word of the header in turn, then bytes at random. Each
// file gives something that works or an error that names it. A crash ends the test's process.

import Bagel
import Foundation
import MachineLogs
import TensorFiles
import TestSupport
import Testing

@Suite("damaged files")
struct DamagedFilesTests {
  /// The error of reading a file, nil where it could be used; its words name the file.
  private func refusal(_ kind: FileKind, _ path: String) -> String? {
    do {
      try kind.use(path)
      return nil
    } catch {
      #expect(error is TensorFileError, "\(kind.name): \(error)")
      let words = "\(error)"
      #expect(words.contains(path), "\(kind.name): \(words)")
      return words
    }
  }

  @Test(
    "each tensor: wrong lengths and shapes, numbers that are none or too large, missing, one too many"
  )
  func tensors() throws {
    var count = 0
    for kind in try SmallFiles.kinds() {
      let path = Scratch.path("\(kind.name).safetensors")
      try kind.write(path)
      let sound = try TensorFile(path: path)
      #expect(refusal(kind, path) == nil)
      /// Whether the file with this tensor in place of its own is refused.
      func refuses(_ name: String, _ tensor: Tensor?, _ what: String) throws {
        var file = sound
        file.tensors[name] = tensor
        try file.write(to: path)
        count += 1
        let words = refusal(kind, path)
        #expect(words != nil, "\(kind.name): \(name) \(what) is taken")
        // Of two tensors with different numbers of rows, the second one is named.
        let isNamed = words?.contains(name) == true || words?.contains("has the shape") == true
        #expect(isNamed, "\(kind.name): \(words ?? "") for \(name)")
      }
      for (name, tensor) in sound.tensors {
        let values = tensor.values
        try refuses(name, nil, "missing")
        try refuses(name, Tensor([]), "empty")
        try refuses(name, Tensor(shape: tensor.shape + [1], values: values), "of more dimensions")
        try refuses(name, Tensor(shape: [], values: [values[0]]), "as a scalar")
        var shape = tensor.shape
        shape[0] += 1
        let row = values.prefix(shape.dropFirst().reduce(1, *))
        if name != "logged_states" {
          try refuses(name, Tensor(shape: shape, values: values + row), "one row longer")
        }
        if tensor.shape.count == 2, tensor.shape[0] != tensor.shape[1] {
          try refuses(name, Tensor(shape: tensor.shape.reversed(), values: values), "turned")
        }
        for index in Set([0, values.count / 2, values.count - 1]) {
          for bad in [Double.nan, .infinity, 1e300, -1e300] {
            var changed = values
            changed[index] = bad
            let isPossible =
              name == "action_largest_change" && bad == .infinity
              || bad.isFinite && kind.takesAnyNumber.contains(name)
            if isPossible {
              var file = sound
              file.tensors[name] = Tensor(shape: tensor.shape, values: changed)
              try file.write(to: path)
              _ = refusal(kind, path)
            } else {
              try refuses(name, Tensor(shape: tensor.shape, values: changed), "with \(bad)")
            }
          }
        }
        if name.hasSuffix("_scale") || name.hasSuffix("_bandwidth") || name.hasSuffix("_squares") {
          try refuses(name, Tensor(shape: tensor.shape, values: values.map { _ in -1 }), "negative")
        }
      }
      try refuses("unheard_of", Tensor([1]), "which belongs to nothing")
    }
    print("\(count) files with a damaged tensor")
    #expect(count > 700)
  }

  @Test("each word of the structure: deleted, or of another type or size")
  func structures() throws {
    var (count, taken) = (0, 0)
    for kind in try SmallFiles.kinds().dropLast() {
      let path = Scratch.path("\(kind.name).safetensors")
      try kind.write(path)
      let sound = try TensorFile(path: path)
      let text = try #require(sound.metadata["structure"])
      let root = try JSONSerialization.jsonObject(with: Data(text.utf8))
      // nil: deleted.
      let values: [Any?] = [
        nil, NSNull(), "", "x", -1, 0, 1.5, 7, 1_000_000_000, 1e300, true, [Any](), [String: Any](),
        ["angle", "angle"], [-1], [1_000_000],
      ]
      for place in places(root) {
        for value in values {
          guard let changed = replacing(root, place[...], value) as? [String: Any] else { continue }
          var file = sound
          let json = try JSONSerialization.data(withJSONObject: changed)
          file.metadata["structure"] = String(decoding: json, as: UTF8.self)
          try file.write(to: path)
          count += 1
          if refusal(kind, path) == nil { taken += 1 }
        }
      }
      for text in [
        "", "{}", "[]", "{", text + "x", "{\"task\":1,\"task\":2}",
        text.replacingOccurrences(of: ":", with: ""),
        String(repeating: "[", count: 100_000), "{\"a\":" + String(repeating: "[", count: 100_000),
      ] {
        var file = sound
        file.metadata["structure"] = text
        try file.write(to: path)
        #expect(refusal(kind, path)?.contains("structure") == true, "\(text.prefix(40))")
      }
      for key in ["format", "structure"] {
        var file = sound
        file.metadata[key] = nil
        try file.write(to: path)
        #expect(refusal(kind, path) != nil)
      }
    }
    // Units, a plant, a file's columns: words that nothing else in the file depends on.
    print("\(count) files with a changed structure, \(taken) of them can be used")
    #expect(count > 1_000 && taken < count / 5)
  }

  @Test("bytes at random: flipped, cut off, inserted, overwritten", arguments: 0..<3)
  func bytes(_ number: Int) throws {
    let kind = try SmallFiles.kinds()[number]
    let path = Scratch.path("\(kind.name).safetensors")
    try kind.write(path)
    let sound = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let header = 8 + sound[0..<8].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    var numbers = SeededGenerator(seed: UInt64(number))
    var taken = 0
    for round in 0..<500 {
      var bytes = sound
      // Half of them in the header, where one byte means more.
      let place = Int.random(in: 0..<(round % 2 == 0 ? header : bytes.count), using: &numbers)
      switch round % 5 {
      case 0, 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
      case 2: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
      case 3:
        bytes.removeSubrange(
          place..<min(place + Int.random(in: 1...20, using: &numbers), bytes.count))
      default:
        bytes.insert(contentsOf: sound.prefix(Int.random(in: 1...20, using: &numbers)), at: place)
      }
      if round % 25 == 0 { bytes = Array(bytes.prefix(place)) }
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      if refusal(kind, path) == nil { taken += 1 }
    }
    print(
      "\(kind.name): 500 files with damaged bytes (seed \(number)), \(taken) of them can be used")
    #expect(taken < 400)
  }
}

/// A step into JSON: a key or an index.
private enum Step {
  case key(String)
  case index(Int)
}

/// The places of all values within JSON.
private func places(_ value: Any) -> [[Step]] {
  if let object = value as? [String: Any] {
    return object.keys.sorted().flatMap { key in
      [[.key(key)]] + places(object[key] ?? NSNull()).map { [.key(key)] + $0 }
    }
  }
  guard let list = value as? [Any] else { return [] }
  return list.indices.flatMap { index in
    [[.index(index)]] + places(list[index]).map { [.index(index)] + $0 }
  }
}

/// JSON with the value at a place replaced, or removed.
private func replacing(_ root: Any, _ place: ArraySlice<Step>, _ value: Any?) -> Any? {
  guard let step = place.first else { return value }
  switch step {
  case .key(let key):
    var object = root as? [String: Any] ?? [:]
    object[key] = replacing(object[key] ?? NSNull(), place.dropFirst(), value)
    return object
  case .index(let index):
    var list = root as? [Any] ?? []
    if let new = replacing(list[index], place.dropFirst(), value) {
      list[index] = new
    } else {
      list.remove(at: index)
    }
    return list
  }
}
