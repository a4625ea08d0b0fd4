// SPDX-License-Identifier: Apache-2.0
// Slots of a step: every part reads back what it wrote, whatever else is declared.

import Programs
import Testing

@Suite("slots of a step")
struct StepSlotTests {
  @Test("parts of the carry and draws do not meet, and keep their order")
  func slots() {
    var slots = StepSlots()
    let state = slots.carry("state", length: 2, start: .state)
    let memory = slots.carry("memory", length: 3, start: .fixed([7, 8, 9]))
    let draws = [slots.draws("model", length: 2), slots.draws("sensors", length: 1)]
    #expect(slots.carryLength == 5)
    #expect(slots.first(state: [1, 2]) == [1, 2, 7, 8, 9])
    var moved = slots
    _ = moved.carry(
      "before", length: 2, start: .affine(weights: [[1, -0.5], [0, 1]], offsets: [3, 0]))
    #expect(moved.first(state: [1, 2]) == [1, 2, 7, 8, 9, 3, 2])
    let builder = ProgramBuilder()
    let carry = builder.input("state", length: slots.carryLength)
    let next = [memory: carry[memory] + builder.normal(draws[1]), state: 2 * carry[state]]
    builder.output("next", slots.next(next, builder))
    builder.output("model", builder.normal(draws[0]))
    let result = Interpreter(shared: [:]).run(
      builder.finish(), inputs: ["state": [1, 2, 3, 4, 5]]
    ) { first, count in (first..<first + count).map { Double(100 * ($0 + 1)) } }
    #expect(result["next"] == [2, 4, 303, 304, 305])
    #expect(result["model"] == [100, 200])
  }
}
