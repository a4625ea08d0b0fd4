// SPDX-License-Identifier: Apache-2.0
// A controller as an ONNX model (operator set 13, double precision): one node an instruction. Inputs "state" [N, S + W] (states, and
// after them the disturbances that it sees), "goal" [N, G] if the policy takes one, "past" [N, K A] if it remembers actions, all in
// physical units, "memory" [N, M] if it remembers more; outputs "action" [N, A] and "next_memory" [N, M], which is the next step's. Derived rates are not in it: the caller feeds states. Messages are swift-protobuf's, made
// from Protobuf/onnx.proto.

import Foundation
import Programs
import SafeText

extension ExportedController {
  /// The serialised ModelProto. Throws: `CannotExport`.
  func onnxModel() throws -> Data {
    var graph = ONNXGraph(self)
    for (index, instruction) in program.instructions.enumerated() {
      try graph.add(instruction, index)
    }
    for output in program.outputs {
      graph.node("Identity", ["v\(output.value.index)"], output.name)
    }
    var model = Onnx_ModelProto()
    model.irVersion = 8
    model.producerName = "bagel"
    model.docString = printable(
      "Controller '\(name)': \(list(layout.states)) -> \(list(layout.actions))")
    var operators = Onnx_OperatorSetIdProto()
    operators.version = 13
    model.opsetImport = [operators]
    model.graph = graph.graph
    var facts = [
      "task": name, "states": list(layout.states), "actions": list(layout.actions),
      "time_step_seconds": "\(layout.timeStep)",
    ]
    if policy.memoryLength > 0 { facts["memory_before_the_first_step"] = "\(policy.memoryStart)" }
    model.metadataProps = facts.sorted { $0.key < $1.key }.map { key, value in
      var entry = Onnx_StringStringEntryProto()
      (entry.key, entry.value) = (key, printable(value))
      return entry
    }
    return try model.serializedData()
  }
}

/// The graph under construction. Values that depend on no input have one row and broadcast.
private struct ONNXGraph {
  var graph = Onnx_GraphProto()
  private let export: ExportedController
  /// Instructions with a row for each of the batch.
  private var isBatched: Set<Int> = []

  /// onnx.TensorProto.DataType
  private static let double: Int32 = 11
  private static let int64: Int32 = 7

  init(_ export: ExportedController) {
    self.export = export
    graph.name = "controller"
    for (name, length) in export.program.inputs.sorted(by: { $0.key > $1.key }) {
      graph.input.append(Self.value(name, length))
    }
    graph.output.append(Self.value("action", export.policy.actionLength))
    if export.policy.memoryLength > 0 {
      graph.output.append(Self.value("next_memory", export.policy.memoryLength))
    }
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

  /// Adds a constant tensor and returns its name.
  private mutating func constant(_ name: String, _ shape: [Int], _ values: [Double]) -> String {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dataType, tensor.doubleData) = (name, Self.double, values)
    tensor.dims = shape.map(Int64.init)
    graph.initializer.append(tensor)
    return name
  }

  private mutating func integer(_ name: String, _ value: Int) -> String {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dataType, tensor.int64Data) = (name, Self.int64, [Int64(value)])
    tensor.dims = [1]
    graph.initializer.append(tensor)
    return name
  }

  /// Throws: `CannotExport`.
  mutating func add(_ instruction: Instruction, _ index: Int) throws {
    let (name, n) = ("v\(index)", instruction.length)
    func v(_ id: ValueID) -> String { "v\(id.index)" }
    if instruction.operation.operands.contains(where: { isBatched.contains($0.index) }) {
      isBatched.insert(index)
    }
    switch instruction.operation {
    case .input(let input):
      isBatched.insert(index)
      node("Identity", [input], name)
    case .constant(let values): _ = constant(name, [1, n], values)
    case .shared(let slice):
      _ = constant(
        name, [1, n], export.values(slice.array, offset: slice.offset, count: n))
    case .unary(let function, let a):
      guard let word = function.row.onnx else { throw CannotExport(instruction.operation, "ONNX") }
      node(word, [v(a)], name)
    case .binary(let function, let a, let b):
      guard let word = function.row.onnx else { throw CannotExport(instruction.operation, "ONNX") }
      node(word, [v(a), v(b)], name)
    case .select(let condition, let a, let b):
      let zero = constant(name + "_zero", [1, 1], [0])
      node("GreaterOrEqual", [v(condition), zero], name + "_is")
      node("Where", [name + "_is", v(a), v(b)], name)
    case .slice(let a, let start):
      let bounds = [
        integer(name + "_from", start), integer(name + "_to", start + n),
        integer(name + "_axis", 1),
      ]
      node("Slice", [v(a)] + bounds, name)
    case .broadcast(let a):
      let ones = constant(name + "_ones", [1, n], Array(repeating: 1, count: n))
      node("Mul", [v(a), ones], name)
    case .concatenate(let parts): concatenate(parts, name)
    case .sum(let a): reduce(v(a), name)
    case .dot(let a, let b):
      node("Mul", [v(a), v(b)], name + "_products")
      reduce(name + "_products", name)
    case .affine(let weights, let bias, let a): affine(name, weights, bias, v(a))
    case .transposedProduct(let weights, let a):
      node("MatMul", [v(a), matrix(name + "_w", weights)], name)
    case .normal, .matrixVector, .transposedMatrixVector, .apply, .jacobian:
      throw CannotExport(instruction.operation, "ONNX")
    }
  }

  private mutating func matrix(_ name: String, _ weights: SharedMatrix) -> String {
    let count = weights.rows * weights.columns
    return constant(
      name, [weights.rows, weights.columns],
      export.values(weights.array, offset: weights.offset, count: count))
  }

  /// x W^T + b
  private mutating func affine(
    _ name: String, _ weights: SharedMatrix, _ bias: SharedSlice?, _ x: String
  ) {
    var inputs = [x, matrix(name + "_w", weights)]
    if let bias {
      let values = export.values(bias.array, offset: bias.offset, count: weights.rows)
      inputs.append(constant(name + "_b", [weights.rows], values))
    }
    node("Gemm", inputs, name, integers: ["transB": 1])
  }

  private mutating func reduce(_ operand: String, _ name: String) {
    node("ReduceSum", [operand, integer(name + "_axis", 1)], name, integers: ["keepdims": 1])
  }

  /// Parts with one row get as many as the batch by adding zero times an element of one that has them.
  private mutating func concatenate(_ parts: [ValueID], _ name: String) {
    guard let batched = parts.first(where: { isBatched.contains($0.index) }),
      parts.contains(where: { !isBatched.contains($0.index) })
    else { return node("Concat", parts.map { "v\($0.index)" }, name, integers: ["axis": 1]) }
    reduce("v\(batched.index)", name + "_rows")
    let zero = constant(name + "_zero", [1, 1], [0])
    node("Mul", [name + "_rows", zero], name + "_zeros")
    let inputs = parts.map { part -> String in
      guard !isBatched.contains(part.index) else { return "v\(part.index)" }
      node("Add", ["v\(part.index)", name + "_zeros"], "\(name)_v\(part.index)")
      return "\(name)_v\(part.index)"
    }
    node("Concat", inputs, name, integers: ["axis": 1])
  }
}
