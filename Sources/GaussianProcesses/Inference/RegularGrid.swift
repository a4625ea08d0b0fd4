// SPDX-License-Identifier: Apache-2.0
// A regular grid over a box, and the cubic interpolation weights of points in it: what tables and KISS-GP
// share. In: a box [D] and points per axis. Out: grid points, geometry for programs (GridFunctions.swift),
// sparse weights W [n, size] of 4^D entries per row.

import Foundation
import LinearAlgebra
import Programs

/// Equally spaced points along each axis, with more outside the box for the stencil.
package struct RegularGrid: Hashable, Sendable {
  /// Coordinate of index 0 of each axis [D].
  package let lower: [Double]
  package let spacing: [Double]
  /// Points of each axis [D], those outside the box included.
  package let counts: [Int]

  /// - Parameters:
  ///   - box: an interval an axis.
  ///   - pointsPerAxis: inside the box, its faces included; at least 2 each.
  ///   - margin: points beyond each face; the stencil needs one.
  package init(box: [ClosedRange<Double>], pointsPerAxis: [Int], margin: Int = 1) {
    precondition(
      box.count == pointsPerAxis.count && pointsPerAxis.allSatisfy { $0 >= 2 },
      "a grid of \(pointsPerAxis) points in \(box.count) axes")
    spacing = zip(box, pointsPerAxis).map {
      max($0.upperBound - $0.lowerBound, 1e-9) / Double($1 - 1)
    }
    lower = zip(box, spacing).map { $0.lowerBound - Double(margin) * $1 }
    counts = pointsPerAxis.map { $0 + 2 * margin }
  }

  /// The grid on which hyperparameters are learnt: the data's bounds, equally many points along each axis, 65,536 at most
  /// (38 an axis in 3 inputs).
  package init(fitting x: Matrix) {
    let root = pow(Double(1 << 16), 1 / Double(x.columns)).rounded(.down)
    let box = (0..<x.columns).map { axis -> ClosedRange<Double> in
      let column = x.column(axis)
      return (column.min() ?? 0)...(column.max() ?? 0)
    }
    self.init(box: box, pointsPerAxis: box.map { _ in max(2, min(100, Int(root) - 2)) })
  }

  /// Larger grids are refused: a root of rank 100 would fill 3 GB.
  package static let largestSize = 1 << 22

  package var dimensions: Int { counts.count }
  package var size: Int { counts.reduce(1, *) }

  /// Rows (lower, 1 / spacing, count) [D, 3], as programs read them.
  package var geometry: [Double] {
    counts.indices.flatMap { [lower[$0], 1 / spacing[$0], Double(counts[$0])] }
  }

  /// Coordinates of one axis' points.
  package func coordinates(axis: Int) -> [Double] {
    (0..<counts[axis]).map { lower[axis] + Double($0) * spacing[axis] }
  }

  /// All points [size, D], the last axis fastest.
  package var points: Matrix {
    var points = Matrix(rows: size, columns: dimensions)
    for index in 0..<size {
      var rest = index
      for axis in counts.indices.reversed() {
        points[index, axis] = lower[axis] + Double(rest % counts[axis]) * spacing[axis]
        rest /= counts[axis]
      }
    }
    return points
  }
}

