// SPDX-License-Identifier: Apache-2.0
// Bounds that particles should keep at every step. A rollout adds up two costs of each beside its return: by how much it was left
// (0 for a particle that kept it all the way: this is counted), and a penalty that has a slope before it is left (this is followed).
// They see states as the machine's sensors do: limits end episodes by what is measured.

import Programs

/// A bound on a number that a state and a command say.
package struct StepConstraint: Sendable {
  /// As rollouts name its costs.
  package let name: String
  /// The number, physical units [1]; it may read what a reward reads.
  package let quantity: Reward
  /// Bounds of it, physical units; one at least.
  package let lower: Double?
  package let upper: Double?
  /// What the number is measured in: about its deviation in the data, physical units.
  package let scale: Double

  /// Half the width, in `scale`s, of the penalty's rise about the bound. A wider one keeps particles further away than was asked, a
  /// narrower one has a slope for the few particles that leave.
  static let halfBand = 0.1

  /// - Parameters:
  ///   - name: as rollouts name its costs.
  ///   - quantity: the number [1].
  ///   - lower: it should not be below, or nil.
  ///   - upper: it should not be above, or nil.
  ///   - scale: what it is measured in, above 0.
  package init(
    name: String, quantity: Reward, lower: Double? = nil, upper: Double? = nil, scale: Double
  ) {
    precondition(scale > 0 && (lower != nil || upper != nil), "a bound and its scale: \(name)")
    (self.name, self.quantity, self.lower, self.upper) = (name, quantity, lower, upper)
    self.scale = scale
  }

  /// Names of its costs, in the order of `costs`.
  var totals: [String] { ["\(name): excess", "\(name): penalty"] }

  /// How far it is left at one step, and the penalty: 0 up to b before the bound, then a parabola with slope 1 at b beyond it, then a
  /// line (a hinge with a round corner).
  func costs(_ inputs: RewardInputs) -> [Value] {
    let value = quantity.body(inputs)
    precondition(value.length == 1, "a bound on \(value.length) numbers")
    let beyond = [
      upper.map { (value - $0) / scale }, lower.map { ($0 - value) / scale },
    ].compactMap { $0 }
    let excess = beyond.dropFirst().reduce(beyond[0], maximum)
    let builder = value.builder
    let (zero, b) = (builder.zeros(1), Self.halfBand)
    let rise = (excess + b).clamped(lower: zero, upper: builder.constant([2 * b]))
    // NaN stays NaN: it is no bound kept.
    return [maximum(zero, excess), rise * rise / (4 * b) + maximum(excess - b, zero)]
  }
}

extension Rollout {
  /// Where a constraint's excess stands among the totals; its penalty follows.
  package static func excessIndex(ofConstraint index: Int) -> Int { 1 + 2 * index }

  /// Weights of the totals: the return, less each constraint's penalty times its multiplier.
  ///
  /// - Parameter multipliers: one a constraint.
  package static func totalWeights(multipliers: [Double]) -> [Double] {
    [1] + multipliers.flatMap { [0, -$0] }
  }
}
