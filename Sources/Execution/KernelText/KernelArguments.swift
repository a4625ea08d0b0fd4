// SPDX-License-Identifier: Apache-2.0
// The arguments of emitted kernels: one table, from which come the text of their structures, the slots that a launcher fills,
// the buffers it allocates and the plan of a GPU's memory. In every kernel: the rollout's pointers, on a GPU some more, then
// the shared arrays, then numbers.

import Programs

/// One buffer that kernels read or write.
struct KernelArgument: Sendable {
  enum Element: String, Sendable {
    case float, double

    var bytes: Int {
      switch self {
      case .float: MemoryLayout<Float>.size
      case .double: MemoryLayout<Double>.size
      }
    }
  }

  enum Access: Sendable {
    /// The same for all batches in flight.
    case read
    /// Every batch in flight has its own.
    case readPerBatch
    case write
    /// NULL where it has no elements.
    case writeIfAny

    var isConstant: Bool {
      switch self {
      case .read, .readPerBatch: true
      case .write, .writeIfAny: false
      }
    }
  }

  /// In the emitted text.
  let name: String
  let element: Element
  let access: Access
  /// Elements that one batch needs.
  let count: @Sendable (KernelSizes) -> Int

  init(
    _ name: String, _ access: Access, _ element: Element = .float,
    count: @escaping @Sendable (KernelSizes) -> Int
  ) {
    (self.name, self.access, self.element, self.count) = (name, access, element, count)
  }

  /// The same buffer as another kernel uses it.
  func accessed(_ access: Access) -> KernelArgument {
    KernelArgument(name, access, element, count: count)
  }

  /// Its line in a structure.
  var declaration: String { "\(access.isConstant ? "const " : "")\(element.rawValue) *\(name);" }
}

/// What the lengths of buffers depend on.
struct KernelSizes: Hashable {
  let rollout: RolloutProgram
  /// B
  let particles: Int
  /// Particles with those of tiles past the last one.
  let padded: Int
  /// H
  let horizon: Int
  /// Rows of partial gradients [P]: tiles on the host, blocks on a GPU. 0 where no gradient is wanted.
  let gradientRows: Int
  /// Whether states and actions are recorded.
  var records: Bool
  // On a GPU:
  /// Steps whose tape is kept at once, and rows of a step.
  var tapeSteps = 0
  var keptPerStep = 0
  /// Steps whose carry is kept beside them.
  var checkpoints = 0
  /// Rows of warps' partial gradients.
  var warpRows = 0
  /// Rows of memory for local functions.
  var scratchRows = 0
  /// Elements of transposed matrices.
  var transposed = 0
}

enum KernelArguments {
  /// Of a rollout's kernels on every device.
  static let rollout: [KernelArgument] = [
    KernelArgument("parameters", .read) { $0.rollout.parameterCount },
    KernelArgument("initial_states", .readPerBatch) { $0.particles * $0.rollout.carryLength },
    KernelArgument("goals", .readPerBatch) { $0.particles * $0.rollout.goalLength },
    KernelArgument("function_draws", .readPerBatch) { $0.padded * $0.rollout.functionLength },
    KernelArgument("total_weights", .readPerBatch) { $0.rollout.totals.count },
    KernelArgument("totals", .write) { $0.padded * $0.rollout.totals.count },
    KernelArgument("outside_steps", .write) { $0.padded },
    KernelArgument("alive_steps", .write) { $0.padded },
    KernelArgument("gradients", .write) { $0.gradientRows * $0.rollout.parameterCount },
    KernelArgument("state_record", .writeIfAny) {
      $0.records ? ($0.horizon + 1) * $0.particles * $0.rollout.carryLength : 0
    },
    KernelArgument("action_record", .writeIfAny) {
      $0.records ? $0.horizon * $0.particles * $0.rollout.actionLength : 0
    },
    KernelArgument("truncations", .write) { $0.padded },
  ]

  /// The argument of this name; a caller's bug if there is none.
  static func rollout(_ name: String) -> KernelArgument {
    guard let found = rollout.first(where: { $0.name == name }) else {
      preconditionFailure("no kernel argument '\(name)' among \(rollout.map(\.name))")
    }
    return found
  }

  /// The members of a structure: these, and the shared arrays.
  static func members(_ arguments: [KernelArgument], dataArrays: [String]) -> [String] {
    arguments.map { "  \($0.declaration)" } + dataArrays.map { "  const float *\($0);" }
  }
}
