// SPDX-License-Identifier: Apache-2.0
// A policy with its numbers <-> a safetensors file: words (PolicyStructure) as JSON in the header, numbers as tensors,
// and the table that writes and reads them.

import Faults
import SafeText
import TensorFiles

extension PolicyController {
  static var fileFormat: String { "bagel-policy-4" }

  /// Writes the policy; nothing is written where a number of it is not finite or out of its range.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - description: what the file says of it.
  /// - Throws: `TensorFileError`, which names the number.
  package func write(
    to path: String, description: PolicyDescription
  ) throws(TensorFileError) {
    var stored = StoredPolicy(self, description)
    let metadata = try stored.structure.metadata(format: Self.fileFormat, path: path)
    try TensorTable.write(to: path, metadata: metadata) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
  }

  /// Reads a policy. Throws: `TensorFileError`, also where it was made for another machine than
  /// `expected`.
  package static func read(
    path: String, for expected: PolicyDescription
  ) throws(TensorFileError) -> (controller: PolicyController, description: PolicyDescription) {
    let (controller, found) = try read(path: path)
    if let difference = found.mismatch(with: expected) {
      throw TensorFileError(
        path: path, "is a policy for another task ('\(found.task)'); \(difference)")
    }
    return (controller, found)
  }

  /// Throws: `TensorFileError`.
  package static func read(
    path: String
  ) throws(TensorFileError) -> (controller: PolicyController, description: PolicyDescription) {
    let file = try TensorFile(path: path)
    try file.checkFormat(fileFormat, path: path, remedy: .optimize)
    var stored = StoredPolicy(try PolicyStructure(file, path: path))
    try TensorTable.read(file, path: path) { table throws(TensorFileError) in
      try stored.rows(&table)
    }
    let found = stored.policy
    if let gains = PIDGains(found.controller, timeStep: found.description.timeStep), !gains.areSound
    {
      throw TensorFileError(path: path, "is damaged: gains of its PID controller are not finite")
    }
    return found
  }
}

/// A policy without its numbers.
private struct PolicyStructure: FileStructure {
  var task: String
  var stateNames: [String]
  var stateUnits: [String]
  /// How many of the states are disturbances, the last ones; left out where none are.
  var disturbances: Int?
  var actionNames: [String]
  var hiddenLayers: [Int]
  var basisFunctions: Int?
  /// Whether it is a PID controller; left out of others.
  var isPID: Bool?
  /// Goals whose errors are integrated; left out where none are.
  var integrated: [Int]?
  var goal: GoalInput
  /// What goals are of; left out where they are of the states.
  var goals: [StoredQuantity]?
  var angles: [Int]
  var hasRadians: Bool
  var actionHistory: Int
  var hasRateLimits: Bool
  var hasDataBounds: Bool
  var hasPredictedReturn: Bool
  var searched: String?
  var plant: String?
  var model: String?
  var sampler: String?

  init(_ description: PolicyDescription) {
    (task, plant, model) = (description.task, description.plant, description.model)
    (searched, sampler) = (description.searched, description.sampler)
    (stateNames, stateUnits) = (description.stateNames, description.stateUnits)
    let count = description.inputs.disturbanceLength
    disturbances = count == 0 ? nil : count
    actionNames = description.actionNames
    hiddenLayers = []
    switch description.form {
    case .network(let hidden): hiddenLayers = hidden
    case .radialBasis(let count): basisFunctions = count
    case .pid: isPID = true
    case .custom(let name): preconditionFailure("'\(name)' is a closure, which no file holds")
    }
    integrated = description.inputs.integrated.isEmpty ? nil : description.inputs.integrated
    (goal, angles) = (description.inputs.goal, description.inputs.angles)
    goals = description.inputs.goalQuantities?.map(StoredQuantity.init)
    actionHistory = description.inputs.actionHistory
    hasRadians = description.inputs.radians != nil
    hasRateLimits = !description.largestChange.isEmpty
    hasDataBounds = description.dataBounds != nil
    hasPredictedReturn = description.predictedReturn != nil
  }

