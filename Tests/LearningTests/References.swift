// SPDX-License-Identifier: Apache-2.0
// Reference values written by Tests/References/make_references.py (GPyTorch, NumPy).

import Foundation

struct References: Decodable {
  struct Case: Decodable {
    let name: String
    let parameters: [Double]
    let noiseVariance: Double
    let logMarginalLikelihood: Double
    let gradient: [Double]
    let mean: [Double]
    let variance: [Double]
  }

  struct LinearMean: Decodable {
    let coefficients: [Double]
    let logMarginalLikelihood: Double
    let mean: [Double]
  }

  let x: [[Double]]
  let y: [Double]
  let z: [[Double]]
  let cases: [Case]
  let linearMean: LinearMean

  static func load() throws -> References {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../References/gaussian_processes.json")
    return try JSONDecoder().decode(References.self, from: Data(contentsOf: url))
  }
}
