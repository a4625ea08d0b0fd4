// SPDX-License-Identifier: Apache-2.0
// One program -> statements over tiles of particles, the same text for every device. In: a program and the
// text of its inputs' elements. Out: lines that compute every instruction as `vf NAME[...][T]`, and the text
// of any element. Inputs, draws, slices, broadcasts, shared runs and scalar constants need no statement: they
// are read in place.
//
// The words come from a prelude. A value is whole (every lane of a particle has it all) or spread, element
// i with lane i mod LANES; on the host, and with one lane a particle, both are the same:
//   EACH(i, n)     all elements of a whole value        SHARED(array, i)  element of a shared array
//   SPREAD(i, n)   a lane's elements of a spread value  KEPT(row, i)      element of a tape row or function draw
//   x[AT(i)][t]    own element i of spread x            GET(x, i)         any element of spread x
//   SLOTS(n)       elements a lane holds of n           lanes_sum(x)      sum over a particle's lanes
//   OWNED(i, n, x) x, 0 in lanes past the last element  layer(x, W, y)    y = W x; transposed_layer: y = W^T x

import Programs

/// Emits the instructions of one program.
struct ProgramText {
  let program: Program
  /// Text of element `i` (text as well) of the named input, for particle t.
  let input: (_ name: String, _ i: String) -> String
  /// Inputs whose elements a lane reads as those of a spread value: tape slots of such values.
  let spreadInputs: Set<String>
  let functions: LocalFunctionNames
  /// Whether products are spread over a particle's lanes at all.
  let spreads: Bool
  var lines: [String] = []
  /// Whether each instruction's result is spread over a particle's lanes.
  private(set) var isSpread: [Bool] = []

  /// Loops longer than this are left rolled.
  static let longestUnrolled = 64
  /// Products with fewer rows are whole: summing over the lanes is cheaper than handing elements round.
  static let leastSpread = 4

  init(
    _ program: Program, functions: LocalFunctionNames, spreadInputs: Set<String> = [],
    spreads: Bool = true, input: @escaping (_ name: String, _ i: String) -> String
  ) {
    self.program = program
    self.functions = functions
    self.spreadInputs = spreadInputs
    self.spreads = spreads
    self.input = input
    for instruction in program.instructions {
      isSpread.append(isSpread(instruction))
    }
    for (index, instruction) in program.instructions.enumerated() {
      emit(instruction, at: index)
    }
  }

  private func isSpread(_ instruction: Instruction) -> Bool {
    switch instruction.operation {
    case .affine, .transposedProduct: spreads && instruction.length >= Self.leastSpread
    case .unary, .binary, .select:
      instruction.operation.operands.contains {
        isSpread[$0.index] && program[$0].length == instruction.length
      }
    case .input(let name): spreadInputs.contains(name)
    case .constant, .shared, .normal, .concatenate, .slice, .broadcast, .sum, .dot,
      .matrixVector, .transposedMatrixVector, .apply, .jacobian:
      false
    }
  }

  /// Text of any element `i` of a value, in any lane.
  func element(_ id: ValueID, _ i: String) -> String { text(id, i, isOwn: false) }

  /// Text of element `i` inside the loop of a spread value.
  func own(_ id: ValueID, _ i: String) -> String { text(id, i, isOwn: true) }

  private func text(_ id: ValueID, _ i: String, isOwn: Bool) -> String {
    let instruction = program[id]
    switch instruction.operation {
    case .input(let name): return input(name, i)
    case .constant(let values) where Set(values).count == 1: return "splat(\(literal(values[0])))"
    case .shared(let slice) where slice.array == RolloutProgram.functionDraw:
      return "KEPT(function_draw, \(plus(slice.offset, i)))"
    case .shared(let slice): return "splat(SHARED(\(slice.array), \(plus(slice.offset, i))))"
    case .normal(let first): return "draws[\(plus(first, i))][t]"
    // A slice moves elements to other lanes.
    case .slice(let a, let start): return element(a, plus(start, i))
    case .broadcast(let a): return element(a, "0")
    case .constant, .unary, .binary, .select, .concatenate, .sum, .dot, .affine,
      .transposedProduct, .matrixVector, .transposedMatrixVector, .apply, .jacobian:
      if !isSpread[id.index] { return "\(name(id))[\(i)][t]" }
      return isOwn ? "\(name(id))[AT(\(i))][t]" : "GET(\(name(id)), \(i))"
    }
  }

