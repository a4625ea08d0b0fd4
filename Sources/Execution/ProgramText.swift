// SPDX-License-Identifier: Apache-2.0
// One program -> C statements over tiles. In: a program and the C text of its inputs' elements.
// Out: lines that compute every instruction as `vf NAME[LENGTH][T]`, and the text of any element.
// Inputs, slices, broadcasts, shared runs and scalar constants need no statement: they are read in
// place.

import Programs

/// Emits the instructions of one program.
struct ProgramText {
  let program: Program
  /// C text of element `i` (C text as well) of the named input, for vector t.
  let input: (_ name: String, _ i: String) -> String
  /// Whether the program's local functions may write Jacobians and counts (not inside a summand).
  let functions: LocalFunctionNames
  private(set) var lines: [String] = []

  /// Loops longer than this are left rolled.
  static let longestUnrolled = 64

  init(
    _ program: Program, functions: LocalFunctionNames,
    input: @escaping (_ name: String, _ i: String) -> String
  ) {
    self.program = program
    self.functions = functions
    self.input = input
    for (index, instruction) in program.instructions.enumerated() {
      emit(instruction, at: index)
    }
  }

  /// C text of element `i` of a value.
  func element(_ id: ValueID, _ i: String) -> String {
    let instruction = program[id]
    switch instruction.operation {
    case .input(let name): return input(name, i)
    case .constant(let values) where Set(values).count == 1: return "splat(\(literal(values[0])))"
    case .shared(let slice) where slice.array == RolloutProgram.functionDraw:
      return "function_draw[\(sum(slice.offset, i))][t]"
    case .shared(let slice): return "splat(a->\(slice.array)[\(sum(slice.offset, i))])"
    case .slice(let a, let start): return element(a, sum(start, i))
    case .broadcast(let a): return element(a, "0")
    case .constant, .normal, .add, .subtract, .multiply, .divide, .minimum, .maximum, .negate, .exp,
      .log, .tanh, .sin, .cos, .sqrt, .select, .concatenate, .sum, .dot, .affine,
      .transposedProduct, .matrixVector, .transposedMatrixVector, .apply, .jacobian:
      return "\(name(id))[\(i)][t]"
    }
  }

  /// The C name of a value: its own name or its operation, and its index.
  func name(_ id: ValueID) -> String {
    let instruction = program[id]
    let word = instruction.name ?? String(instruction.operation.word)
    let letters = word.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    return String(letters) + "_\(id.index)"
  }

