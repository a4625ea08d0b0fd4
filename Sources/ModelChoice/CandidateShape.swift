// SPDX-License-Identifier: Apache-2.0
// The parts of a candidate, and its name.

import GaussianProcesses

/// The parts of a model that are chosen.
struct CandidateShape: Hashable, Sendable {
  var linear = LinearFit.alone
  /// Rows of states and commands that are features, the present one included.
  var rows = 1
  /// Rows of them that the Gaussian processes read; nil for all.
  var processRows: Int?
  /// Of those features, the ones that each output's process reads; empty for all.
  var selected: [Set<InputFeature>] = []
  /// Processes stand beside known physics (`FitOptions.physics`).
  var isBesidePhysics = false
  /// Outputs without a process, and what the others predict, by name.
  var straightOutputs: Set<Int> = []
  var curvedStates: [String] = []
  /// The command of the predicted row is a feature.
  var hasFeedthrough = false
  /// Time constants, in steps, of filters through which all commands are features too.
  var filters: [Double] = []
  /// Whether processes read these too, beside a linear part that does.
  var processesReadFilters = true
  /// Rows before each command has any effect, one a command; empty for none.
  var deadTimes: [Int] = []
  var profile = RadialProfileName.squaredExponential
  /// Of processes with a joint fit.
  var mean = MeanFunction.linear
  /// The rows are those that a task gives.
  var hasGivenRows = false
  /// Of runs that a linear model is fitted to, or one with processes refined on (`FitOptions.runSteps`).
  var runSteps = 1
  /// Per transition (`FitOptions.ridge`).
  var ridge = 0.0
  /// How positions are integrated from measured rates, if they are.
  var kinematics: Kinematics?

  /// Whether linear part and processes are refined on runs.
  var isRefined: Bool { linear == .first && runSteps > 1 }

  enum Kinematics: Hashable, Sendable, CaseIterable {
    /// x' = x + T v'
    case newRate
    /// x' = x + T (v + v') / 2
    case meanRate

    func update(rate: Int) -> StateUpdate {
      switch self {
      case .newRate: .backwardIntegral(rate: rate, smoothing: 1)
      case .meanRate: .trapezoidalIntegral(rate: rate)
      }
    }
  }

  var name: String {
    func rows(_ count: Int) -> String {
      hasGivenRows ? "the given rows" : count == 1 ? "1 row" : "\(count) rows"
    }
    let process = "Gaussian process (\(profile.rawValue))"
    var words: String
    switch linear {
    case .alone:
      words =
        "linear in \(rows(self.rows))"
        + (runSteps > 1 ? ", fitted to runs of \(runSteps) steps" : "")
    case .first:
      words =
        "linear in \(rows(self.rows)), then a \(process) on \(rows(processRows ?? self.rows))"
        + (curvedStates.isEmpty ? "" : " for \(curvedStates.joined(separator: ", ")) alone")
    case .joint:
      words =
        process + (isBesidePhysics ? " beside known physics" : " with a \(mean.rawValue) mean")
        + " on \(rows(self.rows))"
    }
    if let most = selected.map(\.count).max() {
      words += ", of each output the \(most) inputs that matter most"
    }
    if hasFeedthrough { words += ", with the next command" }
    if deadTimes.contains(where: { $0 > 0 }) {
      words +=
        ", commands \(deadTimes.map(String.init).joined(separator: ", ")) "
        + "rows late"
    }
    if !filters.isEmpty {
      words +=
        ", with commands filtered over "
        + filters.map { "\(Int($0))" }.joined(separator: ", ") + " steps"
        + (processesReadFilters ? "" : " in the linear part")
    }
    if isRefined { words += ", refined on runs of \(runSteps) steps" }
    if ridge > 0 { words += ", ridge \(ridge)" }
    switch kinematics {
    case nil: break
    case .newRate: words += ", positions from their new rates"
    case .meanRate: words += ", positions from their mean rates"
    }
    return words
  }
}
