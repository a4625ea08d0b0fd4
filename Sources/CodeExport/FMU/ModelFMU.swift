// SPDX-License-Identifier: Apache-2.0
// A learnt model as an FMU: actions and disturbances in, present states and their deviations out. A time step
// begins at a sample time with the inputs as they are then; what it leads to becomes an output at the next
// sample time.

import MachineLogs

extension ExportedModel {
  /// Throws: `CannotExport`.
  package func fmu() throws -> FMU {
    let (a, w) = (layout.actions.count, disturbances.count)
    return FMU(
      identifier: String(cName), name: name,
      words:
        "Learnt model. Its time step is \(layout.timeStep) s, from the start time on. Outputs are the states at the last of these times; "
        + "they follow from the inputs at the time before. Commands were at rest before the start. "
        + "Outside the range of the logs the model extrapolates, and the deviations grow.",
      timeStep: layout.timeStep, reals: inputs + starts + states(beginningAt: a + w) + deviations,
      integers: [],
      sources: [
        FMU.SourceFile(name: "model.c", text: try cSource()),
        FMU.SourceFile(name: "model.h", text: cHeader()),
      ], body: body)
  }

  private var inputs: [FMU.Real] {
    let middle = window.typicalDisturbance
    return layout.actions.enumerated().map { j, channel in
      FMU.Real(
        name: channel.name, words: "action", units: channel.units, causality: .input,
        range: actionLimits[j])
    }
      + disturbances.enumerated().map { i, channel in
        FMU.Real(
          name: channel.name, words: "a disturbance", units: channel.units, causality: .input,
          start: middle[i])
      }
  }

  /// The middle of the logged states where nothing else is said.
  private var starts: [FMU.Real] {
    zip(layout.states, model.stateBounds).map { channel, bounds in
      FMU.Real(
        name: "start.\(channel.name)", words: "\(channel.name) at the start time",
        units: channel.units, causality: .parameter,
        start: 0.5 * bounds.lowerBound + 0.5 * bounds.upperBound)
    }
  }

  private func states(beginningAt first: Int) -> [FMU.Real] {
    layout.states.enumerated().map { i, channel in
      FMU.Real(
        name: channel.name, words: "state: the mean of its prediction", units: channel.units,
        causality: .output, beginsAt: first + i)
    }
  }

  private var deviations: [FMU.Real] {
    layout.states.map { channel in
      FMU.Real(
        name: "deviation.\(channel.name)",
        words:
          "standard deviation of \(channel.name) as predicted from the time step before; 0 at the start time",
        units: channel.units, causality: .output, isRelative: true)
    }
  }

  private var body: FMU.CBody {
    let (a, w, n, k) = (
      layout.actions.count, disturbances.count, layout.states.count, window.count
    )
    let outputs = """
      for (int i = 0; i < \(n); ++i) {
        self->real[\(a + w + n) + i] = self->state[i];
        self->real[\(a + w + 2 * n) + i] = self->deviation[i];
      }
      """
    return FMU.CBody(
      header: "model.h",
      memory: "double state[\(k)];\ndouble next_state[\(k)];\ndouble deviation[\(n)];",
      begin: """
        \(cName)_start(&self->real[\(a + w)], self->state);
        for (int i = 0; i < \(n); ++i) { self->deviation[i] = 0.0; }
        \(outputs)
        """,
      tick: """
        \(cName)_step(
            self->state, &self->real[0], \(w == 0 ? "NULL" : "&self->real[\(a)]"), self->next_state, self->deviation);
        for (int i = 0; i < \(k); ++i) { if (!isfinite(self->next_state[i])) { return 0; } }
        for (int i = 0; i < \(n); ++i) { if (!isfinite(self->deviation[i])) { return 0; } }
        return 1;
        """,
      arrive: """
        memcpy(self->state, self->next_state, sizeof self->state);
        \(outputs)
        """)
  }
}
