// SPDX-License-Identifier: Apache-2.0
// A program as an ONNX graph (operator set 13, double precision): one node per instruction. A value is [N, length] for a batch of N, or
// [1, length] where it depends on no input. Inside sums over data (ONNXSums.swift) a value has an axis for their rows before its
// last one. Messages are swift-protobuf's, made from Protobuf/onnx.proto.

import Foundation
import Programs
import SafeText

/// The graph under construction.
struct ONNXGraph {
  private(set) var graph = Onnx_GraphProto()
  /// Values of shared arrays.
  let arrays: [String: [Double]]
  private var initializers: Set<String> = []

  /// onnx.TensorProto.DataType
  private static let double: Int32 = 11
  private static let int64: Int32 = 7

  init(_ name: String, arrays: [String: [Double]]) {
    self.arrays = arrays
    graph.name = name
  }

  /// Adds a program: its inputs and outputs become the graph's, in this order.
  ///
  /// Throws: `CannotExport`.
  mutating func add(_ program: Program, inputs: [String], outputs: [String]) throws {
    graph.input += inputs.map { Self.value($0, program.inputs[$0] ?? 0) }
    var scope = ONNXScope(prefix: "v", axes: [.batch])
    for (index, instruction) in program.instructions.enumerated() {
      try scope.add(instruction, index, to: &self)
    }
    for name in outputs {
      let result = program.output(name)
      graph.output.append(Self.value(name, program[result].length))
      node("Identity", [scope.full(scope.name(result), of: result, in: &self)], name)
    }
  }

  /// The serialised ModelProto.
  ///
  /// - Parameters:
  ///   - words: what it is, for people.
  ///   - facts: metadata.
  func serialized(_ words: String, _ facts: [String: String]) throws -> Data {
    var model = Onnx_ModelProto()
    model.irVersion = 8
    model.producerName = "bagel"
    model.docString = printable(words)
    var operators = Onnx_OperatorSetIdProto()
    operators.version = 13
    model.opsetImport = [operators]
    model.graph = graph
    model.metadataProps = facts.sorted { $0.key < $1.key }.map { key, value in
      var entry = Onnx_StringStringEntryProto()
      (entry.key, entry.value) = (key, printable(value))
      return entry
    }
    return try model.serializedData()
  }

  private static func value(_ name: String, _ length: Int) -> Onnx_ValueInfoProto {
    var (batch, columns) = (Onnx_TensorShapeProto.Dimension(), Onnx_TensorShapeProto.Dimension())
    batch.dimParam = "N"
    columns.dimValue = Int64(length)
    var value = Onnx_ValueInfoProto()
    value.name = name
    value.type.tensorType.elemType = double
    value.type.tensorType.shape.dim = [batch, columns]
    return value
  }

  mutating func node(
    _ type: String, _ inputs: [String], _ output: String, integers: [String: Int] = [:]
  ) {
    var node = Onnx_NodeProto()
    (node.opType, node.input, node.output, node.name) = (type, inputs, [output], output)
    node.attribute = integers.sorted { $0.key < $1.key }.map { name, value in
      var attribute = Onnx_AttributeProto()
      (attribute.name, attribute.i, attribute.type) = (name, Int64(value), .int)
      return attribute
    }
    graph.node.append(node)
  }