  private mutating func emit(_ instruction: Instruction, at index: Int) {
    let id = ValueID(index)
    let n = instruction.length
    func x(_ operand: ValueID, _ i: String = "i") -> String { element(operand, i) }
    func each(_ expression: String) { define(id, "\(loop(n)) \(name(id))[i][t] = \(expression);") }
    switch instruction.operation {
    case .input, .shared, .slice, .broadcast: break
    case .constant(let values):
      if Set(values).count > 1 {
        define(id)
        for (i, value) in values.enumerated() {
          lines.append("EACH(i, 1) \(name(id))[\(i)][t] = splat(\(literal(value)));")
        }
      }
    case .normal(let first): emitNormals(id, first: first, count: n)
    case .add(let a, let b): each("\(x(a)) + \(x(b))")
    case .subtract(let a, let b): each("\(x(a)) - \(x(b))")
    case .multiply(let a, let b): each("\(x(a)) * \(x(b))")
    case .divide(let a, let b): each("\(x(a)) / \(x(b))")
    case .minimum(let a, let b): each("v_minimum(\(x(a)), \(x(b)))")
    case .maximum(let a, let b): each("v_maximum(\(x(a)), \(x(b)))")
    case .negate(let a): each("-\(x(a))")
    case .exp(let a): each("v_exp(\(x(a)))")
    case .log(let a): each("v_log(\(x(a)))")
    case .tanh(let a): each("v_tanh(\(x(a)))")
    case .sin(let a): each("v_sin(\(x(a)))")
    case .cos(let a): each("v_cos(\(x(a)))")
    case .sqrt(let a): each("v_sqrt(\(x(a)))")
    case .select(let condition, let a, let b):
      each("v_select(\(x(condition)) >= 0.f, \(x(a)), \(x(b)))")
    case .concatenate(let parts):
      define(id)
      var start = 0
      for part in parts {
        let count = program[part].length
        lines.append("\(loop(count)) \(name(id))[\(sum(start, "i"))][t] = \(x(part));")
        start += count
      }
    case .sum(let a): reduce(id, program[a].length, x(a))
    case .dot(let a, let b): reduce(id, program[a].length, "\(x(a)) * \(x(b))")
    case .affine(let weights, let bias, let a):
      emitAffine(id, weights: weights, bias: bias, operand: a)
    case .transposedProduct(let weights, let a):
      emitTransposedProduct(id, weights: weights, operand: a)
    case .matrixVector(let m, let a):
      let columns = program[a].length
      each("0")
      lines.append(
        "\(loop(n)) UNROLL for (int j = 0; j < \(columns); ++j) "
          + "\(name(id))[i][t] += \(x(m, "i * \(columns) + j")) * \(x(a, "j"));")
    case .transposedMatrixVector(let m, let a):
      each("splat(0.f)")
      lines.append(
        "\(loop(n)) UNROLL for (int j = 0; j < \(program[a].length); ++j) "
          + "\(name(id))[i][t] += \(x(m, "j * \(n) + i")) * \(x(a, "j"));")
    case .apply(let function, let a): emitApply(id, function, a)
    case .jacobian(let function, let a): emitJacobian(id, function, a)
    }
  }

  private mutating func define(_ id: ValueID, _ statement: String? = nil) {
    lines.append("vf \(name(id))[\(program[id].length)][T];")
    if let statement { lines.append(statement) }
  }

  private func loop(_ n: Int) -> String {
    n <= Self.longestUnrolled ? "EACH(i, \(n))" : "EACH_ROLLED(i, \(n))"
  }

  private mutating func reduce(_ id: ValueID, _ count: Int, _ term: String) {
    define(id, "EACH(i, 1) \(name(id))[0][t] = splat(0.f);")
    lines.append("\(loop(count)) \(name(id))[0][t] += \(term);")
  }

  private mutating func emitNormals(_ id: ValueID, first: Int, count: Int) {
    define(id)
    for group in (first / 4)...((first + count - 1) / 4) {
      lines.append("UNROLL for (int t = 0; t < T; ++t) {")
      lines.append("  vf four[4];")
      lines.append("  v_normals(a->key, particle + (uint32_t)(t * W), step, \(group), four);")
      for dimension in max(first, 4 * group)..<min(first + count, 4 * group + 4) {
        lines.append("  \(name(id))[\(dimension - first)][t] = four[\(dimension % 4)];")
      }
      lines.append("}")
    }
  }

  /// y = W x + b: unrolled when small, else the register-blocked product.
  private mutating func emitAffine(
    _ id: ValueID, weights: SharedMatrix, bias: SharedSlice?, operand: ValueID
  ) {
    let (rows, columns) = (weights.rows, weights.columns)
    let start = bias.map { "splat(a->\($0.array)[\(sum($0.offset, "i"))])" } ?? "splat(0.f)"
    if rows * columns <= 8 * Self.longestUnrolled {
      define(id, "\(loop(rows)) \(name(id))[i][t] = \(start);")
      lines.append(
        "\(loop(rows)) UNROLL for (int j = 0; j < \(columns); ++j) \(name(id))[i][t] += "
          + "a->\(weights.array)[\(sum(weights.offset, "i * \(columns) + j"))]"
          + " * \(element(operand, "j"));")
    } else {
      let x = materialized(operand)
      define(
        id,
        "product(a->\(weights.array) + \(weights.offset), \(rows), \(columns), 0, \(x), \(name(id)));"
      )
      if bias != nil { lines.append("\(loop(rows)) \(name(id))[i][t] += \(start);") }
    }
  }

