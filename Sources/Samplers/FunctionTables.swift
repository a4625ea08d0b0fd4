// SPDX-License-Identifier: Apache-2.0
// Functions of the posterior as tables: what a tabulated sampler reads in place of its own table, so that a rollout of a function costs
// as much as any other of that sampler. In: a tabulated sampler and a sparse-pathwise one of the same model. Out: tables, one a function
// and group.
//
// A function is off the mean by A n, n its standard normals and A one column each [points, m + F] (SparsePathwiseSampler). Coefficients
// of splines are linear in values, so the columns of A are made coefficients once, and a function's are
//
//   c_mean + A n                of the mean's columns
//   those of the noise alone    of the deviation's columns
//
// 2 (m + F) operations a grid point, function and output; nothing depends on the steps that read it.

import Draws
import GaussianProcesses
import LinearAlgebra
import Programs

/// Functions of a model's posterior, as tables.
public struct FunctionTables: Sendable {
  private let groups: [GroupTables]

  /// Grid points times normals, at most, of one output: 160 MB.
  private static let largestRoot = 20_000_000

  /// nil where a group's table is no spline table, or too large.
  ///
  /// - Parameters:
  ///   - tabulated: what rollouts read; tables replace its own.
  ///   - pathwise: draws the functions; of the same model.
  ///   - noise: whether rollouts draw the measurements' noise beside the function.
  public init?(_ tabulated: any PosteriorSampler, _ pathwise: any PosteriorSampler, noise: DrawnNoise) {
    func parts(_ sampler: any PosteriorSampler) -> [any PosteriorSampler] {
      (sampler as? GroupedSampler)?.parts.map(\.sampler) ?? [sampler]
    }
    let pairs = zip(parts(tabulated), parts(pathwise)).map {
      ($0 as? TabulatedSampler, $1 as? SparsePathwiseSampler)
    }
    var groups: [GroupTables] = []
    for pair in pairs {
      guard let table = pair.0, let functions = pair.1,
        table.grid.size * functions.mostNormals <= Self.largestRoot
      else { return nil }
      groups.append(GroupTables(table, functions, noise))
    }
    self.groups = groups
  }

  /// Tables of functions, each as values of the shared arrays that the tabulated sampler reads.
  ///
  /// - Parameters:
  ///   - functions: how many.
  ///   - key: of their draws; the same key has the same functions first.
  public func tables(_ functions: Int, key: DrawKey) -> [[String: [Double]]] {
    let parts = groups.map { $0.tables(functions, key: key) }
    return (0..<functions).map { index in
      Dictionary(uniqueKeysWithValues: zip(groups, parts).map { ($0.name, $1[index]) })
    }
  }
}

/// The functions of one group of outputs.
private struct GroupTables: Sendable {
  /// Of the shared array.
  let name: String
  private let functions: SparsePathwiseSampler
  /// Coefficients of each output's mean [points], of its A [m + F, points], and of its noise's deviation [points].
  private let means: [[Double]]
  private let roots: [Matrix]
  private let noises: [[Double]]

  init(_ table: TabulatedSampler, _ functions: SparsePathwiseSampler, _ noise: DrawnNoise) {
    (name, self.functions) = (table.tableName, functions)
    let (grid, group) = (table.grid, table.group)
    let points = grid.points
    let outputs = group.processes.indices
    means = outputs.map { table.meanCoefficients(output: $0) }
    let columns = outputs.map { functions.deviations(output: $0, at: points).transposed }
    roots = columns.map { values in
      let rows = inParallel(values.rows) {
        SplineTable.coefficients(of: values.row($0), counts: grid.counts)
      }
      return Matrix(rows: rows.count, columns: rows[0].count, values: rows.flatMap { $0 })
    }
    noises = outputs.map { k in
      let added =
        noise == .observed
        ? group.processes[k].addedVariance(points, share: group.noiseShares[k])
        : Array(repeating: 0, count: points.rows)
      return SplineTable.coefficients(of: added.map { $0.squareRoot() }, counts: grid.counts)
    }
  }

  func tables(_ count: Int, key: DrawKey) -> [[Double]] {
    let off = roots.indices.map { k in
      functions.normals(output: k, functions: count, key: key).times(roots[k])
    }
    return inParallel(count) { index in
      Interpolation.sideBySide(
        roots.indices.flatMap { k -> [[Double]] in
          let size = means[k].count
          let row = off[k].values[index * size..<(index + 1) * size]
          return [zip(means[k], row).map { $0 + $1 }, noises[k]]
        })
    }
  }
}
