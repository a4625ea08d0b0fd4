// SPDX-License-Identifier: Apache-2.0
// Sums over a model's data (`WeightedSum`) in an ONNX graph: the summand g is [N, n, 1], for all rows Z [n, D] at once; y = g C, and
// ||g S||^2 after it. Jacobians are products of the same matrices with dg/dx [N, n, D].

import Programs

/// One sum at x [N, D].
struct ONNXSum {
  private let sum: WeightedSum
  /// Of the result.
  private let name: String

  init(_ sum: WeightedSum, name: String) { (self.sum, self.name) = (sum, name) }

  private var weighted: Int { sum.weights.columns }

  /// [N, outputs]. Throws: `CannotExport`.
  func value(at x: String, in graph: inout ONNXGraph) throws {
    let g = try summands(x, &graph)
    var parts: [String] = []
    if weighted > 0 {
      parts.append(name + "_y")
      graph.node("MatMul", [g, graph.matrix(data(sum.weights), sum.weights)], name + "_y")
    }
    if let root = sum.squared {
      graph.node("MatMul", [g, graph.matrix(data(root), root)], name + "_z")
      graph.node("Mul", [name + "_z", name + "_z"], name + "_squares")
      graph.reduce(name + "_squares", name + "_square")
      parts.append(name + "_square")
    }
    graph.node("Concat", parts, name, integers: ["axis": 1])
  }

  /// [N, outputs D], row-major. Throws: `CannotExport`.
  func jacobian(at x: String, in graph: inout ONNXGraph) throws {
    let gradients = try gradients(x, &graph)
    var parts: [String] = []
    if weighted > 0 {
      let weights = graph.matrix(data(sum.weights) + "_turned", sum.weights, transposed: true)
      graph.node("MatMul", [weights, gradients], name + "_y")
      parts.append(name + "_y")
    }
    if let root = sum.squared {
      let matrix = graph.matrix(data(root), root)
      graph.node("MatMul", [try summands(x, &graph), matrix], name + "_z")
      graph.node("Gemm", [name + "_z", matrix], name + "_half", integers: ["transB": 1])
      graph.node("Add", [name + "_half", name + "_half"], name + "_factors")
      graph.node(
        "Unsqueeze", [name + "_factors", graph.integers(name + "_axis", [1])], name + "_row")
      graph.node("MatMul", [name + "_row", gradients], name + "_square")
      parts.append(name + "_square")
    }
    graph.node("Concat", parts, name + "_all", integers: ["axis": 1])
    let shape = graph.integers(name + "_shape", [0, sum.outputs * sum.dimensions])
    graph.node("Reshape", [name + "_all", shape], name)
  }

  /// g [N, n]
  private func summands(_ x: String, _ graph: inout ONNXGraph) throws -> String {
    let scope = try added(sum.summand, "s", x, &graph)
    let result = sum.summand.output("g")
    let g = scope.full(scope.name(result), of: result, in: &graph)
    graph.node("Squeeze", [g, graph.integers(name + "_last", [2])], name + "_g")
    return name + "_g"
  }

  /// dg/dx [N, n, D]
  private func gradients(_ x: String, _ graph: inout ONNXGraph) throws -> String {
    let scope = try added(sum.summandGradient, "d", x, &graph)
    let result = sum.summandGradient.output("adj_x")
    return scope.full(scope.name(result), of: result, in: &graph)
  }

  private func added(
    _ program: Program, _ letter: String, _ x: String, _ graph: inout ONNXGraph
  ) throws -> ONNXScope {
    let rows = graph.values(
      sum.rows.array, offset: sum.rows.offset, count: sum.rows.rows * sum.rows.columns)
    graph.node(
      "Unsqueeze", [x, graph.integers("\(name)_\(letter)_axis", [1])], "\(name)_\(letter)_x")
    var scope = ONNXScope(prefix: "\(name)_\(letter)", axes: [.batch, .rows])
    scope.given = [
      "x": ("\(name)_\(letter)_x", [.batch]),
      "row": (
        graph.constant(data(sum.rows) + "_rows", [1, sum.rows.rows, sum.rows.columns], rows),
        [.rows]
      ),
    ]
    if program.inputs["adj_g"] != nil {
      scope.given["adj_g"] = (graph.constant("\(name)_\(letter)_one", [1, 1, 1], [1]), [])
    }
    for (index, instruction) in program.instructions.enumerated() {
      try scope.add(instruction, index, to: &graph)
    }
    return scope
  }

  /// Of what a shared matrix is called in the graph.
  private func data(_ matrix: SharedMatrix) -> String { "\(matrix.array)_at_\(matrix.offset)" }
}
