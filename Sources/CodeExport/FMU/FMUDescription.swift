// SPDX-License-Identifier: Apache-2.0
// modelDescription.xml of an FMU for both versions, and buildDescription.xml of FMI 3.0. In: the FMU. Out: XML.
//
// Outputs hold between sample times, so none depends on an input that was set at the same communication point: their lists of
// dependencies are empty. All are calculated at the start, from a parameter or from nothing.

import SafeText

extension FMU {
  /// The text of modelDescription.xml.
  func description(_ version: FMIVersion) -> String {
    let isThree = version == .three
    let head = element(
      "fmiModelDescription",
      [
        ("fmiVersion", version.rawValue), ("modelName", name),
        (isThree ? "instantiationToken" : "guid", token(version)), ("description", words),
        ("generationTool", "BAGEL"), ("variableNamingConvention", "flat"),
      ], isOpen: true)
    func lines(_ lines: [String]) -> String {
      lines.map { "    " + $0 }.joined(separator: "\n")
    }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      \(head)
      \(isThree ? coSimulation3 : coSimulation2)
      \(unitDefinitions)  <LogCategories>
          <Category name="logStatusError" description="What was called wrongly, and what cannot be computed"/>
        </LogCategories>
      \(defaultExperiment)
        <ModelVariables>
      \(lines(isThree ? variables3 : variables2))
        </ModelVariables>
        <ModelStructure>
      \(lines(isThree ? structure3 : structure2))
        </ModelStructure>
      </fmiModelDescription>

      """
  }

  /// The text of sources/buildDescription.xml.
  var buildDescription: String {
    """
    <?xml version="1.0" encoding="UTF-8"?>
    <fmiBuildDescription fmiVersion="3.0">
      <BuildConfiguration modelIdentifier="\(identifier)">
        <SourceFileSet language="C99">
    \(compiled.map { "      " + element("SourceFile", [("name", $0.name)]) }.joined(separator: "\n"))
        </SourceFileSet>
      </BuildConfiguration>
    </fmiBuildDescription>

    """
  }

  /// Files to compile, beside the FMU's own.
  private var compiled: [SourceFile] {
    [SourceFile(name: Self.sourceName, text: "")] + sources.filter { $0.name.hasSuffix(".c") }
  }

  private var coSimulation2: String {
    let open = element(
      "CoSimulation",
      [
        ("modelIdentifier", identifier), ("canHandleVariableCommunicationStepSize", "true"),
        ("canNotUseMemoryManagementFunctions", "true"), ("canGetAndSetFMUstate", "true"),
        ("canSerializeFMUstate", "true"),
      ], isOpen: true)
    let files = compiled.map { "      " + element("File", [("name", $0.name)]) }
    return """
        \(open)
          <SourceFiles>
      \(files.joined(separator: "\n"))
          </SourceFiles>
        </CoSimulation>
      """
  }

  private var coSimulation3: String {
    "  "
      + element(
        "CoSimulation",
        [
          ("modelIdentifier", identifier), ("canGetAndSetFMUState", "true"),
          ("canSerializeFMUState", "true"), ("canHandleVariableCommunicationStepSize", "true"),
          ("fixedInternalStepSize", "\(timeStep)"),
        ])
  }

  private var unitDefinitions: String {
    let units = units
    if units.isEmpty { return "" }
    let lines = units.map { unit -> String in
      guard let base = unit.base else { return "    " + element("Unit", [("name", unit.name)]) }
      let open = element("Unit", [("name", unit.name)], isOpen: true)
      return "    \(open)\(element("BaseUnit", base.map { ($0.name, $0.value) }))</Unit>"
    }
    return "  <UnitDefinitions>\n\(lines.joined(separator: "\n"))\n  </UnitDefinitions>\n"
  }

  /// A hundred time steps.
  private var defaultExperiment: String {
    "  "
      + element(
        "DefaultExperiment",
        [("startTime", "0"), ("stopTime", "\(100 * timeStep)"), ("stepSize", "\(timeStep)")])
  }

  // MARK: variables

  private func variability(_ causality: Causality) -> String {
    switch causality {
    case .input: "continuous"
    case .output: "discrete"
    case .parameter: "fixed"
    }
  }

  private func initial(_ causality: Causality) -> String? {
    switch causality {
    case .input: nil
    case .output: "calculated"
    case .parameter: "exact"
    }
  }

  /// Unit, limits and start.
  private func numbers(of real: Real, _ units: [FMUUnit]) -> [(String, String?)] {
    func limit(_ value: Double?) -> String? { value.flatMap { $0.isFinite ? "\($0)" : nil } }
    let unit = definition(of: real.units, in: units)?.name
    return [
      ("unit", unit), ("relativeQuantity", real.isRelative && unit != nil ? "true" : nil),
      ("min", limit(real.range?.lowerBound)), ("max", limit(real.range?.upperBound)),
      ("start", real.causality == .output ? nil : "\(real.start)"),
    ]
  }

  private var variables2: [String] {
    let units = units
    func variable(
      _ name: String, _ reference: Int, _ words: String, _ causality: Causality, _ inner: String
    ) -> String {
      element(
        "ScalarVariable",
        [
          ("name", name), ("valueReference", "\(reference)"), ("description", words),
          ("causality", causality.rawValue), ("variability", variability(causality)),
          ("initial", initial(causality)),
        ], isOpen: true) + inner + "</ScalarVariable>"
    }
    return reals.enumerated().map { i, real in
      variable(
        real.name, reference(ofReal: i), real.words, real.causality,
        element("Real", numbers(of: real, units)))
    }
      + integers.enumerated().map { i, integer in
        variable(integer.name, reference(ofInteger: i), integer.words, .output, "<Integer/>")
      }
  }

  private var variables3: [String] {
    let units = units
    func attributes(
      _ name: String, _ reference: Int, _ words: String, _ causality: Causality
    ) -> [(String, String?)] {
      [
        ("name", name), ("valueReference", "\(reference)"), ("description", words),
        ("causality", causality.rawValue), ("variability", variability(causality)),
        ("initial", initial(causality)),
      ]
    }
    let time = element(
      "Float64",
      [
        ("name", "time"), ("valueReference", "0"), ("description", "s"),
        ("causality", "independent"), ("variability", "continuous"),
      ])
    return [time]
      + reals.enumerated().map { i, real in
        element(
          "Float64",
          attributes(real.name, reference(ofReal: i), real.words, real.causality)
            + numbers(of: real, units))
      }
      + integers.enumerated().map { i, integer in
        element(
          "Int32", attributes(integer.name, reference(ofInteger: i), integer.words, .output))
      }
  }

  // MARK: structure

  /// References of outputs, and of what each begins at.
  private var outputs: [(reference: Int, beginsAt: Int?)] {
    reals.indices.filter { reals[$0].causality == .output }.map {
      (reference(ofReal: $0), reals[$0].beginsAt.map { reference(ofReal: $0) })
    } + integers.indices.map { (reference(ofInteger: $0), nil) }
  }

  private func unknown(
    _ tag: String, _ key: String, _ reference: Int, dependsOn known: Int?
  ) -> String {
    element(
      tag,
      [
        (key, "\(reference)"), ("dependencies", known.map { "\($0)" } ?? ""),
        ("dependenciesKind", known == nil ? nil : "constant"),
      ])
  }

  private var structure2: [String] {
    func list(_ name: String, _ known: (Int?) -> Int?) -> [String] {
      ["<\(name)>"]
        + outputs.map {
          "  " + unknown("Unknown", "index", $0.reference, dependsOn: known($0.beginsAt))
        } + ["</\(name)>"]
    }
    return list("Outputs") { _ in nil } + list("InitialUnknowns") { $0 }
  }

  private var structure3: [String] {
    outputs.map { unknown("Output", "valueReference", $0.reference, dependsOn: nil) }
      + outputs.map {
        unknown("InitialUnknown", "valueReference", $0.reference, dependsOn: $0.beginsAt)
      }
  }

  /// "<tag key="value"/>"; attributes without a value are left out.
  private func element(
    _ tag: String, _ attributes: [(String, String?)], isOpen: Bool = false
  ) -> String {
    let text = attributes.compactMap { key, value in
      value.map { " \(key)=\"\(escapedForHTML(Self.plain($0)))\"" }
    }
    return "<\(tag)\(text.joined())\(isOpen ? ">" : "/>")"
  }
}