  /// Adds a constant tensor, unless one of that name is there, and returns its name.
  mutating func constant(_ name: String, _ shape: [Int], _ values: [Double]) -> String {
    guard initializers.insert(name).inserted else { return name }
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dataType, tensor.doubleData) = (name, Self.double, values)
    tensor.dims = shape.map(Int64.init)
    graph.initializer.append(tensor)
    return name
  }

  /// The same of whole numbers: axes, bounds, shapes.
  mutating func integers(_ name: String, _ values: [Int]) -> String {
    guard initializers.insert(name).inserted else { return name }
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dataType, tensor.int64Data) = (name, Self.int64, values.map(Int64.init))
    tensor.dims = [Int64(values.count)]
    graph.initializer.append(tensor)
    return name
  }

  /// Numbers of a shared array.
  func values(_ array: String, offset: Int, count: Int) -> [Double] {
    Array((arrays[array] ?? [])[offset..<offset + count])
  }

  /// A shared matrix as it stands, or transposed, as a constant.
  mutating func matrix(_ name: String, _ matrix: SharedMatrix, transposed: Bool = false) -> String {
    let all = values(matrix.array, offset: matrix.offset, count: matrix.rows * matrix.columns)
    if !transposed { return constant(name, [matrix.rows, matrix.columns], all) }
    let turned = (0..<matrix.columns).flatMap { j in
      (0..<matrix.rows).map { all[$0 * matrix.columns + j] }
    }
    return constant(name, [matrix.columns, matrix.rows], turned)
  }

  /// The sum over the last axis, which stays with length 1.
  mutating func reduce(_ operand: String, _ name: String) {
    node("ReduceSum", [operand, integers(name + "_axis", [-1])], name, integers: ["keepdims": 1])
  }
}

/// Instructions of one program among the graph's.
struct ONNXScope {
  /// Axes before the last.
  enum Axis: Hashable { case batch, rows }

  /// Of the names of its values.
  let prefix: String
  /// That values may have.
  let axes: [Axis]
  /// What stands for inputs that are not the graph's: their names, and the axes along which they are long.
  var given: [String: (name: String, long: Set<Axis>)] = [:]
  /// Of each value, the axes along which it is long; along others it has length 1 and broadcasts.
  private(set) var long: [Set<Axis>] = []
  private var lengths: [Int] = []

  init(prefix: String, axes: [Axis]) { (self.prefix, self.axes) = (prefix, axes) }

  func name(_ id: ValueID) -> String { "\(prefix)\(id.index)" }

  /// [1, ..., n]
  private func shape(_ n: Int) -> [Int] { axes.map { _ in 1 } + [n] }

  /// Throws: `CannotExport`.
  mutating func add(
    _ instruction: Instruction, _ index: Int, to graph: inout ONNXGraph
  ) throws {
    let (name, n) = ("\(prefix)\(index)", instruction.length)
    func v(_ id: ValueID) -> String { self.name(id) }
    switch instruction.operation {
    // Their nodes take rows of the batch alone.
    case .affine, .matrixVector, .transposedMatrixVector:
      guard axes == [.batch] else { throw CannotExport(instruction.operation, "ONNX") }
    case .input, .constant, .shared, .normal, .unary, .binary, .select, .concatenate, .slice,
      .broadcast, .sum, .dot, .transposedProduct, .apply, .jacobian:
      break
    }
    lengths.append(n)
    long.append(instruction.operation.operands.reduce(into: []) { $0.formUnion(long[$1.index]) })
    switch instruction.operation {
    case .input(let input):
      let source = given[input] ?? (input, [.batch])
      long[index] = source.long
      graph.node("Identity", [source.name], name)
    case .constant(let values): _ = graph.constant(name, shape(n), values)
    case .shared(let slice):
      let values = graph.values(slice.array, offset: slice.offset, count: n)
      _ = graph.constant(name, shape(n), values)
    case .unary(let function, let a):
      guard let word = function.row.onnx else { throw CannotExport(instruction.operation, "ONNX") }
      graph.node(word, [v(a)], name)
    case .binary(let function, let a, let b):
      guard let word = function.row.onnx else { throw CannotExport(instruction.operation, "ONNX") }
      graph.node(word, [v(a), v(b)], name)
    case .select(let condition, let a, let b):
      let zero = graph.constant(name + "_zero", shape(1), [0])
      graph.node("GreaterOrEqual", [v(condition), zero], name + "_is")
      graph.node("Where", [name + "_is", v(a), v(b)], name)
    case .slice(let a, let start):
      let bounds = [
        graph.integers(name + "_from", [start]), graph.integers(name + "_to", [start + n]),
        graph.integers(name + "_axis", [-1]),
      ]
      graph.node("Slice", [v(a)] + bounds, name)
    case .broadcast(let a):
      let ones = graph.constant(name + "_ones", shape(n), Array(repeating: 1, count: n))
      graph.node("Mul", [v(a), ones], name)
    case .concatenate(let parts): concatenate(parts, name, long[index], &graph)
    case .sum(let a): graph.reduce(v(a), name)
    case .dot(let a, let b):
      graph.node("Mul", [v(a), v(b)], name + "_products")
      graph.reduce(name + "_products", name)
    case .affine(let weights, let bias, let a): affine(name, weights, bias, v(a), &graph)
    case .transposedProduct(let weights, let a):
      graph.node("MatMul", [v(a), graph.matrix(name + "_w", weights)], name)
    case .matrixVector(let m, let a):
      graph.node(
        "Reshape", [v(m), graph.integers(name + "_shape", [0, n, lengths[a.index]])], name + "_m")
      let axis = graph.integers(name + "_axis", [2])
      graph.node("Unsqueeze", [v(a), axis], name + "_a")
      graph.node("MatMul", [name + "_m", name + "_a"], name + "_p")
      graph.node("Squeeze", [name + "_p", axis], name)
    case .transposedMatrixVector(let m, let a):
      graph.node(
        "Reshape", [v(m), graph.integers(name + "_shape", [0, lengths[a.index], n])], name + "_m")
      let axis = graph.integers(name + "_axis", [1])
      graph.node("Unsqueeze", [v(a), axis], name + "_a")
      graph.node("MatMul", [name + "_a", name + "_m"], name + "_p")
      graph.node("Squeeze", [name + "_p", axis], name)
    case .apply(.weightedSum(let sum), let a):
      long[index] = [.batch]
      try ONNXSum(sum, name: name).value(
        at: full(v(a), of: a, in: &graph), in: &graph)
    case .jacobian(.weightedSum(let sum), let a):
      long[index] = [.batch]
      try ONNXSum(sum, name: name).jacobian(
        at: full(v(a), of: a, in: &graph), in: &graph)
    case .normal, .apply, .jacobian: throw CannotExport(instruction.operation, "ONNX")
    }
  }

