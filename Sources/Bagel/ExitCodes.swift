// SPDX-License-Identifier: Apache-2.0
// What an error means to whoever called: the exit code of the command, and what a function of the C library returns. In: an error of
// any target below. Out: 65 where the input is at fault, 1 for the other errors of BAGEL's own.

import CodeExport
import Execution
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Plants
import PolicySearch
import Samplers
import TensorFiles

/// 65 where the input is at fault, 1 for the other errors of BAGEL's own, nil for those of others.
package func commandExitCode(of error: any Error) -> Int32? {
  switch error {
  case let error as TensorFileError: error.isWriting ? 1 : 65
  case let error as EpisodeFailure: commandExitCode(of: error.cause) ?? 1
  case is LogError, is FactorizationError, is UnsuitableSampler, is CannotSimulate, is GridError,
    is PlantFailure,
    is ControllerFailure, is CannotExport, is LoopError, is SearchError:
    65
  case is StaleMeasurement, is ExecutionError, is CUDAFailure, is OutputError, is LogWritingError: 1
  default: nil
  }
}
