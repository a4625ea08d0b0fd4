// SPDX-License-Identifier: Apache-2.0
// A search's state <-> a safetensors file, so that an interrupted search resumes with the same bits.

import Execution
import Foundation
import TensorFiles

extension SearchState {
  /// Throws: `TensorFileError`.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - fingerprint: identifies task, model and options; `init(path:fingerprint:)` wants it back.
  public func write(to path: String, fingerprint: String) throws {
    let scalars = [
      Double(iteration), rate, bestReturn, Double(bestIteration),
      Double(evaluationsWithoutProgress), Double(halvings), Double(diverged), hasConverged ? 1 : 0,
      Double(adam.steps), Double(truncated), Double(firstIteration), Double(startsDone),
      startBestReturn, Double(stage), firstWidening, widening,
    ]
    try TensorFile(
      tensors: [
        "parameters": Tensor(parameters), "best_parameters": Tensor(bestParameters),
        "start_best_parameters": Tensor(startBestParameters),
        "adam_first_moment": Tensor(adam.firstMoment),
        "adam_second_moment": Tensor(adam.secondMoment), "returns": Tensor(returns),
        "gradient_norms": Tensor(gradientNorms), "scalars": Tensor(scalars),
      ], metadata: ["format": "bagel-search-state-3", "fingerprint": fingerprint]
    ).write(to: path)
  }

  /// Reads a state; nil if it belongs to another task, model or options. Throws: `TensorFileError`.
  public init?(path: String, fingerprint: String) throws {
    let file: TensorFile
    do {
      file = try TensorFile(path: path)
    } catch let error as TensorFileError {
      throw TensorFileError(path: path, error.problem + " (bagel optimize --restart begins afresh)")
    }
    guard file.metadata["format"] == "bagel-search-state-3",
      file.metadata["fingerprint"] == fingerprint
    else { return nil }
    func values(_ name: String) throws -> [Double] { try file.tensor(name, path: path).values }
    let scalars = try values("scalars")
    guard scalars.count == 16 else {
      throw TensorFileError(path: path, "has \(scalars.count) scalars, not 16")
    }
    parameters = try values("parameters")
    bestParameters = try values("best_parameters")
    startBestParameters = try values("start_best_parameters")
    adam = Adam(count: parameters.count)
    adam.firstMoment = try values("adam_first_moment")
    adam.secondMoment = try values("adam_second_moment")
    adam.steps = Int(scalars[8])
    returns = try values("returns")
    gradientNorms = try values("gradient_norms")
    (iteration, rate) = (Int(scalars[0]), scalars[1])
    (bestReturn, bestIteration) = (scalars[2], Int(scalars[3]))
    (evaluationsWithoutProgress, halvings) = (Int(scalars[4]), Int(scalars[5]))
    truncated = Int(scalars[9])
    (firstIteration, startsDone) = (Int(scalars[10]), Int(scalars[11]))
    (startBestReturn, stage) = (scalars[12], Int(scalars[13]))
    (firstWidening, widening) = (scalars[14], scalars[15])
    (diverged, hasConverged) = (Int(scalars[6]), scalars[7] != 0)
  }
}
