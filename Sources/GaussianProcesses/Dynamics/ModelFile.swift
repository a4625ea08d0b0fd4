// SPDX-License-Identifier: Apache-2.0
// A dynamics model <-> a safetensors file (StoredModel has its table), and the fingerprint of a model.

import Execution
import Faults
import Foundation
import TensorFiles

extension DynamicsModel {
  static var fileFormat: String { "bagel-model-5" }
  private static var verdictKey: String { "verdict" }

  /// Writes the model; nothing is written where a number of it is not finite or out of its range.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - provenance: what the model came from, for people.
  ///   - verdict: what held-out logs say of it, for people; nil where none were held out.
  /// - Throws: `TensorFileError`, which names the number.
  package func write(
    to path: String, provenance: String, verdict: String? = nil
  ) throws(TensorFileError) {
    var stored = StoredModel(self)
    var metadata = try stored.structure.metadata(format: Self.fileFormat, path: path)
    metadata["provenance"] = provenance
    metadata[Self.verdictKey] = verdict
    try TensorTable.write(to: path, metadata: metadata) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
  }

  /// What held-out logs said of a file's model; nil where none were held out.
  ///
  /// - Parameter path: of the safetensors file.
  /// - Throws: `TensorFileError`.
  package static func verdict(path: String) throws(TensorFileError) -> String? {
    try TensorFile(path: path).metadata[verdictKey]
  }

  /// Reads a model.
  ///
  /// - Parameter path: of the safetensors file.
  /// - Throws: `TensorFileError`.
  package init(path: String) throws(TensorFileError) {
    self = try Self.stored(path: path).model(path: path)
  }

  private static func stored(path: String) throws(TensorFileError) -> StoredModel {
    let file = try TensorFile(path: path)
    try file.checkFormat(fileFormat, path: path, remedy: .fit)
    var stored = StoredModel(try ModelStructure(file, path: path))
    try TensorTable.read(file, path: path) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
    return stored
  }

  /// 16 hexadecimal digits of the SHA-256 of all that a file of this model holds but its provenance and verdict: models with the same make
  /// the same predictions. It survives writing and reading. O(n D).
  package var fingerprint: String { Self.fingerprint(StoredModel(self)) }

  /// That of a file's model, whose factorisations are not computed for it.
  ///
  /// - Parameter path: of the safetensors file.
  /// - Throws: `TensorFileError`.
  package static func fingerprint(path: String) throws(TensorFileError) -> String {
    fingerprint(try stored(path: path))
  }

  private static func fingerprint(_ model: StoredModel) -> String {
    var model = model
    let tensors = TensorTable.tensors { table throws(TensorFileError) in try model.rows(&table) }
    let file = TensorFile(tensors: tensors, metadata: ["structure": model.structure.text])
    // The header is one of strings and whole numbers, which JSON can always say.
    return String(sha256((try? file.serialized(hasChecksum: false)) ?? Data()).prefix(16))
  }
}
