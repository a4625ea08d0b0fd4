// SPDX-License-Identifier: Apache-2.0
// A dynamics model <-> a safetensors file (StoredModel has its table), and what tells models apart.

import Execution
import Foundation
import TensorFiles

extension DynamicsModel {
  static var fileFormat: String { "bagel-model-5" }

  /// Writes the model; nothing is written where a number of it is not finite or out of its range.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - provenance: what the model came from, for people.
  /// - Throws: `TensorFileError`, which names the number.
  public func write(to path: String, provenance: String) throws(TensorFileError) {
    var stored = StoredModel(self)
    var metadata = try stored.structure.metadata(format: Self.fileFormat, path: path)
    metadata["provenance"] = provenance
    try TensorTable.write(to: path, metadata: metadata) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
  }

  /// Reads a model.
  ///
  /// - Parameter path: of the safetensors file.
  /// - Throws: `TensorFileError`.
  public init(path: String) throws(TensorFileError) {
    let file = try TensorFile(path: path)
    try file.checkFormat(Self.fileFormat, path: path, advice: "run `bagel fit` again")
    var stored = StoredModel(try ModelStructure(file, path: path))
    try TensorTable.read(file, path: path) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
    self = try stored.model(path: path)
  }

  /// 16 hexadecimal digits of the SHA-256 of all that a file of this model holds but its provenance: models with the same make
  /// the same predictions. It survives writing and reading. O(n D).
  public var fingerprint: String {
    var stored = StoredModel(self)
    let tensors = TensorTable.tensors { table throws(TensorFileError) in try stored.rows(&table) }
    let file = TensorFile(tensors: tensors, metadata: ["structure": stored.structure.text])
    // The header is one of strings and whole numbers, which JSON can always say.
    return String(sha256((try? file.serialized()) ?? Data()).prefix(16))
  }
}
