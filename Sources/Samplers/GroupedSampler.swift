// SPDX-License-Identifier: Apache-2.0
// The samplers of a model's groups as one: each reads its own inputs and fills in its own outputs.

import Draws
import GaussianProcesses
import LinearAlgebra
import Programs

/// One sampler a group of outputs.
public struct GroupedSampler: PosteriorSampler {
  /// In the order of `DynamicsModel.groups`.
  public let parts: [(group: ProcessGroup, sampler: any PosteriorSampler)]

  /// The costliest of the parts.
  public var name: SamplerName {
    let names = Set(parts.map(\.sampler.name))
    return SamplerName.allCases.last(where: names.contains) ?? .exact
  }

  public var summary: String {
    parts.map { "\($0.sampler.name.rawValue) of \($0.sampler.summary)" }.joined(separator: "; ")
  }

  public var data: [String: [Double]] { SharedArrays.joined(parts.map(\.sampler.data)) }

  public func increments(at x: Value, draws: DrawSlot, functionOffset: Int) -> Value {
    var (draw, offset) = (0, functionOffset)
    var increments: [Int: Value] = [:]
    for (group, sampler) in parts {
      let values = sampler.increments(
        at: x.builder.concatenate(group.inputs.map { x[$0] }),
        draws: draws[draw..<draw + group.outputs.count], functionOffset: offset)
      for (k, output) in group.outputs.enumerated() { increments[output] = values[k] }
      draw += group.outputs.count
      offset += sampler.functionLength
    }
    return x.builder.concatenate(increments.sorted { $0.key < $1.key }.map(\.value))
  }

  public var functionLength: Int { parts.reduce(0) { $0 + $1.sampler.functionLength } }

  public func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    let draws = parts.map { _, sampler in
      Matrix(
        rows: particles, columns: sampler.functionLength,
        values: sampler.functionDraws(particles, key: key))
    }
    return (0..<particles).flatMap { b in draws.flatMap { $0.row(b) } }
  }

  public func certificate(at sets: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate {
    SamplerCertificate(
      joining: try parts.map { group, sampler in
        try sampler.certificate(
          at: sets.map { $0.selecting(columns: group.inputs) }, noise: noise)
      }, of: self)
  }
}