  /// The name of a value in the text: its own name or its operation, and its index.
  func name(_ id: ValueID) -> String {
    let instruction = program[id]
    let word = instruction.name ?? String(instruction.operation.word)
    let letters = word.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    return String(letters) + "_\(id.index)"
  }

  /// The loop over the elements of a value as its lanes hold them.
  func loop(over id: ValueID, index: String = "i") -> String {
    loop(program[id].length, spread: isSpread[id.index], index: index)
  }

  private mutating func emit(_ instruction: Instruction, at index: Int) {
    let id = ValueID(index)
    let n = instruction.length
    func x(_ operand: ValueID) -> String {
      isSpread[index] ? own(operand, "i") : element(operand, "i")
    }
    func each(_ expression: String) {
      define(id, "\(loop(over: id)) \(at(id))[t] = \(expression);")
    }
    switch instruction.operation {
    case .input, .shared, .slice, .broadcast, .normal: break
    case .constant(let values):
      if Set(values).count > 1 {
        define(id)
        for (i, value) in values.enumerated() {
          lines.append("EACH(i, 1) \(name(id))[\(i)][t] = splat(\(literal(value)));")
        }
      }
    case .unary(let function, let a): each(function.row.word.kernelText(x(a)))
    case .binary(let function, let a, let b): each(function.row.word.kernelText(x(a), x(b)))
    case .select(let condition, let a, let b):
      each("v_select(\(x(condition)) >= 0.f, \(x(a)), \(x(b)))")
    case .concatenate(let parts):
      define(id)
      var start = 0
      for part in parts {
        let count = program[part].length
        lines.append(
          "\(loop(count)) \(name(id))[\(plus(start, "i"))][t] = \(element(part, "i"));")
        start += count
      }
    case .sum(let a): reduce(id, over: a, own(a, "i"))
    case .dot(let a, let b):
      reduce(id, over: isSpread[a.index] ? a : b, "\(own(a, "i")) * \(own(b, "i"))")
    case .affine(let weights, let bias, let a): emitAffine(id, weights, bias, a)
    case .transposedProduct(let weights, let a): emitTransposedProduct(id, weights, a)
    case .matrixVector(let m, let a):
      emitMatrixVector(id, columns: program[a].length, a) { [self] in
        element(m, "i * \(program[a].length) + \($0)")
      }
    case .transposedMatrixVector(let m, let a):
      emitMatrixVector(id, columns: program[a].length, a) { [self] in
        element(m, "\($0) * \(n) + i")
      }
    case .apply(let function, let a): emitApply(id, function, a)
    case .jacobian(let function, let a): emitJacobian(id, function, a)
    }
  }

  mutating func define(_ id: ValueID, _ statement: String? = nil) {
    let n = program[id].length
    lines.append("vf \(name(id))[\(isSpread[id.index] ? "SLOTS(\(n))" : "\(n)")][T];")
    if let statement { lines.append(statement) }
  }

  /// `NAME[i]` as the lane holds it.
  func at(_ id: ValueID) -> String {
    "\(name(id))[\(isSpread[id.index] ? "AT(i)" : "i")]"
  }

  func loop(_ n: Int, spread: Bool = false, index: String = "i") -> String {
    let isUnrolled = n <= Self.longestUnrolled
    return (spread ? "SPREAD" : "EACH") + (isUnrolled ? "" : "_ROLLED") + "(\(index), \(n))"
  }

  /// The sum of `term` over the elements of `operand`, each added by the lane that holds it.
  private mutating func reduce(_ id: ValueID, over operand: ValueID, _ term: String) {
    let n = program[operand].length
    let isSpread = isSpread[operand.index]
    define(id, "EACH(i, 1) \(name(id))[0][t] = splat(0.f);")
    lines.append(
      "\(loop(n, spread: isSpread)) \(name(id))[0][t] += \(isSpread ? "OWNED(i, \(n), \(term))" : term);"
    )
    if isSpread {
      lines.append("EACH(i, 1) \(name(id))[0][t] = lanes_sum(\(name(id))[0][t]);")
    }
  }
}

/// `offset + i` without a zero.
func plus(_ offset: Int, _ i: String) -> String {
  offset == 0 ? i : (Int(i).map { String(offset + $0) } ?? "\(offset) + \(i)")
}

/// A C float literal that reads back to the nearest single-precision value.
func literal(_ value: Double) -> String {
  let single = Float(value)
  if single.isNaN { return "NOT_A_NUMBER" }
  if single.isInfinite { return single > 0 ? "INFINITE" : "-INFINITE" }
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
    case .unary(let function, _): function.row.noun
    case .binary(let function, _, _): function.row.noun
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
