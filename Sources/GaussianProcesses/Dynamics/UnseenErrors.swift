// SPDX-License-Identifier: Apache-2.0
// The errors of a model on rows that it has not seen, beyond its posterior's variance. Rollouts that predict the machine's
// behaviour must allow for them. From its two halves, each tried on the rows of the other (HalfModels.swift).
//
//   spread       how many times more the mean is off for a second at a time than the posterior says
//   of commands  the more commands change, the less right a model is, which lacks lags and dead bands. With d the change of a command
//                over the last rows, the residuals e of an output have
//
//                  E[e^2] = v + c^2 d^2         c by least squares, 0 where that is not two standard errors above it

import LinearAlgebra

/// What a posterior does not know of its own errors.
package struct UnseenErrors: Sendable {
  /// Of functions about the mean, one per output, 1 at least [M].
  package var spreads: [Double]
  /// c of each output and command: standardised increments per unit of the command's change over `rows` rows [M][A].
  package var ofCommands: [[Double]]

  /// Rows over which a change of commands counts.
  package static let rows = 3

  /// Both empty where nothing is known.
  package init(spreads: [Double], ofCommands: [[Double]]) {
    (self.spreads, self.ofCommands) = (spreads, ofCommands)
  }
}

extension UnseenErrors {
  /// What the halves of a model tell.
  package init(_ halves: [HalfModel], of model: DynamicsModel) {
    func root(_ m: Int, _ value: (HalfModel) -> Double) -> Double {
      (halves.reduce(0) { $0 + value($1) * value($1) } / Double(halves.count)).squareRoot()
    }
    spreads = model.processes.indices.map { m in
      let latent = root(m) { $0.latentDeviations[m] }
      return latent > 0 ? max(1, root(m) { $0.offDeviations[m] } / latent) : 1
    }
    ofCommands = model.processes.indices.map { m in
      model.layout.actions.indices.map { j in root(m) { $0.commandErrors[m][j] } }
    }
  }
}

extension DynamicsModel {
  /// c of each command, of a model's process on blocks of rows that it has not seen [A]; 0 of commands that are read through filters and
  /// formulas alone.
  ///
  /// - Parameters:
  ///   - part: the process.
  ///   - whole: with the data of all rows.
  ///   - blocks: of neighbouring rows.
  func commandErrors(
    of part: GaussianProcess, _ whole: GaussianProcess, _ blocks: [[Int]]
  ) -> [Double] {
    let residuals = blocks.flatMap { rows in
      zip(rows.map { whole.y[$0] }, part.predict(whole.x.selecting(rows: rows)).mean).map {
        $0 - $1
      }
    }
    let squares = residuals.map { $0 * $0 }
    return layout.actions.indices.map { j in
      guard let lag = form.firstLag(ofAction: j),
        let column = form.features.firstIndex(of: .action(j, lag: lag))
      else { return 0 }
      let scale = featureStandardiser.scale[column]
      let changes = blocks.flatMap { rows in
        rows.indices.map { k -> Double in
          let before = rows[max(k - UnseenErrors.rows, 0)]
          let change = scale * (features[rows[k], column] - features[before, column])
          return change * change
        }
      }
      return slopeAboveChance(of: squares, over: changes).squareRoot()
    }
  }
}

extension ModelForm {
  /// The lag of the newest row in which an action is read as it is; nil where it is not.
  package func firstLag(ofAction j: Int) -> Int? {
    features.compactMap { if case .action(j, let lag) = $0, lag >= 0 { lag } else { nil } }.min()
  }
}

/// The slope of y over x by least squares; 0 where it is not two standard errors above it.
private func slopeAboveChance(of y: [Double], over x: [Double]) -> Double {
  let n = Double(x.count)
  guard n > 2 else { return 0 }
  let (meanX, meanY) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
  let variance = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
  guard variance > 0 else { return 0 }
  let slope = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / variance
  let left = zip(x, y).reduce(0) { sum, pair in
    let error = pair.1 - meanY - slope * (pair.0 - meanX)
    return sum + error * error
  }
  let standardError = (left / (n - 2) / variance).squareRoot()
  return slope > doubtfulStandardErrors * standardError ? slope : 0
}
