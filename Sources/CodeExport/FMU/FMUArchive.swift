// SPDX-License-Identifier: Apache-2.0
// The file of an FMU: a ZIP archive of modelDescription.xml, sources/ and, for this machine, binaries/PLATFORM/NAME.so. In: the FMU, a
// version, a compiler. Out: bytes, the same for the same FMU and compiler.

import Foundation

/// A file that FMI tools read.
package struct FMUArchive: Sendable {
  package let data: Data
  /// The library's place in the archive; nil where it has sources alone.
  package let binary: String?
  /// Why it has no library, in words for people; nil where it has one.
  package let withoutBinary: String?
}

extension FMU {
  /// The archive.
  ///
  /// - Parameters:
  ///   - version: of FMI.
  ///   - compiler: for this machine's library; nil for sources alone.
  /// - Throws: `CannotExport` where it would be too large.
  package func archive(
    _ version: FMIVersion, compiler: FMUCompiler? = FMUCompiler.find()
  ) throws -> FMUArchive {
    let files = [SourceFile(name: Self.sourceName, text: source(version))] + sources
    var archive = ZIPArchive()
    try archive.add("modelDescription.xml", Data(description(version).utf8))
    for file in files { try archive.add("sources/\(file.name)", Data(file.text.utf8)) }
    if version == .three {
      try archive.add("sources/buildDescription.xml", Data(buildDescription.utf8))
    }
    guard let platform = FMUCompiler.platform(version) else {
      return FMUArchive(
        data: archive.data, binary: nil,
        withoutBinary: "FMI \(version.rawValue) has no name for this kind of machine")
    }
    guard let compiler else {
      return FMUArchive(
        data: archive.data, binary: nil,
        withoutBinary: "no C compiler was found (cc, clang, gcc; set BAGEL_CLANG to its path)")
    }
    let library: Data
    do {
      library = try compiler.compile(files)
    } catch {
      return FMUArchive(data: archive.data, binary: nil, withoutBinary: error.description)
    }
    let place = "binaries/\(platform)/\(identifier)\(FMUCompiler.librarySuffix)"
    try archive.add(place, library, isExecutable: true)
    return FMUArchive(data: archive.data, binary: place, withoutBinary: nil)
  }
}
