// SPDX-License-Identifier: Apache-2.0
// Parts of the training data that judge what is learnt from the rest: whole episodes where there are enough, those that follow one
// another together (a machine and its driver change in time, and a model is used later than it was learnt); else contiguous
// quarters of each (rows side by side know each other). Hyperparameters and standardisers are those of all rows: what is judged
// is a structure and its data.

import GaussianProcesses
import LinearAlgebra
import MachineLogs

/// A part that is left out, and the rest.
struct LeftOutBlock: Sendable {
  let rest: [Episode]
  let judge: [Episode]
  /// Rows of `judge` before the first start.
  let rowsBefore: Int

  /// Blocks at most; three whole episodes are three, which tell more than quarters of each: a quarter is where its episode alone
  /// has been.
  private static let most = 4
  private static let fewestEpisodes = 3
  /// Inducing points through which processes are conditioned on the rest.
  static let rank = 200
  /// Starts of a block, evenly spread.
  private static let starts = 150

  /// Starts in `judge` for a model that looks back so many rows: the same for all up to `rowsBefore`.
  func starts(lookingBack rows: Int) -> [PredictionStart] {
    let all = PredictionStart.all(judge, rowsBefore: max(rowsBefore, rows))
    return evenlySpreadRows(count: all.count, wanted: Self.starts).map { all[$0] }
  }

  /// The blocks of episodes.
  ///
  /// - Parameter rowsBefore: so that models that look back as far as this are judged from the same starts.
  static func blocks(
    of episodes: [Episode], rowsBefore: Int = Horizons.rowsBefore
  ) -> [LeftOutBlock] {
    let least = rowsBefore + 3
    let blockOf = blockNumbers(of: episodes.map(\.count))
    let count = blockOf.map { Set($0).count } ?? most
    return (0..<count).map { block in
      if let blockOf {
        func part(_ isWanted: (Int) -> Bool) -> [Episode] {
          zip(episodes, blockOf).filter { isWanted($0.1) }.map(\.0)
        }
        return LeftOutBlock(
          rest: part { $0 != block }, judge: part { $0 == block }, rowsBefore: rowsBefore)
      }
      var (rest, judge): ([Episode], [Episode]) = ([], [])
      for episode in episodes {
        let from = block * episode.count / count
        let until = (block + 1) * episode.count / count
        judge.append(episode.rowsOnly(from..<until))
        rest += [episode.rowsOnly(0..<from), episode.rowsOnly(until..<episode.count)]
      }
      return LeftOutBlock(
        rest: rest.filter { $0.count >= least }, judge: judge.filter { $0.count >= least },
        rowsBefore: rowsBefore)
    }
  }

  /// The block of each episode, so that blocks have about as many rows; nil where an episode is too long for that.
  private static func blockNumbers(of lengths: [Int]) -> [Int]? {
    let all = lengths.reduce(0, +)
    let count = min(lengths.count, most)
    guard count >= fewestEpisodes, let longest = lengths.max(), 2 * longest <= all else {
      return nil
    }
    var before = 0
    let numbers = lengths.map { length in
      defer { before += length }
      return min((2 * before + length) * count / (2 * all), count - 1)
    }
    return Set(numbers).count == count ? numbers : nil
  }
}

extension LeftOutBlock {
  /// A model conditioned anew without the block; nil where nothing is left beside it that teaches.
  ///
  /// Throws: `FactorizationError`.
  func mean(of model: DynamicsModel, _ options: FitOptions) throws -> DynamicsMean? {
    let lag = model.form.longestLag
    guard rest.reduce(0, { $0 + max(0, $1.count - 1 - lag) }) > 1 else { return nil }
    return try DynamicsMean(model, conditionedOn: rest, options: options, rank: Self.rank)
  }
}

extension [LeftOutBlock] {
  /// Runs of a model over the blocks, each time conditioned anew without the block. Throws: `FactorizationError`.
  func runs(of model: DynamicsModel, _ options: FitOptions) throws -> HorizonRuns {
    let lag = model.form.longestLag
    let parts = try inParallel(count) { number in
      try self[number].mean(of: model, options)?.horizonRuns(
        from: self[number].starts(lookingBack: lag), in: self[number].judge, block: number,
        measured: model.layout.measured)
    }
    var runs = HorizonRuns()
    for part in parts { if let part { runs.add(part) } }
    return runs
  }
}
