// SPDX-License-Identifier: Apache-2.0
// Functions of the posterior as tables: what a tabulated sampler reads in place of its own table, so that a rollout of a function costs
// as much as any other of that sampler. In: a tabulated sampler and a sparse-pathwise one of the same model. Out: tables, one a function
// and group.
//
// A function is off the mean by A n, n its standard normals and A one column each [points, m + F] (SparsePathwiseSampler). Few directions
// of n matter: with V the first eigenvectors of A^T A, each row of A scaled to length 1 (where the data are, deviations are small), A V n'
// with fewer normals n' has all but a thousandth of those variances together. Coefficients of splines are linear in values, so the columns of A V
// are made coefficients once, and a function's are
//
//   c_mean + A V n'             of the mean's columns
//   those of the noise alone    of the deviation's columns
//
// 2 operations a grid point, function, output and normal n'; nothing depends on the steps that read it.

import Draws
import GaussianProcesses
import LinearAlgebra
import Programs

/// Functions of a model's posterior, as tables.
package struct FunctionTables: Sendable {
  private let groups: [GroupTables]

  /// Grid points of a table, at most.
  private static let largestTable = 1 << 16

  /// nil where a group's table is no spline table, or too large.
  ///
  /// - Parameters:
  ///   - tabulated: what rollouts read; tables replace its own.
  ///   - pathwise: draws the functions; of the same model.
  ///   - noise: whether rollouts draw the measurements' noise beside the function.
  package init?(
    _ tabulated: any PosteriorSampler, _ pathwise: any PosteriorSampler, noise: DrawnNoise
  ) {
    func parts(_ sampler: any PosteriorSampler) -> [any PosteriorSampler] {
      (sampler as? GroupedSampler)?.parts.map(\.sampler) ?? [sampler]
    }
    let pairs = zip(parts(tabulated), parts(pathwise)).map {
      ($0 as? TabulatedSampler, $1 as? SparsePathwiseSampler)
    }
    var groups: [GroupTables] = []
    for pair in pairs {
      guard let table = pair.0, let functions = pair.1,
        table.grid.size <= Self.largestTable
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
  package func tables(_ functions: Int, key: DrawKey) -> [[String: [Double]]] {
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
  /// Coefficients of each output's mean [points], of its A V [normals, points], and of its noise's deviation [points].
  private let means: [[Double]]
  private let roots: [Matrix]
  private let noises: [[Double]]

  /// Points by which directions are chosen, of the grid and of the data each.
  private static let sampledPoints = 1_000
  /// Part of the variance that the other directions have.
  private static let neglected = 1e-3
  /// Grid points whose deviations are computed at a time.
  private static let pointsAtOnce = 2_048

  init(_ table: TabulatedSampler, _ functions: SparsePathwiseSampler, _ noise: DrawnNoise) {
    (name, self.functions) = (table.tableName, functions)
    let (grid, group) = (table.grid, table.group)
    let points = grid.points
    let outputs = group.processes.indices
    means = outputs.map { table.meanCoefficients(output: $0) }
    let sampled = Matrix(
      evenlySpreadRows(count: points.rows, wanted: Self.sampledPoints).map(points.row)
        + group.spreadInputs(Self.sampledPoints))
    roots = outputs.map { k in
      let directions = Self.directions(of: functions.deviations(output: k, at: sampled))
      let starts = Array(stride(from: 0, to: points.rows, by: Self.pointsAtOnce))
      let blocks = inParallel(starts.count) { block -> Matrix in
        let rows = starts[block]..<min(starts[block] + Self.pointsAtOnce, points.rows)
        return functions.deviations(output: k, at: points.selecting(rows: Array(rows)))
          .times(directions)
      }
      let values = Matrix(
        rows: points.rows, columns: directions.columns, values: blocks.flatMap(\.values)
      ).transposed
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

  /// V [m + F, normals] of deviations [points, m + F].
  private static func directions(of deviations: Matrix) -> Matrix {
    let lengths = (0..<deviations.rows).map { i in
      deviations.row(i).reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    let scaled = deviations.scalingRows(by: lengths.map { $0 > 0 ? 1 / $0 : 0 })
    let (values, vectors) = scaled.times(scaled, transposingFirst: true).symmetricEigenvalues
    var left = neglected * values.reduce(0, +)
    var first = 0
    while first < values.count - 1, values[first] <= left {
      left -= max(values[first], 0)
      first += 1
    }
    return vectors.selecting(columns: first..<values.count)
  }

  /// Functions that are made together: so many at a time read A V from memory once.
  private static let functionsTogether = 8

  func tables(_ count: Int, key: DrawKey) -> [[Double]] {
    let normals = roots.indices.map { k in
      functions.normals(roots[k].rows, output: k, functions: count, key: key)
    }
    let starts = Array(stride(from: 0, to: count, by: Self.functionsTogether))
    return inParallel(starts.count) { block in
      let rows = Array(starts[block]..<min(starts[block] + Self.functionsTogether, count))
      // One thread a block, so that no number of threads changes bits.
      let off = roots.indices.map { k in
        withOneBLASThread { normals[k].selecting(rows: rows).times(roots[k]) }
      }
      return rows.indices.map { index in
        Interpolation.sideBySide(
          roots.indices.flatMap { k -> [[Double]] in
            let mean = means[k]
            let first = index * mean.count
            return off[k].values.withUnsafeBufferPointer { off in
              [mean.indices.map { mean[$0] + off[first + $0] }, noises[k]]
            }
          })
      }
    }.flatMap { $0 }
  }
}
