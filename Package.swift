// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// Targets stand in the order of the data. First what the rest computes with: matrices, programs and the
// kernels they become. Then a log line becomes a transition, a Gaussian process, a sampler, with a policy a
// rollout, a controller. Arrows point up this list only.

import PackageDescription

let package = Package(
  name: "bagel",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Bagel", targets: ["Bagel"]),
    .executable(name: "bagel", targets: ["BagelCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.28.0"),
  ],
  targets: [
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev"]), .brew(["openblas"])]),
    .systemLibrary(
      name: "CLBFGS", pkgConfig: "liblbfgs",
      providers: [.apt(["liblbfgs-dev"]), .brew(["liblbfgs"])]),

    .target(name: "CVectorMath"),
    .target(name: "CProcessGuard"),
    .target(name: "CKernelFiles"),

    .target(name: "LinearAlgebra", dependencies: ["COpenBLAS"]),
    .target(name: "SafeText"),
    .target(name: "TensorFiles", dependencies: ["SafeText"]),
    .target(name: "Programs"),
    .target(name: "Execution", dependencies: ["CKernelFiles", "CProcessGuard", "Programs"]),
    .target(name: "MachineLogs", dependencies: ["SafeText"]),
    .target(
      name: "GaussianProcesses",
      dependencies: [
        "MachineLogs", "LinearAlgebra", "SafeText", "TensorFiles", "Execution", "CLBFGS",
        "CVectorMath",
      ]),
    .target(name: "Samplers", dependencies: ["GaussianProcesses"]),
    .target(name: "Policies", dependencies: ["Programs", "SafeText", "TensorFiles"]),
    .target(
      name: "PolicyExport",
      dependencies: [
        "Policies", "MachineLogs", "SafeText",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .target(name: "Rollouts", dependencies: ["Samplers", "Policies", "MachineLogs", "SafeText"]),
    // Beside the way: long-term predictions in closed form, a baseline of the paper.
    .target(
      name: "MomentMatching", dependencies: ["GaussianProcesses", "Policies", "CVectorMath"]),
    .target(name: "PolicySearch", dependencies: ["Rollouts"]),
    .target(
      name: "Plants", dependencies: ["CProcessGuard", "MachineLogs", "Programs", "SafeText"]),
    .target(
      name: "Tasks",
      dependencies: ["PolicySearch", "Plants", "SafeText", .product(name: "Yams", package: "Yams")]),
    .target(
      name: "TensorBoard",
      dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")]),
    .target(name: "Bagel", dependencies: ["Tasks", "PolicyExport", "TensorBoard", "SafeText"]),
    // The paper's experiments again, with its baselines.
    .target(name: "Reproduction", dependencies: ["Bagel", "MomentMatching", "SafeText"]),
    // Beside the way: whether a device computes what the interpreter defines.
    .target(name: "ExecutorChecks", dependencies: ["Execution", "Policies"]),
    .executableTarget(
      name: "BagelCommand",
      dependencies: [
        "Bagel", "CProcessGuard", "ExecutorChecks", "Reproduction", "SafeText",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .target(name: "TestSupport", path: "Tests/TestSupport"),
    .testTarget(name: "ProgramsTests", dependencies: ["Programs"]),
    .testTarget(
      name: "ExecutionTests",
      dependencies: ["ExecutorChecks", "Execution", "Programs", "TestSupport"]),
    .testTarget(name: "LearningTests", dependencies: ["Bagel", "TestSupport"]),
    .testTarget(
      name: "BaselineTests",
      dependencies: ["Bagel", "MomentMatching", "Reproduction", "TestSupport"]),
    .testTarget(
      name: "ControlTests", dependencies: ["Bagel", "BagelCommand", "SafeText", "TestSupport"]),
  ]
)
