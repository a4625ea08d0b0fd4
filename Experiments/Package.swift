// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// What repeats the paper's experiments and measures BAGEL: a package beside BAGEL's own, so that nobody who uses BAGEL builds it.
// Its program is `bagel-experiments`; `bagel reproduce` and `bagel benchmark` become it. `make build` builds both packages into one
// folder (.build), where they share what they have in common (see the Makefile).

import Foundation
import PackageDescription

/// SwiftPM names a package after its folder, and for `package` access writes _ for what an identifier of C cannot have.
let bagel = URL(fileURLWithPath: Context.packageDirectory).deletingLastPathComponent()
  .lastPathComponent.lowercased()

let packageName = String(
  bagel.enumerated().map { index, letter in
    letter == "_" || letter.isLetter || (letter.isNumber && index > 0) ? letter : "_"
  })

/// For `package` access the checkout is one package: benchmarks measure parts that no other package sees. (`packageAccess: false`
/// keeps SwiftPM from adding the name of this one.)
let sees: [SwiftSetting] = [.unsafeFlags(["-package-name", packageName])]
let parts: Target.Dependency = .product(name: "BagelParts", package: bagel)
let arguments: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "Experiments",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "bagel-experiments", targets: ["ExperimentsCommand"])],
  dependencies: [
    .package(path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
  ],
  targets: [
    // Long-term predictions in closed form, a baseline of the paper.
    .target(name: "CMomentSums", dependencies: [parts]),
    .target(
      name: "MomentMatching", dependencies: ["CMomentSums", parts], packageAccess: false,
      swiftSettings: sees),
    // CMA-ES, the search of Black-DROPS.
    .target(
      name: "EvolutionStrategies", dependencies: [parts], packageAccess: false, swiftSettings: sees),
    // The figures of the paper.
    .target(
      name: "Reproduction", dependencies: ["EvolutionStrategies", "MomentMatching", parts],
      packageAccess: false, swiftSettings: sees),
    .executableTarget(
      name: "ExperimentsCommand", dependencies: ["Reproduction", arguments, parts],
      packageAccess: false, swiftSettings: sees),
    .testTarget(
      name: "ExperimentTests",
      dependencies: [
        "EvolutionStrategies", "MomentMatching", "Reproduction", parts,
        .product(name: "TestSupport", package: bagel),
      ],
      packageAccess: false, swiftSettings: sees),
  ]
)
