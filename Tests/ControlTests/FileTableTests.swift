// SPDX-License-Identifier: Apache-2.0
// Models, policies and searches through their files: all bits come back; what must not be written is not written; a
// fingerprint tells models apart.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import PolicySearch
import Tasks
import TensorFiles
import TestSupport
import Testing

@Suite("what files hold")
struct FileTableTests {
  @Test("outputs learn from inputs of their own, which come back from a file")
  func inputsOfOutputs() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 10
    task.model.fit.fullIterations = 1
    let all = try task.modelForm()
    func fit(_ inputs: [[Int]]?) throws -> DynamicsModel {
      try DynamicsModel.fit(
        try task.trainingEpisodes(seed: 0), layout: task.layout,
        form: ModelForm(features: all.features, updates: all.updates, inputs: inputs),
        options: task.model.fit
      ).model
    }
    let model = try fit([[0, 1], [1, 2]])
    #expect(
      model.processes.map(\.x) == [
        model.features.selecting(columns: 0...1), model.features.selecting(columns: 1...2),
      ])
    #expect(model.groups.map(\.outputs) == [[0], [1]])
    // What an output does not read does not matter to it.
    let features = [[-0.2, 0.1, 0.5], [-0.2, 0.1, -0.4], [0.3, 0.1, 0.5]]
    let means = model.predictIncrements(features).mean
    #expect(means[0][0] == means[1][0] && means[0][0] != means[2][0])
    #expect(means[0][1] != means[1][1] && means[0][1] == means[2][1])
    let path = Scratch.path("inputs.safetensors")
    try model.write(to: path, provenance: "test")
    let back = try DynamicsModel(path: path)
    #expect(back.form == model.form && back.predictIncrements(features).mean == means)
    // A file whose lists do not fit is refused, not followed.
    let text = try Data(contentsOf: URL(fileURLWithPath: path))
    let written = Data("[[0,1],[1,2]]".utf8)
    for wrong in ["[[0,1],[2,1]]", "[[0,9],[1,2]]", "[[0,1,2]]", "[[],[0,1,2]]"] {
      var bytes = text
      let place = try #require(bytes.range(of: written))
      bytes.replaceSubrange(
        place, with: Data(wrong.padding(toLength: written.count, withPad: " ", startingAt: 0).utf8))
      try bytes.write(to: URL(fileURLWithPath: path))
      #expect(throws: TensorFileError.self) { try DynamicsModel(path: path) }
    }
    // All inputs named for every output give the usual form.
    let (usual, said) = (try fit(nil), try fit([[0, 1, 2], [0, 1, 2]]))
    #expect(usual.form == said.form && usual.fingerprint == said.fingerprint)
    #expect(usual.groups.map(\.outputs) == [[0, 1]])
  }

  @Test("a model comes back with all its bits, and with its fingerprint")
  func model() throws {
    var model = try SmallFiles.model()
    // A covariance function of every kind, a noise that is the same everywhere.
    let (x, y) = (model.processes[0].x, model.processes[0].y)
    let ones = Array(repeating: 1.0, count: x.columns)
    let covariance =
      CovarianceFunction.stationary(
        StationaryCovariance(.matern32, lengthscales: ones, signalVariance: 0.7))
      * .linear(LinearCovariance(variances: ones.map { 0.3 * $0 }))
      + .stationary(StationaryCovariance(.matern52, lengthscales: ones, signalVariance: 2))
    model.processes[0] = try GaussianProcess(
      Hyperparameters(covariance: covariance, mean: .constant, noiseVariance: 0.01), x: x, y: y,
      noiseProfile: LocalNoise(inputs: x, squares: y.map { $0 * $0 }, bandwidth: nil))
    let path = Scratch.path("model.safetensors")
    try model.write(to: path, provenance: "test")
    let back = try DynamicsModel(path: path)
    #expect(back.layout == model.layout && back.form == model.form)
    #expect(back.stateStandardiser == model.stateStandardiser)
    #expect(back.featureStandardiser == model.featureStandardiser)
    #expect(back.incrementStandardiser == model.incrementStandardiser)
    #expect(back.stateBounds == model.stateBounds && back.featureBounds == model.featureBounds)
    #expect(back.loggedStates == model.loggedStates)
    let points = DrawKey(seed: 5).normals(particle: 0, step: 0, count: 3 * x.columns)
    func equal(_ a: GaussianProcess, _ b: GaussianProcess) -> Bool {
      let rows = points.count / a.x.columns
      let m = Matrix(
        rows: rows, columns: a.x.columns, values: Array(points.prefix(rows * a.x.columns)))
      let (p, q) = (a.predict(m), b.predict(m))
      return a.hyperparameters == b.hyperparameters && a.x == b.x && a.y == b.y
        && a.noiseProfile == b.noiseProfile && a.calibration == b.calibration
        && p.mean == q.mean && p.variance == q.variance
    }
    #expect(zip(back.processes, model.processes).allSatisfy(equal))
    let (read, written) = (try #require(back.rewardModel), try #require(model.rewardModel))
    #expect(equal(read.process, written.process) && read.features == written.features)
    #expect((read.mean, read.scale, read.column) == (written.mean, written.scale, written.column))

    #expect(back.fingerprint == model.fingerprint)
    #expect(model.fingerprint.wholeMatch(of: try Regex("[0-9a-f]{16}")) != nil)
    // What it came from does not matter, any number does.
    try model.write(to: path, provenance: "another")
    #expect(try DynamicsModel(path: path).fingerprint == model.fingerprint)
    let changes: [(inout DynamicsModel) -> Void] = [
      { $0.loggedStates[3][1] += 1e-9 }, { $0.layout.states[0].units = "rad" },
      { $0.stateBounds[0] = 0...1 },
    ]
    for change in changes {
      var other = model
      change(&other)
      #expect(other.fingerprint != model.fingerprint)
    }
    #expect(try SmallFiles.task().policyDescription(on: model).model == model.fingerprint)
  }

  @Test(
    "a policy comes back with all its bits and what is said of it, with and without what may be missing"
  )
  func policy() throws {
    let (controller, full) = try SmallFiles.policy()
    var bare = full
    (bare.dataBounds, bare.plant, bare.model, bare.predictedReturn) = (nil, nil, nil, nil)
    bare.largestChange = []
    var some = full
    some.largestChange = [nil, 0.5]
    let path = Scratch.path("policy.safetensors")
    for description in [full, bare, some] {
      try controller.write(to: path, description: description)
      let back = try PolicyController.read(path: path)
      #expect(back.description == description)
      #expect(back.controller.parameters == controller.parameters)
      #expect(back.controller.stateMean == controller.stateMean)
      #expect(back.controller.stateScale == controller.stateScale)
    }
    func change(_ edit: (inout PolicyDescription) -> Void) -> PolicyDescription {
      var other = full
      edit(&other)
      return other
    }
    for description in [
      change { ($0.form, $0.searched) = (.radialBasis(count: 5), "0123456789abcdef") },
      change { $0.inputs.integrated = [1] },
      change { ($0.form, $0.inputs.integrated) = (.pid, [1, 0]) },
    ] {
      let policy = description.makePolicy()
      try PolicyController(
        policy: policy, parameters: policy.initialParameters(1), stateMean: [0, 0],
        stateScale: [1, 1]
      ).write(to: path, description: description)
      let back = try PolicyController.read(path: path)
      #expect(back.description == description)
      #expect(back.controller.parameters == policy.initialParameters(1))
    }
    // Gains that no machine has.
    let pid = change { ($0.form, $0.inputs.integrated) = (.pid, [0]) }
    let made = pid.makePolicy()
    var parameters = made.initialParameters(1)
    parameters[2] = 800
    try PolicyController(
      policy: made, parameters: parameters, stateMean: [0, 0], stateScale: [1, 1]
    ).write(to: path, description: pid)
    let infinite = #expect(throws: TensorFileError.self) { try PolicyController.read(path: path) }
    #expect(infinite?.problem.contains("gains of its PID controller are not finite") == true)
    // Of several forms, or with an integral of nothing.
    try controller.write(to: path, description: full)
    let file = try TensorFile(path: path)
    let words = try #require(file.metadata["structure"])
    let structure = try #require(
      try JSONSerialization.jsonObject(with: Data(words.utf8)) as? [String: Any])
    let edits: [([String: Any], String)] = [
      (["isPID": true, "hiddenLayers": [Int]()], "PID controller of no goal"),
      (["isPID": true, "integrated": [0]], "it is of 2 forms"),
      (["integrated": [2]], "integrates the goals [2] of 2"),
      (["integrated": [0, 0]], "integrates the goals [0, 0] of 2"),
      (["integrated": [0], "goal": "none"], "a goal that it does not see"),
    ]
    for (edit, words) in edits {
      let changed = try JSONSerialization.data(
        withJSONObject: structure.merging(edit) { $1 }, options: .sortedKeys)
      var metadata = file.metadata
      metadata["structure"] = String(decoding: changed, as: UTF8.self)
      try TensorFile(tensors: file.tensors, metadata: metadata).serialized().write(
        to: URL(fileURLWithPath: path))
      let error = #expect(throws: TensorFileError.self) { try PolicyController.read(path: path) }
      #expect(error?.problem.contains(words) == true, "\(error as Any)")
    }
  }

  @Test(
    "a search's state comes back with all its bits, fresh or under way; another one's is not taken")
  func search() throws {
    let (state, options) = try SmallFiles.search()
    let fresh = SearchState(parameters: state.parameters, options: options)
    let path = Scratch.path("search.safetensors")
    for state in [state, fresh] {
      try state.write(to: path, fingerprint: "f", options: options)
      #expect(try TensorFile(path: path).metadata["fingerprint"] == "f")
      func read(_ fingerprint: String, _ count: Int = 7) throws -> SearchState? {
        try SearchState(
          path: path, fingerprint: fingerprint, options: options, parameterCount: count)
      }
      #expect(try read("f") == state)
      #expect(try read("g") == nil)
      let error = #expect(throws: TensorFileError.self) { try read("f", 8) }
      #expect(error?.problem.contains("parameters has the shape [7]; [8] is expected") == true)
    }
    // A horizon that the options do not have would be read beyond the end of their list.
    try state.write(to: path, fingerprint: "f", options: options)
    var short = options
    short.horizons = [10]
    let error = #expect(throws: TensorFileError.self) {
      try SearchState(path: path, fingerprint: "f", options: short, parameterCount: 7)
    }
    #expect(error?.problem.contains("stage is 1.0; whole numbers from 0 to 0 are expected") == true)
    #expect(error?.remedy == .searchAfresh)
  }

  @Test(
    "a number that is not finite is not written: the error names it, and the file that stood there stays"
  )
  func refusedWriting() throws {
    let path = Scratch.path("kept.safetensors")
    func refuse(_ what: String, _ write: () throws -> Void) throws {
      try Data("former".utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: TensorFileError.self) { try write() }
      #expect(error?.isWriting == true && error?.path == path)
      #expect(error?.problem.contains(what) == true, "\(error?.problem ?? "") for \(what)")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "former")
    }
    let (controller, description) = try SmallFiles.policy()
    var parameters = controller.parameters
    parameters[4] = .nan
    let broken = PolicyController(
      policy: controller.policy, parameters: parameters, stateMean: [0, 0], stateScale: [1, 1])
    try refuse("cannot be written: parameters[4] is nan; numbers from -1e+06 to 1e+06 are expected")
    {
      try broken.write(to: path, description: description)
    }
    var other = description
    other.upper[0] = -2
    try refuse("action_upper[0] is -2.0; numbers above the lower limits are expected") {
      try controller.write(to: path, description: other)
    }
    other = description
    other.actionNames[1] = "angle"
    try refuse("'angle' is the name of two channels") {
      try controller.write(to: path, description: other)
    }
    var model = try SmallFiles.model()
    model.loggedStates[2][1] = .infinity
    try refuse("logged_states[2, 1] is inf") { try model.write(to: path, provenance: "") }
    model = try SmallFiles.model()
    model.layout.timeStep = .nan
    try refuse("its time step is nan s") { try model.write(to: path, provenance: "") }
    let search = try SmallFiles.search()
    var state = search.state
    state.startBestReturn = .nan
    try refuse("start_best_return is nan; finite numbers or -inf are expected") {
      try state.write(to: path, fingerprint: "f", options: search.options)
    }
    state.startBestReturn = 0
    state.returns.removeLast()
    try refuse("returns has 11 numbers, not [12]") {
      try state.write(to: path, fingerprint: "f", options: search.options)
    }
  }

  @Test("a search that found no policy ends with an error, not with its first parameters")
  func nothingFound() throws {
    var task = try QuickPendulum.task()
    task.search.iterations = 2
    task.search.starts = 1
    var model = try task.fit().model
    // Increments beyond single precision: the first prediction is no number, and every particle stays where it is.
    let scale = model.incrementStandardiser
    model.incrementStandardiser = Standardiser(
      mean: scale.mean.map { _ in 1e99 }, scale: scale.scale)
    #expect(throws: SearchError.self) { try task.optimize(model) }
  }
}