  /// x W^T + b
  private func affine(
    _ name: String, _ weights: SharedMatrix, _ bias: SharedSlice?, _ x: String,
    _ graph: inout ONNXGraph
  ) {
    var inputs = [x, graph.matrix(name + "_w", weights)]
    if let bias {
      let values = graph.values(bias.array, offset: bias.offset, count: weights.rows)
      inputs.append(graph.constant(name + "_b", [weights.rows], values))
    }
    graph.node("Gemm", inputs, name, integers: ["transB": 1])
  }

  /// A value as long along the axes as it can be: what depends on no input has a row for each of the batch.
  func full(_ name: String, of id: ValueID, in graph: inout ONNXGraph) -> String {
    guard long[id.index] != Set(axes), let source = long.firstIndex(of: Set(axes)) else {
      return name
    }
    return lengthened(name, by: [source], as: name + "_full", &graph)
  }

  /// A value plus zeros of others, along whose axes it becomes long.
  private func lengthened(
    _ name: String, by others: [Int], as result: String, _ graph: inout ONNXGraph
  ) -> String {
    let zero = graph.constant(result + "_zero", shape(1), [0])
    var value = name
    for (k, other) in others.enumerated() {
      let next = k == others.count - 1 ? result : "\(result)_\(k)"
      graph.reduce("\(prefix)\(other)", next + "_sum")
      graph.node("Mul", [next + "_sum", zero], next + "_zeros")
      graph.node("Add", [value, next + "_zeros"], next)
      value = next
    }
    return value
  }

  /// Parts of one value are equally long along the axes before the last.
  private func concatenate(
    _ parts: [ValueID], _ name: String, _ all: Set<Axis>, _ graph: inout ONNXGraph
  ) {
    let inputs = parts.enumerated().map { k, part -> String in
      let missing = all.subtracting(long[part.index])
      if missing.isEmpty { return self.name(part) }
      let others = missing.compactMap { axis in
        parts.first { long[$0.index].contains(axis) }?.index
      }
      return lengthened(self.name(part), by: others.sorted(), as: "\(name)_part\(k)", &graph)
    }
    graph.node("Concat", inputs, name, integers: ["axis": -1])
  }
}
