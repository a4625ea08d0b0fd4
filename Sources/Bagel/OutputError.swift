// SPDX-License-Identifier: Apache-2.0
// A file or folder that cannot be written, in one line with its path and the system's reason.

import Faults
import TensorFiles

/// Something that cannot be written.
package struct OutputError: Fault {
  package let statement: String
  package var origin: FaultOrigin { .surroundings }

  package init(_ statement: String) { self.statement = statement }

  /// - Parameters:
  ///   - path: of the file or folder.
  ///   - error: Foundation's, whose words name neither path nor reason in full.
  package init(path: String, _ error: any Error) {
    self.init("cannot write \(path): \(systemReason(error))")
  }

  /// - Parameters:
  ///   - path: of the file or folder.
  ///   - errorNumber: the system's.
  package init(path: String, errorNumber: Int32) {
    self.init("cannot write \(path): \(systemReason(errorNumber))")
  }
}

/// Writes to a path and says which one failed. Throws: `OutputError`.
package func writing<T>(_ path: String, _ body: () throws -> T) throws -> T {
  do {
    return try body()
  } catch let error as OutputError {
    throw error
  } catch {
    throw OutputError(path: path, error)
  }
}
