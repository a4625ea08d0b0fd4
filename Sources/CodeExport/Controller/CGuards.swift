// SPDX-License-Identifier: Apache-2.0
// The watch of exported C code: the same tests as `ExportedRun`, on the row's measurements and states.

import Programs
import Watching

extension ExportedController {
  /// Whether sensors that freeze are looked for.
  var watchesFrozen: Bool {
    guards.responses[.frozen] != .off
      && layout.measuredColumns.contains { guards.longestRepeats[$0, default: 0] > 0 }
  }

  private var watchesBounds: Bool {
    guards.responses[.beyondData] != .off && !boundedStates.isEmpty
  }

  /// Matters that are looked for, and what follows.
  private var watched: [(finding: ControllerFinding, response: WatchResponse)] {
    ExportedGuards.watched.compactMap { matter, finding in
      let isWatched =
        switch matter {
        case .beyondData: watchesBounds
        case .frozen: watchesFrozen
        case .late: guards.responses[.late] != .off
        case .innovation: false
        }
      return isWatched ? (finding, guards.responses[matter]) : nil
    }
  }

  /// Whether it can stop, and whether it can hold.
  var canStop: Bool { !guards.limits.isEmpty || watched.contains { $0.response == .stop } }
  var canHold: Bool { watched.contains { $0.response == .fallback } }

  /// What a task looks for, and exported code does not, in words; and what the task says follows.
  package var notWatched: [(response: WatchResponse, words: String)] {
    var gaps: [(response: WatchResponse, words: String)] = []
    func add(_ matter: WatchedMatter, _ isGap: Bool, _ words: String) {
      let response = guards.responses[matter]
      guard isGap, response != .off else { return }
      gaps.append((response, "\(matter.rawValue) (\(response.rawValue)): \(words)"))
    }
    let unjudged = layout.measuredColumns.filter { guards.longestRepeats[$0, default: 0] == 0 }
    add(.innovation, true, "it needs the model, which only `bagel run` has")
    add(.beyondData, !watchesBounds, "the policy's file has no bounds of its data")
    add(
      .frozen, !unjudged.isEmpty,
      "of \(unjudged.joined(separator: ", ")): no log of this policy's model shows how often their values repeat, or it shows that they repeat often"
    )
    if let fallback = guards.fallback {
      gaps.append(
        (
          .fallback,
          "\(fallback): where the task has `fallback`, this code goes to the resting action"
        ))
    }
    return gaps
  }

  /// Bits that its status can have.
  var usedFindings: [ControllerFinding] {
    [.notFinite] + watched.map(\.finding) + (guards.limits.isEmpty ? [] : [.leftLimits])
      + (canStop ? [.stopped] : []) + (canHold ? [.holding] : [])
  }

  /// The limited quantities of a row of states, as a program: "state" [S] -> "limited" [L].
  var limitsProgram: Program {
    let builder = ProgramBuilder()
    if guards.limits.isEmpty { return builder.finish() }
    let state = builder.input("state", length: layout.states.count)
    builder.output("limited", builder.concatenate(guards.limits.map { $0.quantity.value(state) }))
    return builder.finish()
  }

  /// The call of `findings` in a step.
  var findingLine: String {
    guard !watched.isEmpty || !guards.limits.isEmpty else { return "" }
    return "    status |= findings(self, position, states);\n" + latchingLines
  }

  private var latchingLines: String {
    func mask(_ response: WatchResponse, _ more: [ControllerFinding]) -> String? {
      let findings = watched.filter { $0.response == response }.map(\.finding) + more
      return findings.isEmpty
        ? nil : findings.map(bit).joined(separator: " | ")
    }
    let stop = mask(.stop, guards.limits.isEmpty ? [] : [.leftLimits])
    let hold = mask(.fallback, [])
    return (stop.map { "    if ((status & (\($0))) != 0u) { self->stopped = 1; }\n" } ?? "")
      + (hold.map { "    if ((status & (\($0))) != 0u) { self->holding = 1; }\n" } ?? "")
  }

  /// The function that looks at a row; empty where nothing is looked for. Throws: `CannotExport`.
  func cFindings() throws -> String {
    guard !watched.isEmpty || !guards.limits.isEmpty else { return "" }
    var lines: [String] = []
    if watchesFrozen {
      let limits = layout.measuredColumns.map { guards.longestRepeats[$0] ?? 0 }
      lines += [
        "  {",
        "    static const int longest[\(limits.count)] = {\(limits.map { "\($0)" }.joined(separator: ", "))}; /* 0: not judged */",
        "    for (int c = 0; c < \(limits.count); ++c) {",
        "      if ((self->rows == 0) || (position[c] < self->measured[c]) || (position[c] > self->measured[c])) {",
        "        self->repeats[c] = 0;",
        "      } else if (self->repeats[c] < longest[c]) {", "        self->repeats[c] += 1;",
        "      } else {", "        /* as long as is counted */", "      }",
        "      if ((longest[c] > 0) && (self->repeats[c] >= longest[c])) { status |= \(bit(.frozen)); }",
        "    }", "  }",
      ]
    }
    if guards.responses[.late] != .off {
      let late = RunWatch.lateSteps * layout.timeStep
      lines.append(
        "  if ((self->rows > 0) && (self->elapsed >= \(late))) { status |= \(bit(.late)); }")
    }
    if watchesBounds, let bounds = guards.bounds {
      let box = DataBox(bounds: bounds)
      for i in boundedStates {
        let (lower, upper) = box.edges(of: i)
        lines.append(
          "  if ((states[\(i)] < \(lower)) || (states[\(i)] > \(upper))) { status |= \(bit(.beyondData)); }"
        )
      }
    }
    var limited = ""
    if !guards.limits.isEmpty {
      let program = limitsProgram
      let result = program.output("limited").index
      limited = """

        static void limited_quantities(const double *state, double *limited)
        {
        \(try cBody(program).joined(separator: "\n"))
          for (int i = 0; i < \(guards.limits.count); ++i) { limited[i] = v\(result)[i]; }
        }

        """
      lines += ["  {", "    double limited[\(guards.limits.count)];"]
      lines.append("    limited_quantities(states, limited);")
      for (i, limit) in guards.limits.enumerated() {
        // So that what is no number has left them, too.
        lines.append(
          "    if (!((limited[\(i)] >= \(limit.range.lowerBound)) && (limited[\(i)] <= \(limit.range.upperBound)))) { status |= \(bit(.leftLimits)); }"
        )
      }
      lines.append("  }")
    }
    let measured = watchesFrozen ? "" : "  (void)position;\n"
    let states = watchesBounds || !guards.limits.isEmpty ? "" : "  (void)states;\n"
    let own = watchesFrozen || guards.responses[.late] != .off ? "" : "  (void)self;\n"
    return limited + """

      static unsigned int findings(\(watchesFrozen ? "" : "const ")\(cName) *self, const double *position, const double *states)
      {
        unsigned int status = 0u;
      \(measured)\(states)\(own)\(lines.joined(separator: "\n"))
        return status;
      }

      """
  }
}
