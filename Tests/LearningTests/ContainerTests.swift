// SPDX-License-Identifier: Apache-2.0
// The container of .safetensors files: what other writers make is read, and what breaks the format's rules is refused
// with the file and the reason, before memory is taken for it.

import Bagel
import Foundation
import TensorFiles
import TestSupport
import Testing

/// A file of a header and so many bytes of data; `length` in place of the header's own.
private func file(_ header: String, data: Int = 0, length: UInt64? = nil) throws -> String {
  let path = Scratch.path("container.safetensors")
  var bytes = Data()
  withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) {
    bytes.append(contentsOf: $0)
  }
  bytes.append(Data(header.utf8))
  bytes.append(Data(count: data))
  try bytes.write(to: URL(fileURLWithPath: path))
  return path
}

/// Why a file is refused, or "read".
private func problem(_ path: String) -> String {
  do {
    _ = try TensorFile(path: path)
    return "read"
  } catch {
    #expect(error.path == path && !error.isWriting)
    return error.problem
  }
}

private func entry(
  _ name: String, _ offsets: String, shape: String = "[1]", type: String = "F64"
) -> String {
  "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
}

@Suite("the safetensors container")
struct ContainerTests {
  @Test(
    "what other writers make is read: any order, blanks after the header, F32, scalars, empty tensors"
  )
  func foreign() throws {
    let header =
      "{ \"__metadata__\":{\"a\":\"b\"}, "
      + [
        entry("z", "[0,8]", shape: "[]"), entry("b", "[16,24]"),
        entry("a", "[8,16]", shape: "[2,1]", type: "F32"),
        entry("empty", "[16,16]", shape: "[0,3]"),
      ].joined(separator: " ,\n") + "}      "
    let read = try TensorFile(path: try file(header, data: 24))
    #expect(read.metadata == ["a": "b"] && read.tensors.count == 4)
    #expect(read.tensors["z"]?.shape == [] && read.tensors["a"]?.shape == [2, 1])
    #expect(read.tensors["a"]?.values == [0, 0] && read.tensors["empty"]?.values == [])
  }

