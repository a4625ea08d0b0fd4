// SPDX-License-Identifier: Apache-2.0
// Where programs of this computer lie. In: names. Out: the path of the first one that can be run.

import Foundation

/// A search of PATH.
package enum ProgramSearch {
  /// Folders of PATH, in its order.
  package static var folders: [String] {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
  }

  /// Where C compilers usually are, whatever PATH says.
  package static let compilerFolders = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/opt/llvm/bin"]

  /// Where a program may lie: the first name in each folder, then the second.
  ///
  /// - Parameters:
  ///   - names: without folders.
  ///   - others: folders after those of PATH.
  package static func candidates(_ names: [String], others: [String] = []) -> [String] {
    names.flatMap { name in (folders + others).map { "\($0)/\(name)" } }
  }

  /// The first candidate that can be run; nil where there is none.
  package static func find(_ names: [String], others: [String] = []) -> String? {
    candidates(names, others: others).first(where: FileManager.default.isExecutableFile)
  }
}
