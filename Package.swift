// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// Targets stand in the order of the data. First what the rest computes with: matrices, programs and the
// kernels they become. Then a log line becomes a transition (GaussianProcesses), a Gaussian process, a sampler, with a
// policy a rollout, a controller. On the machine Plants measures, derives, asks the controller, clamps and sends; Bagel decides
// who drives. Arrows point up this list only, and a target names every module that it imports
// (a test compares).
// The end of this file has what only Swift 6.3 and later build: the library for C.

import PackageDescription

/// Everything below Bagel. The command, the library for C and the tests use it directly: what other packages see is what
/// Bagel makes public (`Tests/ControlTests/PublicInterface.txt`), everything else is `package`.
let belowBagelNames = [
  "Draws", "Execution", "Faults", "Formulas", "GaussianProcesses", "LinearAlgebra", "MachineLogs",
  "ModelChoice",
  "Plants",
  "Policies", "CodeExport", "PolicySearch", "Programs", "Rollouts", "SafeText", "Samplers",
  "Tasks",
  "TensorBoard", "TensorFiles", "Watching",
]
let belowBagel = belowBagelNames.map { Target.Dependency(stringLiteral: $0) }

/// BLAS and LAPACK: Apple's own on its systems (not tried), OpenBLAS elsewhere.
#if os(macOS)
  let blas = Target.systemLibrary(name: "CBLAS", path: "Sources/CBLAS/Accelerate")
#else
  let blas = Target.systemLibrary(
    name: "CBLAS", path: "Sources/CBLAS/OpenBLAS", pkgConfig: "openblas",
    providers: [.apt(["libopenblas-dev"])])
#endif

let package = Package(
  name: "bagel",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Bagel", targets: ["Bagel"]),
    .executable(name: "bagel", targets: ["BagelMain"]),
    // For Experiments, the other package of this checkout; what they hold is `package`.
    .library(
      name: "BagelParts", targets: ["Bagel", "BagelCommand", "CVectorMath"] + belowBagelNames),
    .library(name: "TestSupport", targets: ["TestSupport"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.28.0"),
  ],
  targets: [
    blas,
    .systemLibrary(
      name: "CLBFGS", pkgConfig: "liblbfgs",
      providers: [.apt(["liblbfgs-dev"]), .brew(["liblbfgs"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    .target(name: "CVectorMath"),
    .target(name: "CProcessGuard"),
    .target(name: "CKernelFiles"),

    .target(name: "Faults"),
    .target(name: "Draws"),
    .target(
      name: "LinearAlgebra", dependencies: ["CBLAS", "Faults"],
      cSettings: [.define("ACCELERATE_NEW_LAPACK", .when(platforms: [.macOS]))]),
    .target(name: "SafeText"),
    .target(name: "TensorFiles", dependencies: ["CZlib", "Faults", "SafeText"]),
    .target(name: "Programs"),
    .target(name: "Formulas", dependencies: ["Faults", "Programs", "SafeText"]),
    .target(
      name: "Execution",
      dependencies: ["CKernelFiles", "CProcessGuard", "Draws", "Faults", "Programs"]),
    .target(name: "MachineLogs", dependencies: ["CProcessGuard", "CZlib", "Faults", "SafeText"]),
    .target(
      name: "GaussianProcesses",
      dependencies: [
        "CLBFGS", "CVectorMath", "Draws", "Execution", "Faults", "Formulas", "LinearAlgebra",
        "MachineLogs", "Programs", "SafeText", "TensorFiles",
      ]),
    .target(
      name: "ModelChoice",
      dependencies: ["Draws", "GaussianProcesses", "LinearAlgebra", "MachineLogs"]),
    .target(
      name: "Samplers",
      dependencies: [
        "Draws", "Execution", "Faults", "GaussianProcesses", "LinearAlgebra", "Programs",
      ]),
    .target(
      name: "Policies",
      dependencies: ["Draws", "Faults", "Formulas", "Programs", "SafeText", "TensorFiles"]),
    .target(
      name: "Rollouts",
      dependencies: [
        "Draws", "Formulas", "GaussianProcesses", "LinearAlgebra", "MachineLogs", "Policies",
        "Programs", "Samplers",
      ]),
    .target(
      name: "PolicySearch",
      dependencies: [
        "Draws", "Execution", "Faults", "GaussianProcesses", "LinearAlgebra", "MachineLogs",
        "Programs", "Rollouts", "TensorFiles",
      ]),
    .target(
      name: "Plants",
      dependencies: ["CProcessGuard", "Draws", "Faults", "Formulas", "MachineLogs", "SafeText"]),
    .target(
      name: "Watching",
      dependencies: [
        "Faults", "GaussianProcesses", "LinearAlgebra", "MachineLogs", "SafeText", "TensorFiles",
      ]),
    // Another end of the way: the controller without BAGEL, with guards from Watching.
    .target(
      name: "CodeExport",
      dependencies: [
        "CZlib", "Draws", "Execution", "Faults", "Formulas", "GaussianProcesses", "LinearAlgebra",
        "MachineLogs", "Policies", "Programs", "SafeText", "Samplers", "TensorFiles", "Watching",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .target(
      name: "Tasks",
      dependencies: [
        "Faults", "Formulas", "GaussianProcesses", "LinearAlgebra", "MachineLogs", "ModelChoice",
        "Plants", "Policies", "PolicySearch", "Rollouts", "SafeText", "Samplers", "Watching",
        .product(name: "Yams", package: "Yams"),
      ]),
    // Beside the way: curves of a search.
    .target(
      name: "TensorBoard",
      dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")]),
    .target(name: "Bagel", dependencies: belowBagel),
    // Beside the way: whether a device computes what the interpreter defines.
    .target(
      name: "ExecutorChecks", dependencies: ["Draws", "Execution", "Policies", "Programs"]),
    .target(
      name: "BagelCommand",
      dependencies: [
        "Bagel", "CProcessGuard", "ExecutorChecks",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ] + belowBagel),
    .executableTarget(name: "BagelMain", dependencies: ["BagelCommand"]),

    .target(
      name: "TestSupport", dependencies: ["Bagel"] + belowBagel, path: "Tests/TestSupport"),
    .testTarget(name: "DrawsTests", dependencies: ["Draws"]),
    .testTarget(
      name: "ProgramsTests", dependencies: ["Draws", "Programs", "TestSupport"]),
    .testTarget(
      name: "ExecutionTests",
      dependencies: ["Draws", "Execution", "ExecutorChecks", "Programs", "TestSupport"]),
    .testTarget(name: "LearningTests", dependencies: ["Bagel", "TestSupport"] + belowBagel),
    .testTarget(
      name: "ControlTests",
      dependencies: ["Bagel", "BagelCommand", "TestSupport"] + belowBagel,
      exclude: ["PublicInterface.txt"]),
  ]
)

// `@c` (SE-0495) is of Swift 6.3. With an older one everything else is there.
#if compiler(>=6.3)
  package.products.append(.library(name: "BagelForC", type: .static, targets: ["CallsFromC"]))
  package.targets += [
    // bagel.h, and the words of errors.
    .target(name: "CBagel"),
    .target(name: "CallsFromC", dependencies: ["Bagel", "CBagel"] + belowBagel),
  ]
#endif