  @Test("a number or a word that was changed after the file was written is found")
  func checksum() throws {
    let path = Scratch.path("kept.safetensors")
    let kept = TensorFile(
      tensors: ["a": Tensor([1, 2, 3]), "b": Tensor([0.5])], metadata: ["task": "boom 0.05"])
    try kept.write(to: path)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try TensorFile(path: path).metadata == kept.metadata)
    #expect(bytes.range(of: Data("crc32".utf8)) != nil)
    #expect(try kept.serialized(hasChecksum: false).range(of: Data("crc32".utf8)) == nil)
    let header = try #require(bytes.range(of: Data("0.05".utf8)))
    for place in [header.lowerBound, bytes.count - 1, bytes.count - 20, bytes.count - 32] {
      var changed = bytes
      changed[place] ^= 1
      try changed.write(to: URL(fileURLWithPath: path))
      #expect(problem(path).contains("was changed after it was written"), "byte \(place)")
    }
  }

  @Test("lengths and the header's text")
  func headers() throws {
    #expect(problem(try file("", length: 0)).contains("is not a JSON object"))
    #expect(problem(try file("{}", length: 3)).contains("cut off"))
    #expect(problem(try file("{}", length: .max)).contains("cut off"))
    #expect(problem(try file("[1]")).contains("is not a JSON object"))
    #expect(problem(try file(" {}")).contains("is not a JSON object"))
    #expect(problem(try file("{\"a\":")).contains("is not JSON"))
    #expect(problem(try file("{\"a")).contains("cut off within a string"))
    #expect(problem(try file("{\"a\":1}")).contains("has the wrong type at 'a'"))
    #expect(problem(try file("{\"a\":{}}")).contains("lacks an entry at 'a.dtype'"))
    #expect(problem(try file("{\"__metadata__\":{\"a\":1}}")).contains("__metadata__.a"))
    #expect(problem(try file("{}\0\0")).contains("is not UTF-8"))
    #expect(problem(try file("{} {}")).contains("is not JSON"))
    let short = Scratch.path("short")
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: short))
    #expect(problem(short).contains("is not a safetensors file"))
    #expect(problem(try file("{}")) == "read")
  }

  @Test("a name that stands twice is refused, however it is spelt, and so is deep nesting")
  func namesAndDepth() throws {
    let twice = "{\(entry("a", "[0,8]")),\(entry("\\u0061", "[8,16]"))}"
    #expect(problem(try file(twice, data: 16)).contains("has the name 'a' twice"))
    let metadata = "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"
    #expect(problem(try file(metadata)).contains("has the name 'k' twice"))
    // The same name in two objects is another matter, and a string is no nesting.
    let sound = "{\"__metadata__\":{\"dtype\":\"{[{[,\\\"a\\\":\"},\(entry("dtype", "[0,8]"))}"
    #expect(problem(try file(sound, data: 8)) == "read")
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
      let bomb =
        "{\"a\":" + String(repeating: open, count: 100_000) + "1"
        + String(repeating: close, count: 100_000) + "}"
      #expect(problem(try file(bomb)).contains("nested in more than 64 levels"))
    }
  }

  @Test("tensors cover the data once, from the first byte to the last")
  func layout() throws {
    func problem(_ entries: [String], data: Int) throws -> String {
      ContainerTests.reason(try file("{" + entries.joined(separator: ",") + "}", data: data))
    }
    let (a, b) = (entry("a", "[0,8]"), entry("b", "[8,16]"))
    #expect(try problem([b, a], data: 16) == "read")
    #expect(try problem([a, b], data: 15).contains("it is cut off: 15 bytes of data, but 16"))
    #expect(try problem([a, b], data: 20).contains("4 bytes follow its last tensor"))
    #expect(
      try problem([a, entry("b", "[4,12]")], data: 12).contains("tensor 'b' begins at byte 4"))
    #expect(try problem([a, entry("b", "[0,8]")], data: 8).contains("tensor 'b' begins at byte 0"))
    #expect(try problem([a, entry("b", "[12,20]")], data: 20).contains("the one before ends at 8"))
    for offsets in ["[8,0]", "[-8,0]", "[0]", "[0,8,16]", "[0,16]", "[0,\(Int.max)]"] {
      #expect(try problem([entry("a", offsets)], data: 8).contains("has the offsets"), "\(offsets)")
    }
    for shape in ["[-1]", "[-1,-1]", "[4294967296,4294967296]", "[\(Int.max)]"] {
      let found = try problem([entry("a", "[0,8]", shape: shape)], data: 8)
      #expect(found.contains("impossible shape"), "\(shape): \(found)")
    }
    for shape in ["1", "[1.5]", "[true]", "[\"1\"]", "null", "[1e30]"] {
      let found = try problem([entry("a", "[0,8]", shape: shape)], data: 8)
      #expect(found.contains("is not a safetensors file"), "\(shape): \(found)")
    }
    let many = entry("a", "[0,8]", shape: "[1,1,1,1,1,1,1,1,1]")
    #expect(try problem([many], data: 8).contains("has 9 dimensions"))
    #expect(try problem([entry("a", "[0,8]", type: "I64")], data: 8).contains("the type I64"))
  }

  private static func reason(_ path: String) -> String { problem(path) }

  // The limit ends a read of the pipe, which would last for ever; other tests may hold all threads for minutes.
  @Test(
    "what is no regular file, or too large, is refused without reading it", .timeLimit(.minutes(20))
  )
  func files() throws {
    let folder = try Scratch.folder()
    #expect(problem(folder).contains("is not a regular file"))
    let pipe = folder + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(problem(pipe).contains("is not a regular file"))
    #expect(problem("/dev/zero").contains("is not a regular file"))
    #expect(problem(folder + "/none").contains("No such file"))
    // Sparse: nothing of it is on the disk.
    let large = folder + "/large"
    try Data().write(to: URL(fileURLWithPath: large))
    #expect(truncate(large, 1 << 40) == 0)
    #expect(
      problem(large).contains("has 1099511627776 bytes; files of at most 268435456 are read"))
    let header = try file("{}", data: 20_000_000, length: 15_000_000)
    #expect(problem(header).contains("has a header of 15000000 bytes"))
  }
}
