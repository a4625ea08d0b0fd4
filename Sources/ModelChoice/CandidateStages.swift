// SPDX-License-Identifier: Apache-2.0
// The candidates for a log, in order: lines, the plain model of a search, Gaussian processes. Each stage varies the best of
// the earlier stages.

import GaussianProcesses
import MachineLogs

/// The stages of a choice.
struct CandidateStages: Sendable {
  let trial: CandidateTrial
  /// Of lines, which leave out what a task fixes: for a search they only tell what to try.
  let free: CandidateForms
  /// Of models with processes.
  let forms: CandidateForms
  let choice: ChoiceOptions
  let effort: Effort
  /// One a command; empty where none is late.
  let deadTimes: [Int]
  private var plain: PlainModel { forms.plain }

  /// Time constants of filtered commands, in steps: of quick, slower and slow machines.
  private static let filters = [[2.0, 5, 10], [5, 10, 30], [5, 20, 80]]
  private static let actuatorFilters = [1.0, 2]
  /// Steps of the runs that linear models are fitted to.
  private static let linearSteps = 40
  /// And of those that processes are refined on, beside a linear part.
  private static let refinedSteps = 50
  private static let mostRefinedRows = 5
  /// Per transition: a little, which calms weights of features that go together ...
  private static let lightRidge = 0.01
  /// ... and so much that hardly any linear part is left: the processes learn the change.
  private static let heavyRidge = 10.0

  /// Linear models: how many rows, then ridge, kinematics, feedthrough, dead times, filters.
  func considerStraight(_ contest: inout Contest) throws {
    var linear: [TriedCandidate] = []
    for rows in HorizonReference.histories {
      let shape = CandidateShape(rows: rows)
      if let tried = contest.attempt(shape.name, { try tried(shape, free) }) {
        linear.append(tried)
      }
    }
    // They were fitted to one transition: a line has no processes. How far a run goes from the data, all of them tell.
    let means = try linear.map {
      try DynamicsMean(
        $0.model, conditionedOn: trial.episodes, options: $0.options, rank: LeftOutBlock.rank)
    }
    let reference = HorizonReference(
      trial.blocks, linear: Array(zip(means, linear.map(\.runs))), layout: forms.layout,
      usual: trial.usual)
    contest.reference = reference
    contest.add(baselines: linear.map { trial.scored($0, reference) })
    func vary(_ change: (inout CandidateShape) -> Void) throws {
      guard var shape = contest.straight?.shape else { return }
      change(&shape)
      try consider(shape, free, &contest)
    }
    try vary { $0.ridge = Self.lightRidge }
    for kinematics in CandidateShape.Kinematics.allCases where !forms.rates.isEmpty {
      try vary { $0.kinematics = kinematics }
    }
    if choice.purpose == .forecasts { try vary { $0.hasFeedthrough = true } }
    if !deadTimes.isEmpty {
      for rows in [2, contest.straight?.shape.rows ?? 1] {
        try vary { ($0.rows, $0.deadTimes) = (rows, deadTimes) }
      }
    }
    for filters in Self.filters { try vary { $0.filters = filters } }
    for rows in HorizonReference.histories {
      guard var shape = contest.straight?.shape else { continue }
      (shape.rows, shape.runSteps) = (rows, Self.linearSteps)
      if free.form(shape).canBeFittedToRuns { try consider(shape, free, &contest) }
    }
  }

  /// The model as the task has it.
  func considerPlain(_ contest: inout Contest) throws {
    guard choice.takes(plain.form) else { return }
    let shape = plain.shape
    let name = "the plain model: \(plain.words)"
    contest.pay(effort.cost(shape, outputs: plain.form.outputCount))
    guard
      let tried = contest.attempt(
        name,
        {
          try trial.tried(
            name, plain.form, forms.options(shape), layout: forms.layout, shape: shape)
        })
    else { return }
    contest.add(plain: trial.scored(tried, contest.reference))
  }

  /// Gaussian processes beside what the straight ones found, then what is varied of the best.
  func considerCurved(_ contest: inout Contest) throws {
    let straight = contest.straight?.shape ?? CandidateShape()
    func curved(
      _ fit: LinearFit, rows: Int, processRows: Int? = nil, ridge: Double? = nil,
      filtersInLine: Bool = false, deadTimes: [Int]? = nil
    ) throws {
      var shape = straight
      if let deadTimes { shape.deadTimes = deadTimes }
      shape.processesReadFilters = !filtersInLine
      (shape.linear, shape.rows) = (fit, rows)
      shape.processRows = processRows.flatMap { $0 < rows ? $0 : nil }
      shape.runSteps = 1
      if let ridge { shape.ridge = ridge }
      if fit == .joint { (shape.ridge, shape.filters) = (0, []) }
      try consider(shape, forms, &contest)
    }
    try curved(.first, rows: straight.rows, processRows: 2)
    try curved(.first, rows: straight.rows, processRows: 1)
    if !straight.filters.isEmpty {
      try curved(.first, rows: straight.rows, processRows: 1, filtersInLine: true)
    }
    if !deadTimes.isEmpty && straight.deadTimes.isEmpty {
      try curved(.joint, rows: 1, deadTimes: deadTimes)
    }
    if choice.purpose == .search {
      try curved(.joint, rows: 1)
      try considerActuators(&contest)
    }
    try curved(.joint, rows: 2)
    try curved(.first, rows: 2, processRows: 2, ridge: Self.heavyRidge)
    try curved(.joint, rows: 5)
    func vary(_ change: (inout CandidateShape) -> Void) throws {
      guard var shape = contest.curved?.shape else { return }
      change(&shape)
      try consider(shape, forms, &contest)
    }
    if choice.purpose == .forecasts { try vary { $0.hasFeedthrough.toggle() } }
    for filters in [Self.filters[0], []] {
      try vary {
        $0.filters = filters
        $0.processesReadFilters = choice.purpose == .forecasts || $0.linear == .joint
      }
    }
    try considerFewerProcesses(&contest)
    try vary { $0.profile = .rationalQuadratic }
    for rows in HorizonReference.histories {
      try vary {
        $0.rows = rows
        $0.processRows = $0.processRows.flatMap { $0 < rows ? $0 : nil }
      }
    }
    try considerFewerInputs(&contest)
    try considerRefined(&contest)
  }

