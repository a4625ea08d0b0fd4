// SPDX-License-Identifier: Apache-2.0
// What a step's parts (model, sensors, policy, reward) keep from one step to the next and draw anew at every step. Each declares
// its own before the program is written; where the numbers stand is nobody else's affair.
//
//   carry = [slot | slot | ...]      what a particle brings from step to step, the program's input "state"; the particle's
//                                    state is the first, because pictures and checks read it there
//   draws = [slot | slot | ...]      dimensions of the step's standard normal draws

/// A named part of what a particle carries.
package struct CarrySlot: Hashable, Sendable {
  package let name: String
  package let length: Int
  /// What stands in it before the first step.
  package let start: Start
  /// Index of its first scalar in the carry.
  let offset: Int

  package enum Start: Hashable, Sendable {
    /// The particle's first state, which is as long.
    case state
    /// weights [length][S] times that state, plus offsets [length].
    case affine(weights: [[Double]], offsets: [Double])
    /// The same for all particles [length].
    case fixed([Double])
    /// Each particle's own, which whoever declares the slot draws.
    case drawn
  }
}

/// Dimensions of a step's draws that one part has for itself.
package struct DrawSlot: Hashable, Sendable {
  package let name: String
  package let length: Int
  let first: Int
}

/// The slots of a step, in the order of their declaration.
package struct StepSlots: Hashable, Sendable {
  package private(set) var carry: [CarrySlot] = []
  package private(set) var draws: [DrawSlot] = []

  package init() {}

  /// Length of the carry.
  package var carryLength: Int { carry.last.map { $0.offset + $0.length } ?? 0 }

  /// Declares a part of the carry. Two of one name are a caller's bug.
  package mutating func carry(_ name: String, length: Int, start: CarrySlot.Start) -> CarrySlot {
    precondition(!carry.contains { $0.name == name }, "two carry slots are called '\(name)'")
    if case .fixed(let values) = start {
      precondition(values.count == length, "\(values.count) first values of \(length) in '\(name)'")
    }
    if case .affine(let weights, let offsets) = start {
      precondition(
        weights.count == length && offsets.count == length,
        "\(weights.count) first values of \(length) in '\(name)'")
    }
    precondition(
      !carry.isEmpty || start == .state, "the first carry slot is '\(name)', not the state")
    let slot = CarrySlot(name: name, length: length, start: start, offset: carryLength)
    carry.append(slot)
    return slot
  }

  /// Declares draws. Two of one name are a caller's bug.
  package mutating func draws(_ name: String, length: Int) -> DrawSlot {
    precondition(!draws.contains { $0.name == name }, "two draw slots are called '\(name)'")
    let first = draws.last.map { $0.first + $0.length } ?? 0
    let slot = DrawSlot(name: name, length: length, first: first)
    draws.append(slot)
    return slot
  }

  /// The carry before the first step of a particle that starts in this state.
  ///
  /// - Parameters:
  ///   - state: the particle's first, as long as its slot.
  ///   - drawn: what stands in each slot that is drawn.
  package func first(state: [Double], drawn: [CarrySlot: [Double]] = [:]) -> [Double] {
    carry.flatMap { slot -> [Double] in
      switch slot.start {
      case .fixed(let values): return values
      case .drawn:
        guard let values = drawn[slot], values.count == slot.length else {
          preconditionFailure("nothing is drawn for carry slot '\(slot.name)'")
        }
        return values
      case .state:
        precondition(
          state.count == slot.length, "a state of \(state.count) numbers for \(slot.length)")
        return state
      case .affine(let weights, let offsets):
        return zip(weights, offsets).map { row, offset in
          precondition(state.count == row.count, "a state of \(state.count) for \(row.count)")
          return zip(row, state).reduce(offset) { $0 + $1.0 * $1.1 }
        }
      }
    }
  }

  /// The next carry from the new values of all slots; one that is missing is a caller's bug.
  package func next(_ values: [CarrySlot: Value], _ builder: ProgramBuilder) -> Value {
    builder.concatenate(
      carry.map { slot in
        guard let value = values[slot] else {
          preconditionFailure("carry slot '\(slot.name)' has no next value")
        }
        precondition(
          value.length == slot.length,
          "the next '\(slot.name)' has length \(value.length), not \(slot.length)")
        return value
      })
  }
}

extension Value {
  /// A part of this carry.
  package subscript(_ slot: CarrySlot) -> Value { self[slot.offset..<slot.offset + slot.length] }
}

extension ArraySlice<Double> {
  /// A part of this carry.
  package subscript(_ slot: CarrySlot) -> ArraySlice<Double> {
    self[startIndex + slot.offset..<startIndex + slot.offset + slot.length]
  }
}

extension ProgramBuilder {
  /// The standard normal draws of a slot.
  package func normal(_ slot: DrawSlot) -> Value { normal(first: slot.first, length: slot.length) }
}
