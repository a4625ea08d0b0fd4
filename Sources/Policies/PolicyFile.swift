// SPDX-License-Identifier: Apache-2.0
// A policy with its numbers <-> a safetensors file. The header says for which machine it is: channels,
// units, limits, time step, standardiser; a policy is refused for another one.

import Foundation
import TensorFiles

/// What a policy file says about itself.
public struct PolicyDescription: Hashable, Sendable, Codable {
  public var task: String
  public var stateNames: [String]
  public var stateUnits: [String]
  public var actionNames: [String]
  public var lower: [Double]
  public var upper: [Double]
  /// Largest change of each action a step; nil for none.
  public var largestChange: [Double?]
  /// What actuators are sent before the first action.
  public var rest: [Double]
  public var timeStep: Double
  public var hiddenLayers: [Int]
  /// Gaussian basis functions in place of layers, or nil.
  public var basisFunctions: Int?
  public var inputs: PolicyInputs
  /// Bounds of the states in the data that its model was learnt from [S]; goals beyond were never tried.
  public var dataBounds: [ClosedRange<Double>]?
  /// The plant of its task, in words; nil where there was none.
  public var plant: String?
  /// Its return on its model, as the search judged it.
  public var predictedReturn: Double?

  public init(
    task: String, stateNames: [String], stateUnits: [String], actionNames: [String],
    lower: [Double], upper: [Double], largestChange: [Double?], rest: [Double],
    timeStep: Double, hiddenLayers: [Int], basisFunctions: Int? = nil, inputs: PolicyInputs
  ) {
    self.task = task
    self.stateNames = stateNames
    self.stateUnits = stateUnits
    self.actionNames = actionNames
    self.lower = lower
    self.upper = upper
    self.largestChange = largestChange
    self.rest = rest
    self.timeStep = timeStep
    self.hiddenLayers = hiddenLayers
    self.basisFunctions = basisFunctions
    self.inputs = inputs
  }

  /// The policy it describes.
  public func makePolicy() -> Policy {
    let changes =
      largestChange.contains { $0 != nil } ? largestChange.map { $0 ?? .infinity } : []
    if let basisFunctions {
      return Policy.radialBasis(
        count: basisFunctions, inputs: inputs, lower: lower, upper: upper, largestChange: changes,
        rest: rest)
    }
    return Policy.network(
      hidden: hiddenLayers, inputs: inputs, lower: lower, upper: upper, largestChange: changes,
      rest: rest)
  }

  /// The first difference that makes the policy useless for `other`'s machine, or nil.
  public func mismatch(with other: PolicyDescription) -> String? {
    func differ<T: Equatable>(_ what: String, _ a: T, _ b: T) -> String? {
      a == b ? nil : "\(what): its \(a), the task's \(b)"
    }
    func words(_ changes: [Double?]) -> String {
      changes.isEmpty
        ? "none" : changes.map { $0.map { "\($0)" } ?? "none" }.joined(separator: ", ")
    }
    let differences = [
      differ("states", stateNames, other.stateNames),
      differ("states' units", stateUnits, other.stateUnits),
      differ("actions", actionNames, other.actionNames),
      differ("lower limits", lower, other.lower),
      differ("upper limits", upper, other.upper),
      largestChange == other.largestChange
        ? nil
        : differ(
          "largest changes per step", words(largestChange), words(other.largestChange)),
      differ("safe actions", rest, other.rest),
      differ("time step in seconds", timeStep, other.timeStep),
    ]
    return differences.lazy.compactMap { $0 }.first
  }
}

extension PolicyController {
  static var fileFormat: String { "bagel-policy-3" }

  /// Throws: `TensorFileError`.
  public func write(to path: String, description: PolicyDescription) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let json = try encoder.encode(description)
    try TensorFile(
      tensors: [
        "parameters": Tensor(parameters), "state_mean": Tensor(stateMean),
        "state_scale": Tensor(stateScale),
      ],
      metadata: [
        "format": Self.fileFormat, "policy": String(decoding: json, as: UTF8.self),
      ]
    ).write(to: path)
  }

  /// Reads a policy. Throws: `TensorFileError`, also where it was made for another machine than
  /// `expected`.
  public static func read(
    path: String, for expected: PolicyDescription
  ) throws -> (controller: PolicyController, description: PolicyDescription) {
    let (controller, found) = try read(path: path)
    if let difference = found.mismatch(with: expected) {
      throw TensorFileError(
        path: path, "is a policy for another task ('\(found.task)'); \(difference)")
    }
    return (controller, found)
  }

  /// Throws: `TensorFileError`.
  public static func read(
    path: String
  ) throws -> (controller: PolicyController, description: PolicyDescription) {
    let file = try TensorFile(path: path)
    try file.checkFormat(fileFormat, path: path, advice: "search the policy again")
    guard let json = file.metadata["policy"],
      let found = try? JSONDecoder().decode(PolicyDescription.self, from: Data(json.utf8))
    else { throw TensorFileError(path: path, "is damaged: its description cannot be read") }
    let sizes = found.hiddenLayers + (found.basisFunctions.map { [$0] } ?? [])
    guard sizes.allSatisfy({ (1...4_096).contains($0) }), found.inputs.isSound(for: found) else {
      throw TensorFileError(path: path, "is damaged: layers of \(sizes), inputs \(found.inputs)")
    }
    let states = found.stateNames.count
    let policy = found.makePolicy()
    let parameters = try file.tensor("parameters", path: path).values
    guard parameters.count == policy.parameterCount else {
      throw TensorFileError(
        path: path, "has \(parameters.count) parameters, its layers need \(policy.parameterCount)")
    }
    let mean = try file.tensor("state_mean", path: path).values
    let scale = try file.tensor("state_scale", path: path).values
    guard mean.count == states, scale.count == states, scale.allSatisfy({ $0 > 0 }),
      (parameters + mean + scale).allSatisfy(\.isFinite)
    else { throw TensorFileError(path: path, "is damaged: numbers are missing or not finite") }
    let controller = PolicyController(
      policy: policy, parameters: parameters, stateMean: mean, stateScale: scale)
    return (controller, found)
  }
}

extension PolicyInputs {
  fileprivate func isSound(for found: PolicyDescription) -> Bool {
    stateLength == found.stateNames.count && actionLength == found.actionNames.count
      && found.lower.count == actionLength && found.upper.count == actionLength
      && zip(found.lower, found.upper).allSatisfy { $0 < $1 }
      && found.rest.count == actionLength
      && found.rest.indices.allSatisfy {
        (found.lower[$0]...found.upper[$0]).contains(found.rest[$0])
      }
      && (found.largestChange.isEmpty || found.largestChange.count == actionLength)
      && angles.allSatisfy { (0..<stateLength).contains($0) }
      && (0...1_000).contains(actionHistory)
      && found.dataBounds?.count ?? stateLength == stateLength
  }
}