  /// For a search: one row and each command through one filter, as an actuator with a little lag has it, where tables serve that; alone
  /// and beside a linear part.
  private func considerActuators(_ contest: inout Contest) throws {
    for steps in Self.actuatorFilters {
      var shape = CandidateShape()
      (shape.linear, shape.filters) = (.joint, [steps])
      let form = forms.form(forms.fixing(shape))
      if form.mostInputs > choice.lightInputs ?? .max { return }
      try consider(shape, forms, &contest)
      guard let straight = contest.straight?.shape else { continue }
      (shape.linear, shape.rows, shape.processRows) = (.first, straight.rows, 1)
      shape.ridge = straight.ridge
      try consider(shape, forms, &contest)
    }
  }

  /// For a search: of the inputs of the best those few that matter most to each output, so that tables serve it; as it is, and
  /// beside a linear part, which may read the others.
  private func considerFewerInputs(_ contest: inout Contest) throws {
    guard choice.purpose == .search, !choice.fixed.contains(.inputs), let most = choice.lightInputs,
      let best = contest.curved, best.model.form.mostInputs > most
    else { return }
    let relevance: InputRelevance
    do {
      relevance = try InputRelevance(best.model, most: most)
    } catch {
      contest.note(failure: "\(error)", of: "\(most) inputs an output")
      return
    }
    contest.relevance = relevance
    var shape = best.shape
    shape.selected = relevance.selected
    try consider(shape, forms, &contest)
    (shape.linear, shape.processRows) = (.first, nil)
    try consider(shape, forms, &contest)
  }

  /// Processes for those outputs alone that they surely make better.
  private func considerFewerProcesses(_ contest: inout Contest) throws {
    guard choice.purpose == .forecasts, let curved = contest.curved, curved.shape.linear == .first
    else { return }
    let shape = withSureProcesses(curved, contest)
    guard !shape.straightOutputs.isEmpty, !shape.curvedStates.isEmpty else { return }
    try consider(shape, forms, &contest)
  }

  /// The best with processes, refined on runs; of forecasts in those outputs alone that processes surely make better.
  private func considerRefined(_ contest: inout Contest) throws {
    guard let curved = contest.curved else { return }
    var shape = curved.shape
    if choice.purpose == .forecasts {
      shape = withSureProcesses(curved, contest)
      if shape.curvedStates.isEmpty { return }
      if shape.straightOutputs.isEmpty { shape.curvedStates = [] }
    }
    (shape.linear, shape.runSteps, shape.selected) = (.first, Self.refinedSteps, [])
    // Of more inputs the pivots of a refinement tell too little.
    shape.rows = min(shape.rows, Self.mostRefinedRows)
    guard forms.form(forms.fixing(shape)).canBeRefined else { return }
    try consider(shape, forms, &contest)
  }

  /// The shape of a candidate with processes for those outputs alone that it predicts surely better than the best line.
  private func withSureProcesses(
    _ curved: TriedCandidate, _ contest: Contest
  ) -> CandidateShape {
    guard let line = contest.straight else { return curved.shape }
    let better = Set(curved.statesSurelyBetter(than: line).map { forms.layout.measured[$0] })
    let outputs = curved.model.form.outputStates
    var shape = curved.shape
    shape.straightOutputs = Set(outputs.indices.filter { !better.contains(outputs[$0]) })
    shape.curvedStates = outputs.filter(better.contains).map { forms.layout.states[$0].name }
    return shape
  }

  private func consider(
    _ shape: CandidateShape, _ forms: CandidateForms, _ contest: inout Contest
  ) throws {
    let shape = forms.fixing(shape)
    let form = forms.form(shape)
    let isTaken = shape.linear == .alone || choice.takes(form)
    if choice.purpose == .search, isPlain(shape, form) { return }
    let cost = effort.cost(shape, outputs: form.outputCount - shape.straightOutputs.count)
    guard isTaken, contest.hasRoom(for: shape, cost: cost) else { return }
    if let tried = contest.attempt(shape.name, { try tried(shape, forms) }) {
      contest.add(trial.scored(tried, contest.reference))
    }
  }

  /// Whether it is the plain model, which a search has tried.
  private func isPlain(_ shape: CandidateShape, _ form: ModelForm) -> Bool {
    form == plain.form && shape.linear == .joint && shape.mean == plain.options.mean
      && shape.profile == plain.options.profile
  }

  private func tried(_ shape: CandidateShape, _ forms: CandidateForms) throws -> TriedCandidate {
    try trial.tried(
      shape.name, forms.form(shape), forms.options(shape), layout: forms.layout, shape: shape)
  }
}
