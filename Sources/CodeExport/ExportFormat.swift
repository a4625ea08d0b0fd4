// SPDX-License-Identifier: Apache-2.0
// The forms in which things leave, and why one cannot have a form.

import Programs

/// The forms there are.
public enum ExportFormat: String, Sendable, CaseIterable {
  case c
  case onnx
  case safetensors
}

/// What an export cannot say.
public struct CannotExport: Error, CustomStringConvertible {
  public let description: String

  package init(_ description: String) { self.description = description }

  init(_ operation: Programs.Operation, _ format: String) {
    description =
      "the program uses '\(operation)', which \(format) has no words for"
  }
}
