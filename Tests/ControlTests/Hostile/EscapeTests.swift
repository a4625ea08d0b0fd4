// SPDX-License-Identifier: Apache-2.0
// Names and other texts from outside cannot break out of what they are written into: C, gnuplot, HTML, ONNX, file names, logs.

import Bagel
import CodeExport
import Execution
import Foundation
import MachineLogs
import Policies
import SafeText
import TestSupport
import Testing

@Suite("escapes")
struct EscapeTests {
  /// Names by the seeded generator, with all of its pieces among them.
  private static let names: [String] = {
    var text = HostileText(seed: 19)
    return HostileText.pieces + (0..<150).map { _ in text.name() }
  }()

  @Test("a name in a comment of C leaves code as it is, without a warning")
  func cComments() throws {
    let folder = try Scratch.folder()
    // Adjacent on purpose: nothing may be built from two of them either.
    let comments = Self.names.map { "/* '\(escapedForC($0))' \(escapedForC($0 + $0)) */" }
    let text = "int before;\n\(comments.joined(separator: "\n"))\nint after;\n"
    for (end, standard) in [("c", "c99"), ("cpp", "c++17")] {
      let path = "\(folder)/names.\(end)"
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      let options = ["-std=\(standard)", "-Wall", "-Wextra", "-Werror", "-pedantic", "-trigraphs"]
      let compiled = try run(
        HostCompiler.find().path, options + ["-Wno-missing-prototypes", "-E", "-P", path])
      #expect(compiled.status == 0, "\(compiled.errors)")
      let code = compiled.output.split(separator: "\n").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      #expect(code.filter { !$0.isEmpty } == ["int before;", "int after;"])
      let checked = try run(HostCompiler.find().path, options + ["-fsyntax-only", path])
      #expect(checked.status == 0 && checked.errors.isEmpty, "\(checked.errors)")
    }
  }

  @Test("an exported controller compiles whatever its task's, states' and actions' names are")
  func exportedControllers() throws {
    let folder = try Scratch.folder()
    var text = HostileText(seed: 20)
    for index in 0..<12 {
      let (state, action) = (text.name(), text.name())
      let layout = LogLayout(
        states: [Channel(name: state, units: text.name())],
        actions: [Channel(name: action, units: text.name())], timeStep: 0.1)
      let policy = Policy.network(
        hidden: [2], inputs: PolicyInputs(stateLength: 1, actionLength: 1), lower: [-1], upper: [1])
      let controller = PolicyController(
        policy: policy, parameters: policy.initialParameters(1), stateMean: [0], stateScale: [1])
      let exported = ExportedController(controller, layout: layout, name: text.name())
      let path = "\(folder)/controller-\(index).c"
      try exported.data(.c).write(to: URL(fileURLWithPath: path))
      let compiled = try run(
        HostCompiler.find().path,
        [
          "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only",
          "-Wno-unused-function", path,
        ])
      #expect(compiled.status == 0, "\(compiled.errors)")
      #expect(try !exported.data(.onnx).isEmpty)
    }
  }

  @Test("gnuplot draws a picture with any title, and does nothing else")
  func gnuplot() throws {
    guard let program = Report.gnuplotPath else { return print("skipped: no gnuplot") }
    let folder = try Scratch.folder()
    // gnuplot cuts what is longer than a kilobyte, perhaps within a character.
    let all = Self.names.filter { $0.unicodeScalars.count <= longestName }
    for chunk in stride(from: 0, to: all.count, by: 20) {
      let names = all[chunk..<min(chunk + 20, all.count)]
      let curves = names.map { "x title \(gnuplotString($0))" }.joined(separator: ", ")
      let script = """
        set encoding utf8
        set terminal svg noenhanced
        set title \(gnuplotString(names.first ?? ""))
        set xtics (\(names.enumerated().map { "\(gnuplotString($1, isFormat: true)) \($0)" }.joined(separator: ", ")))
        plot \(curves)
        print 'whole'
        """
      let path = folder + "/script.gp"
      try script.write(toFile: path, atomically: true, encoding: .utf8)
      let drawn = try run(program, [path], in: folder)
      #expect(drawn.status == 0 && drawn.errors.hasSuffix("whole\n"), "\(names): \(drawn.errors)")
      #expect(!drawn.output.contains("<script"))
    }
    // "\\0563" would be one character.
    #expect(gnuplotString("0.3a5") == "\"0\\056\\063a5\"")
    #expect(gnuplotString("a'b`\\") == "\"a\\047b\\140\\134\"")
  }

  @Test("HTML shows a name, and no element or attribute begins in it")
  func html() {
    #expect(
      escapedForHTML("a<b> & \"c\" 'd'\u{202E}")
        == "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;\\u{202E}")
    for name in Self.names {
      #expect(!escapedForHTML(name).contains { "<>\"'\0".contains($0) })
    }
  }

  @Test("a name becomes that of one visible file in the present folder")
  func fileNames() {
    for name in Self.names {
      let file = fileName(name)
      #expect(!file.isEmpty && file.utf8.count <= 100 && printable(file) == file, "\(name)")
      #expect(!file.contains("/") && !"-.".contains(file.first ?? "."), "\(name): \(file)")
    }
    #expect(fileName("../../x") == "x")
    #expect(fileName("pump 3/4") == "pump 3-4")
    #expect(fileName("my-boom_2.v1") == "my-boom_2.v1")
    #expect(fileName("角度") == "角度")
    #expect(fileName("..") == "unnamed")
  }

  @Test("every name that a task may have comes back from the log that is written with it")
  func logs() throws {
    let sound = Self.names.filter { problem(ofColumn: $0) == nil }
    #expect(sound.count > 40)
    for name in sound where !LogLayout.usualTimeColumns.contains(name) && name != "u" {
      let path = Scratch.path("log.csv")
      let layout = LogLayout(
        states: [Channel(name: name)], actions: [Channel(name: "u")], timeStep: 0.1)
      let log = try LogWriter(path: path, layout: layout)
      for k in 0..<4 {
        try log.append(time: 0.1 * Double(k), measured: [Double(k)], exogenous: [1], reward: nil)
      }
      log.close()
      let file = try LogFile(path: path, layout: layout)
      #expect(file.header == ["t", name, "u"])
    }
  }

  @Test("names that cannot be seen, or cannot come back from a log, are refused with their place")
  func refusedNames() {
    func message(_ from: String, _ to: String) -> String { SmallTask.message(from, to) }
    #expect(
      message("name: test", "name: \"a\\0b\"")
        == "t.yaml:1: 'name' contains the control character U+0000")
    #expect(
      message("{name: x,", "{name: \" a \",")
        == "t.yaml:4: 'states[0].name' ' a ' begins or ends with a blank; write the name without it"
    )
    #expect(
      message("{name: u,", "{name: \"u\\u202E\",")
        == "t.yaml:7: 'actions[0].name' has U+202E, an invisible character; write the name without it"
    )
    #expect(
      message("{name: x,", "{name: x, column: \"a\\nb\",")
        == "t.yaml:4: 'states[0].column' has U+000A, a control character; write the name without it"
    )
    #expect(message("units: m}", "units: \"m\\e\"}").contains("U+001B"))
    #expect(message("name: test", "name: ../../x") == "no error")
    #expect(
      message("name: test", "name: " + String(repeating: "n", count: 201)).contains("at most 200"))
  }
}
