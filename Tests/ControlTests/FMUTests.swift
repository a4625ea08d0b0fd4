// SPDX-License-Identifier: Apache-2.0
// FMUs of controllers and of a model, for FMI 2.0 and 3.0: FMPy finds nothing wrong with them and runs them to the numbers of Swift, many at
// once, in steps of any length, back and forth in time; wrong calls are errors with words (BAGEL_PYTHON with FMPy; skipped and printed
// without).

import Bagel
import CodeExport
import Draws
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import TestSupport
import Testing

/// An instance of an FMU of either version.
private let instance = """
  import json, os, sys, tempfile, zipfile
  from fmpy import extract, read_model_description
  from fmpy.fmi2 import FMU2Slave, fmi2CallbackFunctions, fmi2CallbackLoggerTYPE
  from fmpy.fmi3 import FMU3Slave
  from fmpy.validation import validate_fmu

  class Instance:
      def __init__(self, path, start=0.0, stop=None, values={}, token=None):
          self.description = read_model_description(path)
          self.is_two, self.words = self.description.fmiVersion == "2.0", []
          kind = FMU2Slave if self.is_two else FMU3Slave
          folder = extract(path, unzipdir=tempfile.mkdtemp(dir=os.path.dirname(path)))
          self.fmu = kind(guid=token or self.description.guid, unzipDirectory=folder, instanceName="one",
                          modelIdentifier=self.description.coSimulation.modelIdentifier)
          if self.is_two:
              self.callbacks = fmi2CallbackFunctions()
              self.callbacks.logger = fmi2CallbackLoggerTYPE(lambda e, n, s, c, text: self.words.append(text.decode()))
              self.fmu.instantiate(callbacks=self.callbacks)
          else:
              self.fmu.instantiate(loggingOn=True, logMessage=lambda e, s, c, text: self.words.append(text.decode()))
          self.references = {v.name: v.valueReference for v in self.description.modelVariables}
          self.begin(start, stop, values)

      def begin(self, start=0.0, stop=None, values={}):
          if self.is_two:
              self.fmu.setupExperiment(startTime=start, stopTime=stop)
              self.fmu.enterInitializationMode()
          else:
              self.fmu.enterInitializationMode(startTime=start, stopTime=stop)
          for name, value in values.items(): self.set([name], [value])
          self.fmu.exitInitializationMode()
          self.time = start

      def names(self, causality):
          return [v.name for v in self.description.modelVariables
                  if v.causality == causality and v.type in ("Real", "Float64")]

      def set(self, names, values):
          set = self.fmu.setReal if self.is_two else self.fmu.setFloat64
          set([self.references[n] for n in names], values)

      def get(self, names):
          get = self.fmu.getReal if self.is_two else self.fmu.getFloat64
          return list(get([self.references[n] for n in names]))

      def status(self):
          get = self.fmu.getInteger if self.is_two else self.fmu.getInt32
          return list(get([self.references["status"]]))[0]

      def step(self, length):
          self.fmu.doStep(currentCommunicationPoint=self.time, communicationStepSize=length)
          self.time += length

      def fails(self, call, words):
          try:
              call()
          except Exception:
              assert words in self.words[-1], self.words[-1]
              return
          assert False, words

  """

