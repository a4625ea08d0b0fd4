// SPDX-License-Identifier: Apache-2.0
// CMA-ES against the evaluations that the reference implementation needs on standard functions.

import Bagel
import Draws
import EvolutionStrategies
import Foundation
import LinearAlgebra
import Testing

/// Written by Experiments/Tests/References/make_cmaes_references.py.
private struct References: Decodable {
  struct Function: Decodable {
    let solved: Int
    let quartiles: [Double]
  }
  let dimensions: Int
  let functions: [String: Function]
}

private func cost(_ name: String, _ x: [Double]) -> Double {
  let powers = x.indices.map { Double($0) / Double(x.count - 1) }
  switch name {
  case "sphere": return dot(x, x)
  case "ellipsoid": return zip(x, powers).reduce(0) { $0 + pow(1e6, $1.1) * $1.0 * $1.0 }
  case "different powers": return zip(x, powers).reduce(0) { $0 + pow(abs($1.0), 2 + 4 * $1.1) }
  default:
    return zip(x, x.dropFirst()).reduce(0) {
      $0 + 100 * pow($1.1 - $1.0 * $1.0, 2) + pow(1 - $1.0, 2)
    }
  }
}

@Suite("CMA-ES")
struct CMAESTests {
  @Test(
    "needs as many evaluations as the reference implementation",
    arguments: ["sphere", "ellipsoid", "different powers", "rosenbrock"])
  func evaluations(name: String) throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../References/cmaes.json")
    let references = try JSONDecoder().decode(References.self, from: Data(contentsOf: url))
    let reference = try #require(references.functions[name])
    var counts: [Double] = []
    for seed in 1...41 {
      var search = CMAES(
        mean: Array(repeating: 3, count: references.dimensions), stepSize: 0.5,
        key: DrawKey(seed: UInt64(seed)))
      var (count, best) = (0, Double.infinity)
      while best > 1e-9 && count < 100_000 && !search.hasConverged {
        let costs = search.ask().map { cost(name, $0) }
        best = min(best, costs.min() ?? best)
        search.tell(costs)
        count += costs.count
      }
      if best <= 1e-9 { counts.append(Double(count)) }
    }
    // Rosenbrock's function has a second minimum, which a few seeds find.
    #expect(abs(counts.count - reference.solved) <= 8)
    counts.sort()
    let median = counts[counts.count / 2]
    // Standard error of a median of 41, for both: 1.25 * (quartiles' distance / 1.35) / sqrt(41), three times.
    let allowed =
      3 * 2.0.squareRoot() * 1.25 * (reference.quartiles[2] - reference.quartiles[0]) / 1.35
      / 41.0.squareRoot() + 0.03 * reference.quartiles[1]
    #expect(abs(median - reference.quartiles[1]) < allowed, "\(median), \(reference.quartiles)")
  }

  @Test("costs that are not finite are the worst, and the covariance stays positive definite")
  func notFinite() {
    var search = CMAES(mean: [1, 1, 1], stepSize: 1, key: DrawKey(seed: 1))
    for _ in 0..<200 {
      let costs = search.ask().map { x in x[0] < 0 ? Double.nan : x[0] + 100 * dot(x, x) }
      search.tell(costs)
    }
    #expect(search.mean.allSatisfy { $0.isFinite && abs($0) < 1e-2 })
    #expect(
      search.spread.isFinite && search.conditioning > 1e-14,
      "\(search.conditioning) \(search.spread)")
  }
}