  private mutating func emitTransposedProduct(
    _ id: ValueID, weights: SharedMatrix, operand: ValueID
  ) {
    let (rows, columns) = (weights.rows, weights.columns)
    if rows * columns <= 8 * Self.longestUnrolled {
      define(id, "\(loop(columns)) \(name(id))[i][t] = splat(0.f);")
      lines.append(
        "\(loop(columns)) UNROLL for (int j = 0; j < \(rows); ++j) \(name(id))[i][t] += "
          + "a->\(weights.array)[\(sum(weights.offset, "j * \(columns) + i"))]"
          + " * \(element(operand, "j"));")
    } else {
      let y = materialized(operand)
      define(
        id,
        "transposed_product(a->\(weights.array) + \(weights.offset), \(rows), \(columns), 0, \(y), "
          + "\(name(id)));")
    }
  }

  /// The C name of an array that holds the value.
  private mutating func materialized(_ id: ValueID) -> String {
    if element(id, "i") == "\(name(id))[i][t]" { return name(id) }
    let n = program[id].length
    let copy = "\(name(id))_copy\(lines.count)"
    lines.append("vf \(copy)[\(n)][T];")
    lines.append("\(loop(n)) \(copy)[i][t] = \(element(id, "i"));")
    return copy
  }

  /// Value, and the Jacobian too where the program asks for it: they come from one pass.
  private mutating func emitApply(_ id: ValueID, _ function: LocalFunction, _ x: ValueID) {
    define(id)
    let partner = program.instructions.firstIndex { $0.operation == .jacobian(function, x) }
    let jacobian = partner.map { ValueID($0) }
    if let jacobian { define(jacobian) }
    let argument = materialized(x)
    lines.append(functions.call(function, argument, name(id), jacobian.map { name($0) }))
  }

  private mutating func emitJacobian(_ id: ValueID, _ function: LocalFunction, _ x: ValueID) {
    if program.instructions.contains(where: { $0.operation == .apply(function, x) }) { return }
    define(id)
    let value = "value_of_\(name(id))"
    lines.append("vf \(value)[\(function.outputs)][T];")
    let argument = materialized(x)
    lines.append(functions.call(function, argument, value, name(id)))
  }
}

/// `offset + i` without a zero.
func sum(_ offset: Int, _ i: String) -> String {
  offset == 0 ? i : (Int(i).map { String(offset + $0) } ?? "\(offset) + \(i)")
}

/// A C float literal that reads back to the nearest single-precision value.
func literal(_ value: Double) -> String {
  let single = Float(value)
  if single.isNaN { return "__builtin_nanf(\"\")" }
  if single.isInfinite { return single > 0 ? "__builtin_inff()" : "-__builtin_inff()" }
  return "\(single)f"
}

extension Operation {
  /// One word for names in emitted text.
  var word: String {
    switch self {
    case .input(let name): name
    case .constant: "constant"
    case .shared(let slice): slice.array
    case .normal: "draw"
    case .add: "sum"
    case .subtract: "difference"
    case .multiply: "product"
    case .divide: "quotient"
    case .minimum: "minimum"
    case .maximum: "maximum"
    case .negate: "negative"
    case .exp: "exp"
    case .log: "log"
    case .tanh: "tanh"
    case .sin: "sin"
    case .cos: "cos"
    case .sqrt: "sqrt"
    case .select: "selected"
    case .concatenate: "joined"
    case .slice: "slice"
    case .broadcast: "broadcast"
    case .sum: "total"
    case .dot: "dot"
    case .affine: "affine"
    case .transposedProduct: "transposed"
    case .matrixVector: "matvec"
    case .transposedMatrixVector: "matvec_t"
    case .apply: "posterior"
    case .jacobian: "jacobian"
    }
  }
}
