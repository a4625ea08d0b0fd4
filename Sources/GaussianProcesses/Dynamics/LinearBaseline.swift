// SPDX-License-Identifier: Apache-2.0
// The baseline that everybody has: increments linear in the features, by least squares. Features and increments are
// standardised first, so that units do not matter, and of features that go together the smallest coefficients are taken.

import LinearAlgebra
import MachineLogs

/// increments = B^T (1, features)
struct LinearBaseline {
  private let features: Standardiser
  private let increments: Standardiser
  /// One an output, [1 + D], standardised.
  private let coefficients: [[Double]]

  init(_ episodes: [Episode], form: ModelForm) {
    let data = TransitionSet(episodes, form: form)
    let (x, y) = (Standardiser(fitting: data.features), Standardiser(fitting: data.increments))
    let table = zip(data.features, data.increments).map { x.standardise($0) + y.standardise($1) }
    let moments = SecondMoments(Matrix(table))
    let inputs = Array(0..<form.features.count)
    coefficients = moments.regression(
      of: (0..<form.outputCount).map { inputs.count + $0 }, on: inputs)
    (features, increments) = (x, y)
  }

  /// [M], physical units.
  func increments(_ row: [Double]) -> [Double] {
    let z = [1] + features.standardise(row)
    return increments.restore(coefficients.map { dot($0, z) })
  }
}
