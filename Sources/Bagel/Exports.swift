// SPDX-License-Identifier: Apache-2.0
// Bagel: the whole way in four calls, for programs and for the command line.
//   ControlTask("boom") -> fit() -> optimize(model) -> evaluate(controller) -> Report
// In: a task (logs or a plant, model, policy, reward). Out: a model, a policy, episodes on a plant, a page
// with pictures. Importing Bagel imports the targets below it.

@_exported import Draws
@_exported import Execution
@_exported import Formulas
@_exported import GaussianProcesses
@_exported import LinearAlgebra
@_exported import MachineLogs
@_exported import ModelChoice
@_exported import Plants
@_exported import Policies
@_exported import CodeExport
@_exported import PolicySearch
@_exported import Programs
@_exported import Rollouts
@_exported import Samplers
@_exported import Tasks
@_exported import TensorBoard
@_exported import TensorFiles
@_exported import Watching
