// SPDX-License-Identifier: Apache-2.0
// The forms that a policy can have, in a task, in a file and in a program.

/// The form of a policy, which with its inputs determines its parameters.
package enum PolicyForm: Hashable, Sendable {
  /// Feedforward network with tanh hidden layers of these widths; without any, a linear policy.
  case network(hidden: [Int])
  /// Gaussian basis functions.
  case radialBasis(count: Int)
  /// A PID controller of the goals that its inputs integrate.
  case pid
  /// A closure of a user's own, which lives in its program only.
  case custom(String)

  /// Units before the last layer.
  package var units: Int {
    switch self {
    case .network(let hidden): hidden.reduce(0, +)
    case .radialBasis(let count): count
    case .pid, .custom: 0
    }
  }

  /// The key of a task file that says it, with its value.
  package var words: String {
    switch self {
    case .network(let hidden): "policy.layers: \(hidden)"
    case .radialBasis(let count): "policy.radialBasis: \(count)"
    case .pid: "policy.kind: pid"
    case .custom(let name): name
    }
  }

  /// A policy of this form; no `custom` one, which is a closure.
  func makePolicy(
    inputs: PolicyInputs, lower: [Double], upper: [Double], largestChange: [Double] = [],
    rest: [Double]? = nil
  ) -> Policy {
    switch self {
    case .network(let hidden):
      Policy.network(
        hidden: hidden, inputs: inputs, lower: lower, upper: upper, largestChange: largestChange,
        rest: rest)
    case .radialBasis(let count):
      Policy.radialBasis(
        count: count, inputs: inputs, lower: lower, upper: upper, largestChange: largestChange,
        rest: rest)
    case .pid:
      Policy.pid(
        inputs: inputs, lower: lower, upper: upper, largestChange: largestChange, rest: rest)
    case .custom(let name): preconditionFailure("'\(name)' is a closure, which no form makes")
    }
  }
}