  var problem: String? {
    if let problem = namesProblem(stateNames, actionNames) { return problem }
    if stateUnits.count != stateNames.count { return "it has \(stateUnits.count) units of states" }
    let words = (stateUnits + [task]).filter { !$0.isEmpty }
    if let problem = words.lazy.compactMap(SafeText.problem(ofName:)).first {
      return "the name of its task or a unit \(problem)"
    }
    for (what, words) in [("plant", plant), ("sampler", sampler)] {
      guard let words, shortened(words, to: longestMessage) != words else { continue }
      return "the words for its \(what) are not as they are written: '\(shortened(words))'"
    }
    if let searched, searched.count != 16 || !searched.allSatisfy(\.isHexDigit) {
      return "'\(shortened(searched))' is no fingerprint of a task"
    }
    if let model, model.count != 16 || !model.allSatisfy(\.isHexDigit) {
      return "'\(shortened(model))' is no fingerprint of a model"
    }
    let widths = hiddenLayers + (basisFunctions.map { [$0] } ?? [])
    guard widths.count <= 1_000, widths.allSatisfy({ (1...4_096).contains($0) }) else {
      return "it has \(widths.count) layers of \(widths.min() ?? 0) to \(widths.max() ?? 0) units"
    }
    guard (0...1_000).contains(actionHistory) else {
      return "it remembers \(actionHistory) rows of actions"
    }
    guard (0..<stateNames.count).contains(disturbances ?? 0) else {
      return "\(disturbances ?? 0) of its \(stateNames.count) states are disturbances"
    }
    guard Set(angles).count == angles.count, angles.allSatisfy(ownStates.indices.contains) else {
      return "its angles are the states \(angles) of \(stateNames.count)"
    }
    if let problem = integralProblem { return problem }
    if let goals, !(1...mostChannels).contains(goals.count) {
      return "it has \(goals.count) quantities as goals"
    }
    return goals?.lazy.compactMap { $0.problem(states: ownStates) }.first
  }

  private var integralProblem: String? {
    let kinds = [!hiddenLayers.isEmpty, basisFunctions != nil, isPID == true].count { $0 }
    if kinds > 1 { return "it is of \(kinds) forms" }
    guard let integrated else { return isPID == true ? "it is a PID controller of no goal" : nil }
    let count = goals?.count ?? ownStates.count
    guard !integrated.isEmpty, Set(integrated).count == integrated.count,
      integrated.allSatisfy((0..<count).contains)
    else { return "it integrates the goals \(integrated) of \(count)" }
    return goal == .none ? "it integrates errors of a goal that it does not see" : nil
  }

  var form: PolicyForm {
    if isPID == true { return .pid }
    return basisFunctions.map { .radialBasis(count: $0) } ?? .network(hidden: hiddenLayers)
  }

  /// Without the disturbances.
  private var ownStates: [String] { stateNames.dropLast(disturbances ?? 0) }

  func inputs(radians: [Double]) -> PolicyInputs {
    PolicyInputs(
      stateLength: stateNames.count, disturbanceLength: disturbances ?? 0,
      actionLength: actionNames.count, goal: goal,
      goalQuantities: goals?.compactMap { $0.quantity(states: ownStates) }, angles: angles,
      radians: hasRadians ? radians : nil, actionHistory: actionHistory,
      integrated: integrated ?? [])
  }

  /// What the parameters' tensor must have; nothing is allocated for it.
  var parameterCount: Int {
    let bounds = actionNames.map { _ in 1.0 }
    return form.makePolicy(
      inputs: inputs(radians: []), lower: bounds.map { -$0 }, upper: bounds
    ).parameterCount
  }
}

/// Words and arrays of a policy.
private struct StoredPolicy {
  let structure: PolicyStructure
  private var timeStep = 0.0
  private var stateMean: [Double] = []
  private var stateScale: [Double] = []
  /// Of goals that are of quantities, and the goals that the data reach, one after another.
  private var goalMean: [Double] = []
  private var goalScale: [Double] = []
  private var loggedGoals: [Double] = []
  private var radians: [Double] = []
  private var lower: [Double] = []
  private var upper: [Double] = []
  private var rest: [Double] = []
  /// Infinite for none.
  private var largestChange: [Double] = []
  private var dataLower: [Double] = []
  private var dataUpper: [Double] = []
  private var predictedReturn = 0.0
  private var parameters: [Double] = []