/// What one instance does not tell of.
private let manyCalls = """
  import math
  path = sys.argv[1]
  one, parts, other = (Instance(path, start=1.5) for _ in range(3))
  inputs, outputs = one.names("input"), one.names("output")
  T = float(one.description.defaultExperiment.stepSize)
  rows = [[math.sin(k + 3 * i) for i in range(len(inputs))] for k in range(20)]
  states = [one.get(outputs)]
  holds_until_arrival = "deviation" in outputs[-1]

  # Inputs count at the sample times alone, outputs hold in between; another instance does not matter.
  for row in rows:
      one.set(inputs, row); parts.set(inputs, row); other.set(inputs, [2.0] * len(inputs))
      one.step(T); other.step(T)
      for part in (0.3 * T, 0.3 * T, 0.4 * T):
          parts.step(part)
          if part < 0.35 * T:
              assert parts.get(outputs) == (states[-1] if holds_until_arrival else one.get(outputs))
          parts.set(inputs, [7.0] * len(inputs))
      states.append(one.get(outputs))
      assert parts.get(outputs) == states[-1]
      parts.time = one.time
  many, long = Instance(path, start=-2.0), Instance(path, start=-2.0)
  for instance in (many, long): instance.set(inputs, rows[1])
  for k in range(10): many.step(T)
  long.step(10 * T)
  assert many.get(outputs) == long.get(outputs)
  late = Instance(path)
  late.set(inputs, rows[1])
  for k in range(1000): late.step(0.0173 * T)
  count = Instance(path)
  count.set(inputs, rows[1])
  for k in range(18 if not holds_until_arrival else 17): count.step(T)
  assert late.get(outputs) == count.get(outputs)

  # States, as they are and as bytes, in the same and in another instance.
  get, set, free, write, read = (getattr(one.fmu, name) for name in (
      ("getFMUstate", "setFMUstate", "freeFMUstate", "serializeFMUstate", "deSerializeFMUstate") if one.is_two
      else ("getFMUState", "setFMUState", "freeFMUState", "serializeFMUState", "deserializeFMUState")))
  def goes_on(instance):
      found = []
      for row in rows[:5]:
          instance.set(inputs, row); instance.step(T); found.append(instance.get(outputs))
      return found
  state, time = get(), one.time
  expected, kept = goes_on(one), write(state)
  one.fails(lambda: read(kept[:-1]), "not a state of this FMU")
  one.fails(lambda: read(b"x" * len(kept)), "not a state of this FMU")
  damaged = bytearray(kept)
  damaged[-20] ^= 1
  one.fails(lambda: read(bytes(damaged)), "damaged")
  for again in (state, read(kept)):
      set(again); one.time = time
      assert goes_on(one) == expected
      free(again)
  setter = other.fmu.setFMUstate if other.is_two else other.fmu.setFMUState
  again = (other.fmu.deSerializeFMUstate if other.is_two else other.fmu.deserializeFMUState)(kept)
  setter(again); other.time = time
  assert goes_on(other) == expected

  # Wrong calls: an error with words, and nothing changes.
  before = one.get(inputs)
  for value in (math.nan, math.inf):
      one.fails(lambda: one.set(inputs[:2], [1.0, value]), "'%s' is not finite" % inputs[1])
  one.fails(lambda: one.set(outputs[:1], [1.0]), "is an output")
  for name in one.names("parameter"): one.fails(lambda: one.set([name], [1.0]), "is fixed")
  assert one.get(inputs) == before
  get_reals = one.fmu.getReal if one.is_two else one.fmu.getFloat64
  for reference in (len(one.references) + 5, 2 ** 32 - 1): one.fails(lambda: get_reals([reference]), "value reference %d" % reference)
  others = one.fmu.getBoolean if one.is_two else one.fmu.getInt64
  one.fails(lambda: others([1]), "no variables of this type")
  for length in (0.0, -T, math.nan, math.inf): one.fails(lambda: one.step(length), "the length positive")
  one.time = time + 5 * T
  one.fails(lambda: one.step(1e9), "too many time steps")
  one.fails(lambda: one.fmu.doStep(currentCommunicationPoint=0.0, communicationStepSize=T), "the step begins at 0 s")
  one.step(T)
  if "status" in one.references: assert one.status() == 0
  one.fmu.terminate()
  one.fails(lambda: one.step(T), "only after initialization")
  one.fails(lambda: one.set(inputs[:1], [1.0]), "has ended")
  one.fmu.reset()
  one.begin(start=1.5, stop=1.5 + 2 * T)
  assert one.get(outputs) == states[0]
  for k in range(2):
      one.set(inputs, rows[k]); one.step(T)
      assert one.get(outputs) == states[k + 1]
  one.fails(lambda: one.step(T), "after the stop time")
  one.fmu.freeInstance()
  try:
      Instance(path, token="{another}")
      assert False
  except AssertionError: raise
  except Exception: pass
  print("passed")
  """

@Suite("FMUs")
struct FMUTests {
  /// The file of an FMU. Throws where the compiler fails.
  private func file(_ fmu: FMU, _ version: FMIVersion) throws -> String {
    let archive = try fmu.archive(version)
    let words = archive.withoutBinary ?? ""
    try #require(archive.binary != nil, "\(words)")
    let path = Scratch.path("\(version.rawValue).fmu")
    try archive.data.write(to: URL(fileURLWithPath: path))
    return path
  }

  /// What a script prints of an FMU, which is sys.argv[1], and of an argument that is JSON.
  private func run(
    _ python: String, _ script: String, _ fmu: String, _ argument: Any = [Double]()
  ) throws -> String {
    let json = String(
      decoding: try JSONSerialization.data(withJSONObject: argument), as: UTF8.self)
    return try output([python, "-c", instance + script, fmu, json])
  }