/// W: which grid points each row interpolates from, and with which weights (cubic convolution).
///
/// Rows outside the box are clamped to it.
package struct GridWeights: Sendable {
  package let grid: RegularGrid
  package let rows: Int
  /// Index of the first point of each row's stencil [rows].
  private let first: [Int32]
  /// Four weights per axis [rows, D, 4].
  private let weights: [Double]

  /// O(rows D).
  package init(_ grid: RegularGrid, _ x: Matrix) {
    precondition(x.columns == grid.dimensions, "\(x.columns) inputs in \(grid.dimensions) axes")
    self.grid = grid
    rows = x.rows
    let d = grid.dimensions
    var first = [Int32](repeating: 0, count: x.rows)
    var weights = [Double](repeating: 0, count: x.rows * d * 4)
    for row in 0..<x.rows {
      var index = 0
      for axis in 0..<d {
        let last = Double(grid.counts[axis] - 2)
        let position = (x[row, axis] - grid.lower[axis]) / grid.spacing[axis]
        let inside = min(max(position, 1), last)
        let cell = min(inside.rounded(.down), last - 1)
        index = index * grid.counts[axis] + Int(cell) - 1
        let four = GridBasis.cubicConvolution.weights(inside - cell).value
        for k in 0..<4 { weights[(row * d + axis) * 4 + k] = four[k] }
      }
      first[row] = Int32(index)
    }
    (self.first, self.weights) = (first, weights)
  }

  /// The weights of some of the rows.
  package func selecting(rows range: Range<Int>) -> GridWeights {
    let width = 4 * grid.dimensions
    return GridWeights(
      grid: grid, rows: range.count, first: Array(first[range]),
      weights: Array(weights[range.lowerBound * width..<range.upperBound * width]))
  }

  private init(grid: RegularGrid, rows: Int, first: [Int32], weights: [Double]) {
    (self.grid, self.rows, self.first, self.weights) = (grid, rows, first, weights)
  }

  /// The grid points and weights of one row: 4^D each.
  package func entries(row: Int) -> (points: [Int], weights: [Double]) {
    let offsets = stencilOffsets
    var products = [Double](repeating: 0, count: offsets.count)
    weights.withUnsafeBufferPointer { fill(&products, $0, row) }
    return (offsets.map { Int(first[row]) + $0 }, products)
  }

  /// W G for G [size, t].
  package func times(_ g: Matrix) -> Matrix {
    let t = g.columns
    var result = Matrix(rows: rows, columns: t)
    let offsets = stencilOffsets
    result.values.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let out = buffer
      forEachRowBlock(count: rows, block: 1_024) { block in
        var products = [Double](repeating: 0, count: offsets.count)
        weights.withUnsafeBufferPointer { weights in
          g.values.withUnsafeBufferPointer { g in
            for row in block {
              fill(&products, weights, row)
              for (k, offset) in offsets.enumerated() {
                let (weight, from) = (products[k], (Int(first[row]) + offset) * t)
                for c in 0..<t { out[row * t + c] += weight * g[from + c] }
              }
            }
          }
        }
      }
    }
    return result
  }

  /// W^T V for V [rows, t]: in a fixed number of slabs of rows, added in order, so that the bits do not
  /// depend on threads.
  package func transposedTimes(_ v: Matrix) -> Matrix {
    let (t, size, offsets) = (v.columns, grid.size, stencilOffsets)
    let slabs = max(1, min(4, rows / 1_000))
    var partial = [Double](repeating: 0, count: slabs * size * t)
    partial.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let out = buffer
      forEachRowBlock(count: slabs, block: 1) { slab in
        let start = slab.lowerBound * size * t
        var products = [Double](repeating: 0, count: offsets.count)
        weights.withUnsafeBufferPointer { weights in
          v.values.withUnsafeBufferPointer { v in
            for row in slab.lowerBound * rows / slabs..<slab.upperBound * rows / slabs {
              fill(&products, weights, row)
              for (k, offset) in offsets.enumerated() {
                let (weight, to) = (products[k], start + (Int(first[row]) + offset) * t)
                for c in 0..<t { out[to + c] += weight * v[row * t + c] }
              }
            }
          }
        }
      }
      for slab in 1..<max(slabs, 1) {
        for i in 0..<size * t { out[i] += out[slab * size * t + i] }
      }
    }
    return Matrix(rows: size, columns: t, values: Array(partial[..<(size * t)]))
  }

  /// Index differences of the 4^D stencil points, the last axis fastest.
  private var stencilOffsets: [Int] {
    var offsets = [0]
    for axis in 0..<grid.dimensions {
      let stride = grid.counts[(axis + 1)...].reduce(1, *)
      offsets = offsets.flatMap { base in (0..<4).map { base + $0 * stride } }
    }
    return offsets
  }

  /// Products of the axes' weights of one row, in the order of `stencilOffsets`.
  private func fill(
    _ products: inout [Double], _ weights: UnsafeBufferPointer<Double>, _ row: Int
  ) {
    let d = grid.dimensions
    products[0] = 1
    var count = 1
    for axis in 0..<d {
      let base = (row * d + axis) * 4
      for i in stride(from: count - 1, through: 0, by: -1) {
        let product = products[i]
        for k in 0..<4 { products[4 * i + k] = product * weights[base + k] }
      }
      count *= 4
    }
  }
}
