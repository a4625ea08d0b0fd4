// SPDX-License-Identifier: Apache-2.0
// Goals of an evaluation's episodes. A few independent draws often fall into one part of the box, and the verdict does not
// cover the rest; these are spread out. The additive recurrence of M. Roberts (The unreasonable effectiveness of quasirandom
// sequences, 2018): with g the root of g^(d+1) = g + 1 (the golden ratio for d = 1),
//
//   u_j(episode) = fraction(shift_j + episode / g^(j+1)),   j = 0 ..< d
//
// Any run of consecutive episodes is spread over the box, however many there are. Rejected: strata, which need that
// number. The search's goals stay independent draws: its gradient is an average over particles.

import Draws
import Foundation
import PolicySearch

extension StateDistribution {
  /// The goal [S] of an episode; spread where it is uniform in a box, drawn otherwise. Episode 0 has the draw of the key.
  func spreadGoal(episode: Int, key: DrawKey) -> [Double] {
    guard case .uniform(let lower, let upper) = self else {
      return draw(particle: episode, key: key, for: .goals)
    }
    let varied = lower.indices.filter { lower[$0] != upper[$0] }
    let shift = key.uniforms(particle: 0, step: ReservedStep.goals.rawValue, count: lower.count)
    // The iteration contracts: its derivative at the root is below 1/3.
    var g = 1.5
    for _ in 0..<60 { g = pow(1 + g, 1 / Double(varied.count + 1)) }
    var goal = lower
    for (j, i) in varied.enumerated() {
      let u = shift[i] + Double(episode) * pow(g, -Double(j + 1))
      goal[i] += (upper[i] - lower[i]) * (u - u.rounded(.down))
    }
    return goal
  }
}
