// SPDX-License-Identifier: Apache-2.0
// The HTML that every page has: head, style, figures. In: texts and pictures. Out: one self-contained page. It loads nothing, and only
// its own script runs in it, whatever the page contains: the policy in its head gives the hash of that script.

import Execution
import Foundation
import SafeText

/// A whole page.
///
/// - Parameters:
///   - title: a text.
///   - body: HTML.
package func htmlPage(title: String, _ body: [String]) -> String {
  """
  <!doctype html>
  <html lang="en"><head><meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-\(scriptHash)'">
  <meta name="viewport" content="width=device-width">
  <title>BAGEL: \(escapedForHTML(title))</title>
  <style>\(pageStyle)</style></head><body>
  <h1>\(escapedForHTML(title))</h1>
  \(body.joined(separator: "\n"))
  <script>\(pageScript)</script>
  </body></html>

  """
}

/// SHA-256 in base 64.
private let scriptHash: String = {
  let digits = Array(sha256(pageScript.utf8).utf8)
  let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
    UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
  }
  return Data(bytes).base64EncodedString()
}()

extension Plot {
  /// A figure with the picture and its numbers.
  ///
  /// - Parameters:
  ///   - caption: HTML below it.
  ///   - failure: what became of it, where there is no picture.
  package func figure(caption: String = "", failure: inout PlotFailure?) -> String {
    do throws(PlotFailure) {
      let (element, axes) = try svg()
      // Without axes there is a picture that says no values.
      guard let numbers = axes.flatMap({ data($0) }) else {
        return "<figure>\(element)\(caption)</figure>"
      }
      return
        "<figure class=\"plot\">\(element)<script type=\"application/json\">\(numbers)</script>\(caption)</figure>"
    } catch {
      failure = failure ?? error
      return
        "<p><em>\(escapedForHTML(title))</em>: no picture: \(escapedForHTML("\(error)")).</p>\(caption)"
    }
  }
}

/// Light and dark as the reader's system is; on paper always light, without what only a pointer uses. Pictures are drawn for white: the
/// dark page turns their lightness round and keeps their hues.
private let pageStyle = """
  :root{color-scheme:light dark;--ink:#222;--paper:#fff;--line:#ddd;--soft:#666;--good:#176b2c;--bad:#a3201d}
  body{font:16px/1.45 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:var(--ink);background:var(--paper)}
  table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}
  td,th{padding:.25em .8em;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
  td:first-child{min-width:7em}th:first-child,td:first-child,.facts td,.words td:nth-child(2){text-align:left}
  .facts td:first-child{color:var(--soft);white-space:nowrap}
  .facts td{overflow-wrap:anywhere}
  figure{margin:1em 0;position:relative}figure>svg{display:block;width:100%;height:auto}
  .panels{display:grid;grid-template-columns:repeat(3,1fr);gap:.5em 1em}.panels figure{margin:0}
  figcaption{font-size:13px;line-height:1.3;padding:.2em .5em}
  .key strong{margin-right:1em}.key span{margin-right:1.2em;white-space:nowrap}.key b{display:inline-block;width:1.6em;height:.55em;margin-right:.4em}
  .good{color:var(--good)}.bad{color:var(--bad)}.soft{color:var(--soft)}
  .tip{position:absolute;pointer-events:none;background:var(--paper);color:var(--ink);border:1px solid var(--soft);
  border-radius:4px;padding:.2em .5em;font-size:12px;line-height:1.35;white-space:pre;z-index:1}
  .plot>svg{cursor:crosshair}
  @media (max-width:700px){.panels{grid-template-columns:1fr}}
  @media screen and (prefers-color-scheme:dark){
  :root{--ink:#ddd;--paper:#121212;--line:#3a3a3a;--soft:#9a9a9a;--good:#6fcf84;--bad:#ff8a80}
  figure>svg,.key b{filter:invert(.93) hue-rotate(180deg)}}
  @media print{:root{color-scheme:light}body{max-width:none;margin:0;font-size:11pt}
  *{print-color-adjust:exact;-webkit-print-color-adjust:exact}
  .tip,.layer,.hint{display:none}figure,tr{break-inside:avoid}h2,h3{break-after:avoid}}
  """
