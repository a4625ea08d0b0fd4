// SPDX-License-Identifier: Apache-2.0
// Pictures by gnuplot: it is in every package manager, draws SVG from text, and needs no library in this
// package. In: curves. Out: an SVG element or a PNG file, or why there is none.

import Execution
import Faults
import Foundation
import SafeText
import Synchronization

/// Why there is no picture.
package enum PlotFailure: Fault, Hashable {
  case notFound
  /// With what gnuplot said.
  case failed(String)

  package var origin: FaultOrigin { .surroundings }

  package var statement: String {
    switch self {
    case .notFound: "gnuplot was not found (apt-get install gnuplot-nox)"
    case .failed(let words): "gnuplot failed (\(shortened(words, to: 120)))"
    }
  }
}

extension Plot {
  /// gnuplot's script for the picture, without its terminal.
  var script: String {
    var lines = [
      "set title \(gnuplotString(title))", "set xlabel \(gnuplotString(xLabel))",
      "set ylabel \(gnuplotString(yLabel))",
      "set grid lc rgb '#dddddd'", hasKey ? "set key above" : "set key off",
      "set style fill transparent solid 0.25 noborder",
    ]
    if !hasKey {
      lines += ["set tmargin 1.8", "set bmargin 2.9", "set rmargin 1.5", "set xlabel offset 0,0.7"]
      lines += ["set border lw 0.6", "set tics scale 0.5"]
    }
    if hasEqualScales { lines.append("set size ratio -1") }
    if let xRange { lines.append("set xrange [\(xRange.lowerBound):\(xRange.upperBound)]") }
    if let yRange { lines.append("set yrange [\(yRange.lowerBound):\(yRange.upperBound)]") }
    if hasLogarithmicY { lines += ["set logscale y", "set format y '%g'"] }
    if !xNames.isEmpty {
      let names = xNames.enumerated().map { "\(gnuplotString($1, isFormat: true)) \($0)" }
      // Long ones would run into each other.
      let turn = xNames.contains { $0.count > 8 } ? "rotate by -20 " : ""
      lines += ["set xtics \(turn)(\(names.joined(separator: ", ")))"]
      lines += ["set xrange [-0.6:\(Double(xNames.count) - 0.4)]"]
    }
    if hasLogarithmicX { lines += ["set logscale x", "set format x '%g'"] }
    for (index, curve) in curves.enumerated() {
      lines.append("$data\(index) << EOD")
      for i in curve.x.indices where curve.y[i].isFinite {
        let upper = curve.upper.isEmpty ? "" : " \(curve.upper[i])"
        lines.append("\(curve.x[i]) \(curve.y[i])\(upper)")
      }
      lines.append("EOD")
    }
    lines.append("plot " + curves.indices.map(drawing).joined(separator: ", \\\n  "))
    lines.append(PlotAxes.question)
    return lines.joined(separator: "\n") + "\n"
  }

  /// Lengths of dashes and gaps.
  private static let dashes = [
    "1", "(8,4)", "(2,3)", "(12,4,2,4)", "(16,4)", "(2,3,2,8)", "(8,3,2,3,2,3)", "(4,8)",
    "(20,4,8,4)", "(1,6)",
  ]

  /// What stands behind `plot` for a curve.
  private func drawing(_ index: Int) -> String {
    let title = curves[index].title.map { "title \(gnuplotString($0))" } ?? "notitle"
    switch curves[index].style {
    case .lines(let color, let width):
      return "$data\(index) using 1:2 with lines lc rgb '\(color)' lw \(width) \(title)"
    case .dashes(let color, let width, let kind):
      return
        "$data\(index) using 1:2 with lines dt \(Self.dashes[kind % Self.dashes.count]) lc rgb '\(color)' lw \(width) \(title)"
    case .boxes(let color, let width):
      return "$data\(index) using 1:2:(\(width)) with boxes fill solid 1 lc rgb '\(color)' \(title)"
    case .dots(let color):
      return "$data\(index) using 1:2 with points pt 7 ps 0.3 lc rgb '\(color)' \(title)"
    case .crosses(let color):
      return "$data\(index) using 1:2 with points pt 2 ps 1.2 lw 2 lc rgb '\(color)' \(title)"
    case .band(let color):
      return "$data\(index) using 1:2:3 with filledcurves lc rgb '\(color)' \(title)"
    }
  }

  /// The SVG element, and its axes where gnuplot says them.
  package func svg() throws(PlotFailure) -> (element: String, axes: PlotAxes?) {
    let (data, said) = try run(
      "svg size \(width),\(height) dynamic noenhanced font 'sans-serif,\(fontSize)' background '#ffffff'"
    )
    let svg = String(decoding: data, as: UTF8.self)
    guard let start = svg.range(of: "<svg") else { throw .failed("it drew no SVG") }
    return (String(svg[start.lowerBound...]), PlotAxes(said, height: Double(height)))
  }

  /// A PNG file's bytes, for slides and papers: twice as many points as the SVG has.
  package func png() throws(PlotFailure) -> Data {
    try run(
      "pngcairo size \(2 * width),\(2 * height) noenhanced font 'sans-serif,\(fontSize)' fontscale 1.8 linewidth 2"
    ).data
  }

  /// Whether there is a gnuplot that draws PNG files.
  package static let drawsPNG: Bool = {
    var plot = Plot(title: "", xLabel: "", yLabel: "")
    plot.curves = [
      .init(title: nil, style: .lines(color: "#000000", width: 1), x: [0, 1], y: [0, 1])
    ]
    return (try? plot.png()) != nil
  }()

  /// What gnuplot draws for a terminal, and what it says.
  private func run(_ terminal: String) throws(PlotFailure) -> (data: Data, said: String) {
    guard let gnuplot = Plot.gnuplotPath else { throw .notFound }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: gnuplot)
    // Without anybody's .gnuplot.
    process.arguments = ["-d"]
    let (input, output, errors) = (Pipe(), Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = errors
    do {
      try process.run()
    } catch {
      throw .failed("\(gnuplot) cannot be started")
    }
    let text = Data("set encoding utf8\nset terminal \(terminal)\n\(script)".utf8)
    // A thread for each pipe, so that none can fill up while another waits.
    DispatchQueue.global().async {
      try? input.fileHandleForWriting.write(contentsOf: text)
      try? input.fileHandleForWriting.close()
    }
    let said = Mutex(Data())
    let saying = DispatchGroup()
    DispatchQueue.global().async(group: saying) {
      let words = errors.fileHandleForReading.readDataToEndOfFile()
      said.withLock { $0 = words }
    }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    saying.wait()
    process.waitUntilExit()
    let words = String(decoding: said.withLock { $0 }, as: UTF8.self)
    guard process.terminationStatus == 0 && !data.isEmpty else {
      let reason = words.split(separator: "\n").last { $0.contains(": ") }.map(String.init)
      throw .failed(reason ?? "exit code \(process.terminationStatus)")
    }
    return (data, words)
  }

  /// Path of the gnuplot executable, if there is one.
  static var gnuplotPath: String? { ProgramSearch.find(["gnuplot"]) }
}
