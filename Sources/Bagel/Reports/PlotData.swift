// SPDX-License-Identifier: Apache-2.0
// What a page's script reads of a picture: where its axes are, and the curves as numbers. In: a picture and gnuplot's axes. Out: a JSON
// object that can stand in an element of HTML. (Rejected: the numbers of the SVG's own paths, which are of its pixels.)

import Foundation
import SafeText

/// Where a picture has its axes: points of the screen from the upper left corner, and the values there.
package struct PlotAxes: Hashable {
  let left, right, top, bottom: Double
  let x, y: ClosedRange<Double>

  /// What gnuplot is asked: it answers with the eight numbers.
  static let question: String = {
    let names = ["X_MIN", "X_MAX", "Y_MIN", "Y_MAX"]
    let all = names.map { "GPVAL_" + $0 } + names.map { "GPVAL_TERM_" + $0.filter { $0 != "_" } }
    let format = all.map { _ in "%.12g" }.joined(separator: " ")
    return "print sprintf('axes \(format)', \(all.joined(separator: ", ")))"
  }()

  /// Of the answer among what it said; nil where there is none.
  init?(_ said: String, height: Double) {
    let answer = said.split(separator: "\n").last { $0.hasPrefix("axes ") }
    let numbers = answer?.split(separator: " ").dropFirst().compactMap { Double($0) } ?? []
    guard numbers.count == 8, numbers.allSatisfy(\.isFinite), numbers[0] < numbers[1],
      numbers[2] < numbers[3]
    else { return nil }
    (x, y) = (numbers[0]...numbers[1], numbers[2]...numbers[3])
    (left, right) = (numbers[4], numbers[5])
    (bottom, top) = (height - numbers[6], height - numbers[7])
  }
}

extension Plot {
  /// The object; "<" is an escape in it, so that nothing ends the element. nil where a number of it is none.
  package func data(_ axes: PlotAxes) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let whole = PageFigure(self, axes)
    guard let bytes = try? encoder.encode(whole) else { return nil }
    return String(decoding: bytes, as: UTF8.self).replacing("<", with: "\\u003c")
  }
}

/// The object's keys, short since they stand in every page; `PageScript` reads them.
private struct PageFigure: Encodable {
  /// Left, right, top, bottom.
  let box: [Double]
  /// Least and most of x and of y.
  let range: [Double]
  /// Whether x and y are logarithmic.
  let log: [Bool]
  let x, y: String
  let names: [String]
  let curves: [PageCurve]

  init(_ plot: Plot, _ axes: PlotAxes) {
    box = [axes.left, axes.right, axes.top, axes.bottom]
    range = [axes.x.lowerBound, axes.x.upperBound, axes.y.lowerBound, axes.y.upperBound]
    log = [plot.hasLogarithmicX, plot.hasLogarithmicY]
    (x, y) = (printable(plot.xLabel), printable(plot.yLabel))
    names = plot.xNames.map { printable($0) }
    curves = plot.curves.map(PageCurve.init)
  }
}

private struct PageCurve: Encodable {
  let name: String
  /// "lines", "dashes", "band", "boxes", "dots", "crosses"
  let kind: String
  /// #rrggbb
  let color: String
  /// 1 hides what is behind.
  let opacity: Double
  let width: Double
  /// The first time and what each next one is later; or all of them.
  let from, step: Double?
  let x: [Double]?
  /// nil for what is no number.
  let y: [Double?]
  let upper: [Double?]?

  init(_ curve: Plot.Curve) {
    name = printable(curve.name.isEmpty ? curve.title ?? "" : curve.name)
    let alpha =
      curve.style.color.utf8.count == 9
      ? Int(curve.style.color.dropFirst().prefix(2), radix: 16) : 0
    opacity = 1 - Double(alpha ?? 0) / 255
    color = "#" + curve.style.color.suffix(6)
    width = curve.style.width
    kind =
      switch curve.style {
      case .lines, .dashes(_, _, 0): "lines"
      case .dashes: "dashes"
      case .band: "band"
      case .boxes: "boxes"
      case .dots: "dots"
      case .crosses: "crosses"
      }
    let first = curve.x.first ?? 0
    let step =
      curve.x.count > 2 ? (curve.x[curve.x.count - 1] - first) / Double(curve.x.count - 1) : 0
    let isEven =
      step > 0
      && curve.x.enumerated().allSatisfy { abs($1 - first - Double($0) * step) < 1e-3 * step }
    (from, self.step, x) = isEven ? (first, step, nil) : (nil, nil, curve.x)
    func numbers(_ values: [Double]) -> [Double?] { values.map { $0.isFinite ? $0 : nil } }
    y = numbers(curve.y)
    upper = curve.upper.isEmpty ? nil : numbers(curve.upper)
  }
}
