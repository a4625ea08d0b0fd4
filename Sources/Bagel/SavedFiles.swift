// SPDX-License-Identifier: Apache-2.0
// Models and policies <-> the files that the commands write and read (safetensors).

import GaussianProcesses
import Policies
import Tasks

extension DynamicsModel {
  /// Reads `model.safetensors`.
  ///
  /// - Throws: what is wrong with the file.
  public init(contentsOf path: String) throws { try self.init(path: path) }

  /// Writes a file that `bagel` reads.
  ///
  /// - Throws: where it cannot be written.
  public func write(to path: String) throws { try write(to: path, provenance: "a Swift program") }
}

extension PolicyController {
  /// Reads `policy.safetensors`.
  ///
  /// - Throws: what is wrong with the file.
  public init(contentsOf path: String) throws { self = try Self.read(path: path).controller }
}

extension ControlTask {
  /// Writes a file that `bagel` reads and drives with.
  ///
  /// - Parameters:
  ///   - policy: found by `optimize` on the model.
  ///   - model: on which it was found.
  ///   - path: of the safetensors file.
  /// - Throws: where it cannot be written.
  public func write(
    _ policy: OptimizedPolicy, foundOn model: DynamicsModel, to path: String
  ) throws {
    try policy.best.write(to: path, description: description(of: policy, on: model))
  }
}
