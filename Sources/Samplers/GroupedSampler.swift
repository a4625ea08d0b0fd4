// SPDX-License-Identifier: Apache-2.0
// The samplers of a model's groups as one: each reads its own inputs and fills in its own outputs.

import Draws
import GaussianProcesses
import LinearAlgebra
import Programs

/// One sampler a group of outputs.
package struct GroupedSampler: PosteriorSampler {
  /// In the order of `DynamicsModel.groups`.
  package let parts: [(group: ProcessGroup, sampler: any PosteriorSampler)]

  /// The costliest of the parts.
  package var name: SamplerName {
    let names = Set(parts.map(\.sampler.name))
    return SamplerName.allCases.last(where: names.contains) ?? .exact
  }

  package var summary: String {
    parts.map { group, sampler in
      "\(sampler.name.rawValue) (\(sampler.summary)) for output \(list(group.outputs.map { $0 + 1 }))"
    }.joined(separator: ", ")
  }

  package var data: [String: [Double]] { SharedArrays.joined(parts.map(\.sampler.data)) }

  package func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    func selected(_ all: Value, _ indices: [Int]) -> Value {
      indices.count == all.length ? all : x.builder.concatenate(indices.map { all[$0] })
    }
    var (increments, offset) = ((0..<draws.length).map { draws[$0] }, functionOffset)
    for (group, sampler) in parts {
      let values = sampler.increments(
        at: selected(x, group.inputs), draws: selected(draws, group.outputs),
        functionOffset: offset)
      for (k, output) in group.outputs.enumerated() { increments[output] = values[k] }
      offset += sampler.functionLength
    }
    return x.builder.concatenate(increments)
  }

  package var functionLength: Int { parts.reduce(0) { $0 + $1.sampler.functionLength } }

  package func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    let draws = parts.map { _, sampler in
      Matrix(
        rows: particles, columns: sampler.functionLength,
        values: sampler.functionDraws(particles, key: key))
    }
    return (0..<particles).flatMap { b in draws.flatMap { $0.row(b) } }
  }
}
