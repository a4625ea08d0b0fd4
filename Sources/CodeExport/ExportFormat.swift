// SPDX-License-Identifier: Apache-2.0
// The export formats, and why something cannot be exported.

import Faults
import Foundation
import Programs

/// The forms there are.
package enum ExportFormat: String, Sendable, CaseIterable {
  case c
  case onnx
  case fmu
  case safetensors
}

/// What leaves: a controller, or a model.
package protocol Exportable {
  /// "controller", "model"
  var kind: String { get }
  /// A file's contents; of an FMU those of FMI 2.0. Throws: `CannotExport`.
  func data(_ format: ExportFormat) throws -> Data
  /// The FMU, for either version of FMI. Throws: `CannotExport`.
  func fmu() throws -> FMU
  /// What belongs beside the file of C.
  var header: Data { get }
  /// The files of a folder for C: source, header, a test with answers of the original, and what its reader must know.
  ///
  /// Throws: `CannotExport`.
  func cFolder() throws -> [(name: String, data: Data)]
}

/// What an export cannot say.
package struct CannotExport: Fault {
  package let statement: String
  package let remedy: Remedy?

  package init(_ statement: String, remedy: Remedy? = nil) {
    (self.statement, self.remedy) = (statement, remedy)
  }

  init(_ operation: Programs.Operation, _ format: String) {
    self.init("the program uses '\(operation.word)', which \(format) cannot express")
  }
}