  /// Outputs of an FMU before the first step and after each of steps of its own length [rows + 1].
  private func outputs(
    _ python: String, _ fmu: FMU, _ version: FMIVersion, rows: [[Double]],
    values: [String: Double] = [:]
  ) throws -> [[Double]] {
    let path = try file(fmu, version)
    let script = """
      given = json.loads(sys.argv[2])
      assert validate_fmu(sys.argv[1]) == [], validate_fmu(sys.argv[1])
      assert zipfile.ZipFile(sys.argv[1]).testzip() is None
      fmu = Instance(sys.argv[1], values=given["values"])
      length = float(fmu.description.defaultExperiment.stepSize)
      found = [fmu.get(fmu.names("output"))]
      for row in given["rows"]:
          fmu.set(fmu.names("input"), row)
          fmu.step(length)
          found.append(fmu.get(fmu.names("output")))
      print(json.dumps(found))
      """
    let text = try run(python, script, path, ["rows": rows, "values": values])
    return try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[Double]])
  }

  private func isClose(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-9 }
  }

  @Test(
    "a controller gives the actions of the original", arguments: ExportCase.inVersions)
  func controller(version: FMIVersion, example: ExportCase) throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, FMUs are not run")
    }
    let (measured, goals, actions) = example.episode
    let takesGoal = example.policy.inputs.goal != .none
    let found = try outputs(
      python, try example.exported.fmu(), version,
      rows: zip(measured, goals).map { takesGoal ? $0 + $1 : $0 })
    #expect(found.first == example.policy.rest)
    for (found, expected) in zip(found.dropFirst(), actions) {
      #expect(isClose(found, expected), "\(found) \(expected)")
    }
  }

  /// A model with a past, and disturbances where they are wanted; states and rest.
  private func model(disturbed: Bool) throws -> (ExportedModel, DynamicsModel, rest: [Double]) {
    let key = DrawKey(seed: 5)
    func rows(_ length: Int, _ step: Int) -> [[Double]] {
      (0..<60).map { k in
        key.normals(particle: k, step: step, count: length).map { 2 * $0 + 1 }
      }
    }
    let form = ModelForm(
      states: 3, actions: 2, disturbances: disturbed ? 2 : 0, stateHistory: 1, actionDelay: 1,
      actionHistory: 1)
    var layout = LogLayout(
      states: ["a", "b", "c"].map { Channel(name: $0, units: "degC") },
      actions: ["u", "v"].map { Channel(name: $0, units: "bar") }, timeStep: 0.05)
    var episode = Episode(name: "random", timeStep: 0.05, states: rows(3, 0), actions: rows(2, 1))
    if disturbed {
      layout.disturbances = [.init(Channel(name: "d")), .init(Channel(name: "e"))]
      episode.disturbances = rows(2, 2)
    }
    let model = try DynamicsModel.fit(
      [episode], layout: layout, form: form, options: FitOptions()
    ).model
    let rest = [0.5, -0.25]
    return (
      try ExportedModel(model, actionLimits: [-3...5, -3...5], rest: rest, name: "random"), model,
      rest
    )
  }

  @Test(
    "a model gives the states of repeated steps, from its start on",
    arguments: FMIVersion.allCases, [false, true])
  func model(version: FMIVersion, disturbed: Bool) throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, FMUs are not run")
    }
    let (export, model, rest) = try model(disturbed: disturbed)
    let middles = model.stateBounds.map { 0.5 * ($0.lowerBound + $0.upperBound) }
    let start = [1.25, middles[1], middles[2]]
    func typical(_ w: Int) -> Double {
      let feature = model.form.features.firstIndex {
        if case .disturbance(w, _) = $0 { true } else { false }
      }
      return feature.map {
        0.5 * (model.featureBounds[$0].lowerBound + model.featureBounds[$0].upperBound)
      } ?? 0
    }
    var x = export.stateNames.map { name -> Double in
      let channel = String(name.prefix(1))
      if let i = ["a", "b", "c"].firstIndex(of: channel) { return start[i] }
      if let j = ["u", "v"].firstIndex(of: channel) { return rest[j] }
      return typical(channel == "d" ? 0 : 1)
    }
    let rows = (0..<20).map { k in
      DrawKey(seed: 9).normals(particle: k, step: 0, count: disturbed ? 4 : 2)
    }
    let found = try outputs(
      python, try export.fmu(), version, rows: rows, values: ["start.a": start[0]])
    #expect(found.count == rows.count + 1 && isClose(found[0], start + [0, 0, 0]))
    for (row, found) in zip(rows, found.dropFirst()) {
      let (next, deviation, _) = export.evaluate(
        x, Array(row.prefix(2)), Array(row.dropFirst(2)))
      #expect(isClose(found, next.prefix(3) + deviation), "\(found) \(next) \(deviation)")
      x = next
    }
  }

  @Test(
    "steps of any length, instances side by side, states that are kept, calls that are wrong",
    arguments: FMIVersion.allCases)
  func calls(version: FMIVersion) throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, FMUs are not run")
    }
    let example = try #require(ExportCase.all.first { $0.policy.inputs.goal == .error })
    for fmu in [try example.exported.fmu(), try model(disturbed: true).0.fmu()] {
      let words = try run(python, manyCalls, try file(fmu, version))
      #expect(words == "passed\n")
    }
  }

  @Test("names of any signs, and names that look the same", arguments: FMIVersion.allCases)
  func hostileNames(version: FMIVersion) throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, FMUs are not run")
    }
    let names = [
      "time", "a\u{1B}", "a\\u{1B}", "\"<&>'\n", "%s #1# \u{FFFE}\u{1FFFF} ??(??)",
      String(repeating: "long ", count: 2_000), "goal.time", "\u{202E}*/ ]]> <!--",
    ]
    let layout = LogLayout(
      states: names.map { Channel(name: $0, units: $0) },
      actions: ["status", "é", "e\u{301}"].map { Channel(name: $0, units: "m<\"&") }, timeStep: 0.1)
    let policy = Policy.network(
      hidden: [],
      inputs: PolicyInputs(stateLength: names.count, actionLength: 3, goal: .error),
      lower: [-1, -2, -3], upper: [1, 2, 3])
    let zeros = names.map { _ in 0.0 }
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: zeros,
      stateScale: zeros.map { _ in 1 })
    let fmu = try ExportedController(
      controller, layout: layout, name: names.joined()
    ).fmu()
    let script = """
      assert validate_fmu(sys.argv[1]) == [], validate_fmu(sys.argv[1])
      description = read_model_description(sys.argv[1])
      names = [v.name for v in description.modelVariables if v.type in ("Real", "Float64") and v.causality != "independent"]
      assert len(set(names)) == \(2 * names.count + 3), names
      assert "goal.time" in names and "goal.time_2" in names and "time_2" in names, names
      print("passed")
      """
    let archive = try fmu.archive(version, compiler: nil)
    let path = Scratch.path("hostile.fmu")
    try archive.data.write(to: URL(fileURLWithPath: path))
    let words = try run(python, script, path)
    #expect(words == "passed\n")
  }

  @Test("the C of both versions is C99 without warnings, and C++", arguments: FMIVersion.allCases)
  func strict(version: FMIVersion) throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, FMUs are not unpacked")
    }
    let example = try #require(ExportCase.all.first)
    for fmu in [try example.exported.fmu(), try model(disturbed: false).0.fmu()] {
      let folder = try Scratch.folder()
      _ = try output([python, "-m", "zipfile", "-e", try file(fmu, version), folder])
      let source = "\(folder)/sources/fmu.c"
      let warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-c", source, "-o", "/dev/null"]
      _ = try output(["cc", "-std=c99"] + warnings)
      _ = try output(
        ["cc", "-std=c99", "-DFMI2_FUNCTION_PREFIX=one_", "-DFMI3_FUNCTION_PREFIX=one_"] + warnings)
      if FileManager.default.isExecutableFile(atPath: "/usr/bin/c++") {
        _ = try output(["/usr/bin/c++", "-x", "c++", "-std=c++11"] + warnings)
      } else {
        print("skipped: no /usr/bin/c++")
      }
    }
  }

  @Test(
    "the same model gives the same bytes; without a compiler, sources and why",
    arguments: FMIVersion.allCases)
  func archives(version: FMIVersion) throws {
    let example = try #require(ExportCase.all.last)
    let archive = try example.exported.fmu().archive(version)
    let again = try example.exported.fmu().archive(version)
    #expect(again.data == archive.data)
    let sources = try example.exported.fmu().archive(version, compiler: nil)
    #expect(sources.binary == nil && sources.withoutBinary?.contains("no C compiler") == true)
    #expect(sources.data.starts(with: [0x50, 0x4B, 3, 4]))
    let failing = try example.exported.fmu().archive(
      version, compiler: FMUCompiler(path: "/no/such/compiler"))
    #expect(failing.binary == nil && failing.withoutBinary?.contains("/no/such/compiler") == true)
    #expect(failing.data == sources.data)
  }
}

extension ExportCase {
  /// Every case in every version; where tests are not thorough in one of them, by turns.
  fileprivate static let inVersions = (all + [turning]).enumerated().flatMap { index, example in
    FMIVersion.allCases.enumerated()
      .filter { isThorough || $0.offset == index % FMIVersion.allCases.count }
      .map { ($0.element, example) }
  }
}