  /// Without numbers yet.
  init(_ structure: PolicyStructure) { self.structure = structure }

  init(_ controller: PolicyController, _ description: PolicyDescription) {
    structure = PolicyStructure(description)
    timeStep = description.timeStep
    (stateMean, stateScale) = (controller.stateMean, controller.stateScale)
    (goalMean, goalScale) = (controller.goals?.mean ?? [], controller.goals?.scale ?? [])
    loggedGoals = description.loggedGoals.flatMap { $0 }
    radians = description.inputs.radians ?? []
    (lower, upper, rest) = (description.lower, description.upper, description.rest)
    largestChange = description.largestChange.map { $0 ?? .infinity }
    dataLower = description.dataBounds?.map(\.lowerBound) ?? []
    dataUpper = description.dataBounds?.map(\.upperBound) ?? []
    predictedReturn = description.predictedReturn ?? 0
    parameters = controller.parameters
  }

  /// The table.
  mutating func rows(_ table: inout TensorTable) throws(TensorFileError) {
    let states = TensorTable.Size.count(structure.stateNames.count)
    let actions = TensorTable.Size.count(structure.actionNames.count)
    try table.row("time_step", &timeStep, .positive)
    try table.row("state_mean", &stateMean, [states], .physical)
    try table.row("state_scale", &stateScale, [states], .positive)
    if let goals = structure.goals {
      let goals = TensorTable.Size.count(goals.count)
      try table.row("goal_mean", &goalMean, [goals], .physical)
      try table.row("goal_scale", &goalScale, [goals], .positive)
      try table.row("logged_goals", &loggedGoals, [.free("logged goals"), goals], .physical)
    }
    if structure.hasRadians {
      try table.row("angle_radians", &radians, [.count(structure.angles.count)], .positive)
    }
    try table.row("action_lower", &lower, [actions], .physical)
    try table.row("action_upper", &upper, [actions], .above(lower))
    try table.row("action_rest", &rest, [actions], .between(lower, upper))
    if structure.hasRateLimits {
      try table.row(
        "action_largest_change", &largestChange, [actions], .positive.or(.infinity))
    }
    if structure.hasDataBounds {
      try table.row("data_lower", &dataLower, [states], .physical)
      try table.row("data_upper", &dataUpper, [states], .notBelow(dataLower))
    }
    if structure.hasPredictedReturn { try table.row("predicted_return", &predictedReturn) }
    try table.row("parameters", &parameters, [.count(structure.parameterCount)], .parameters)
  }

  var policy: (controller: PolicyController, description: PolicyDescription) {
    var description = PolicyDescription(
      task: structure.task, stateNames: structure.stateNames, stateUnits: structure.stateUnits,
      actionNames: structure.actionNames, lower: lower, upper: upper,
      largestChange: largestChange.map { $0.isFinite ? $0 : nil }, rest: rest, timeStep: timeStep,
      form: structure.form, inputs: structure.inputs(radians: radians))
    (description.plant, description.model) = (structure.plant, structure.model)
    (description.searched, description.sampler) = (structure.searched, structure.sampler)
    if structure.hasDataBounds {
      description.dataBounds = zip(dataLower, dataUpper).map { $0...$1 }
    }
    if let goals = structure.goals {
      description.loggedGoals = stride(from: 0, to: loggedGoals.count, by: goals.count).map {
        Array(loggedGoals[$0..<$0 + goals.count])
      }
    }
    if structure.hasPredictedReturn { description.predictedReturn = predictedReturn }
    let controller = PolicyController(
      policy: description.makePolicy(), parameters: parameters, stateMean: stateMean,
      stateScale: stateScale,
      goals: structure.goals == nil ? nil : GoalStandardiser(mean: goalMean, scale: goalScale))
    return (controller, description)
  }
}
