// SPDX-License-Identifier: Apache-2.0
// What every key of a task file means: the words of its reference (Documentation/TaskFile.md). What a key must be is said by the code
// that reads it (`TaskKeyRecord`); a test holds both together.

/// A key of a task file.
package struct TaskKey: Sendable {
  /// "optimise.particles"; NAME for a name that the user gives.
  package let key: String
  /// Of its numbers; empty for none, "channel" for those of the channel.
  package let unit: String
  package let meaning: String
  /// What stands without it, on a task that says the least.
  package let standard: @Sendable (ControlTask) -> String

  init(
    _ key: String, _ unit: String = "", _ meaning: String,
    standard: @escaping @Sendable (ControlTask) -> String
  ) {
    (self.key, self.unit, self.meaning, self.standard) = (key, unit, meaning, standard)
  }

  init(_ key: String, _ unit: String = "", _ meaning: String, _ standard: String = "") {
    self.init(key, unit, meaning) { _ in standard }
  }

  package static let all: [TaskKey] = machine + data + model + policy + objective + search

  private static let machine: [TaskKey] = [
    .init("name", "", "names the task, its output folder and its files", "required"),
    .init(
      "timeStep", "s", "between two decisions of the controller; logs are put onto it", "required"),
    .init("states[]", "", "what is measured of the machine or derived from it", "required"),
    .init("states[].name", "", "its name here, in formulas and in files", "required"),
    .init("states[].units", "", "for people, and for angles (rad, deg, ...)", "none"),
    .init("states[].column", "", "its column in logs", "its name"),
    .init("states[].from", "", "the unit in which logs hold it, which is converted", "units"),
    .init("states[].missing", "", "what is done with rows where it has no value", "refuse"),
    .init(
      "states[].rateOf", "", "the state of which it is the backward difference over the time step",
      "measured"),
    .init(
      "states[].filterTime", "s", "time constant of a first-order filter of a derived rate", "0"),
    .init("states[].noise", "channel", "standard deviation of its sensor in rollouts", "0"),
    .init(
      "states[].limits", "channel",
      "outside them an episode ends; a search keeps them with probability 0.99", "none"),
    .init("actions[]", "", "what the controller commands", "required"),
    .init("actions[].name", "", "its name", "required"),
    .init("actions[].units", "", "for people", "none"),
    .init("actions[].column", "", "its column in logs", "its name"),
    .init("actions[].from", "", "the unit in which logs hold it", "units"),
    .init("actions[].missing", "", "what is done with rows where it has no value", "refuse"),
    .init("actions[].limits", "channel", "which every command keeps", "required"),
    .init("actions[].rateLimit", "channel per s", "largest change of a command", "none"),
    .init(
      "actions[].safe", "channel", "what is sent before an episode and at its end",
      "0, if the limits have it"),
    .init("disturbances", "", "what acts on the machine, is measured and is not commanded", "none"),
    .init("disturbances.NAME", "", "whether it is the same over an episode", "varying"),
    .init("disturbances.NAME.units", "", "for people", "none"),
    .init("disturbances.NAME.column", "", "its column in logs", "its name"),
    .init("disturbances.NAME.from", "", "the unit in which logs hold it", "units"),
    .init(
      "disturbances.NAME.missing", "", "what is done with rows where it has no value", "refuse"),
    .init("disturbances.NAME.constant", "", "whether it is the same over an episode", "false"),
    .init(
      "quantities", "", "named formulas of states, and for the model of commands and disturbances",
      "none"),
    .init("quantities.NAME", "", "the formula", "required"),
    .init("quantities.NAME.formula", "", "the formula", "required"),
    .init("quantities.NAME.units", "", "for people", "none"),
    .init("quantities.NAME.limits", "of the formula", "as `limits` of a state", "none"),
    .init(
      "picture", "m", "the machine's joints in its plane, numbers or quantities, for the report",
      "none"),
    .init(
      "plant", "",
      "what `learn`, `evaluate` and `run` drive: a simulated machine by name, or a program", "none"),
    .init("plant.name", "", "a simulated machine", "required, or process"),
    .init(
      "plant.parameters", "of the parameter", "parameters that are not the machine's own", "its own"
    ),
    .init(
      "plant.process", "", "program and arguments, started in the folder of the task",
      "required, or name"),
    .init("plant.timeout", "s", "for the answer to a step", "2"),
    .init("plant.resetTimeout", "s", "for the answer to a reset", "60"),
    .init(
      "plant.clock", "",
      "whether steps last as long as they take (machine) or one time step each (simulation)",
      "automatic"),
    .init("done", "", "what it means that the plant ends an episode, where its answer does not say")
    { $0.doneMeans.rawValue },
  ]

  private static let data: [TaskKey] = [
    .init("logs[]", "", "files to learn from", "none: the plant is explored"),
    .init("logs[].file", "", "its path, from the folder of the task", "required"),
    .init("logs[].process", "", "a program that turns the file into CSV", "none"),
    .init("logs[].header", "", "names of its columns, in place of its own", "its first line"),
    .init("heldOut[]", "", "files that judge the model and are not learnt from", "none"),
    .init("heldOut[].file", "", "its path", "required"),
    .init("heldOut[].process", "", "a program that turns the file into CSV", "none"),
    .init("heldOut[].header", "", "names of its columns", "its first line"),
    .init("timeColumn", "", "the column with the stamps", "the first of the usual names"),
    .init("timeUnit", "", "what the stamps count", "told by the log"),
    .init("missing", "", "what is done with rows where any channel has no value", "refuse"),
    .init("explore", "", "how the plant is driven before anything is known", "smooth"),
    .init("explore.kind", "", "how commands move") { $0.exploration.kind.rawValue },
    .init("explore.episodes", "", "how many") { "\($0.exploration.episodes)" },
    .init("explore.seconds", "s", "how long each", "as `evaluate.seconds`"),
    .init(
      "explore.holdSeconds", "s",
      "how long a random command lasts, the time constant of smooth, the shortest half period",
      "one time step of random, five of the others"),
    .init("explore.amplitude", "", "part of the commands' range that is used") {
      "\($0.exploration.amplitude)"
    },
    .init(
      "explore.turningPoints", "of state 1, or of each",
      "between which manual driving goes to and fro", "required of manual"),
  ]

  private static let model: [TaskKey] = [
    .init(
      "model", "",
      "how the dynamics are learnt; what is not said is chosen by predictions over the horizon",
      "chosen"),
    .init("model.covariance", "", "the covariance function", "chosen"),
    .init(
      "model.mean", "", "the mean of the Gaussian processes, or rates of change as known physics",
      "chosen"),
    .init(
      "model.mean.NAME", "",
      "a rate of change of this state, as a formula of channels and constants", "required"),
    .init("model.constants", "", "constants of that formula", "none"),
    .init("model.constants.NAME", "", "a number, or `free` where the logs are to tell", "required"),
    .init(
      "model.constants.NAME.start", "", "where the search for it begins", "1, within its bounds"),
    .init("model.constants.NAME.lower", "", "its lower bound", "-1e9"),
    .init("model.constants.NAME.upper", "", "its upper bound", "1e9"),
    .init("model.inputs", "", "what each predicted state depends on", "all, or chosen"),
    .init("model.inputs.NAME", "", "states, commands and quantities", "required"),
    .init("model.stateHistory", "rows", "earlier rows of states that it sees", "chosen"),
    .init("model.actionHistory", "rows", "earlier rows of commands that it sees", "chosen"),
    .init("model.actionDelay", "rows", "before a command has any effect", "chosen"),
    .init("model.angles", "", "states that turn round; it sees sine and cosine", "none"),
    .init("model.ignore", "", "states on which the motion does not depend", "none"),
    .init("model.integrate", "", "positions that follow from a measured rate", "chosen"),
    .init(
      "model.restPseudoData", "", "points that say that nothing moves at zero rate and command", "0"
    ),
    .init(
      "model.shortestLengthscale", "deviations of an input", "the prior keeps lengthscales above it"
    ) { "\($0.model.fit.prior?.shortestLengthscale ?? 0)" },
    .init("model.noiseFloor", "variances of an output", "least noise variance") {
      "\($0.model.fit.noiseFloor)"
    },
    .init("model.criterion", "", "what hyperparameters are learnt for") {
      $0.model.fit.criterion.rawValue
    },
    .init("model.likelihood", "", "how the marginal likelihood is computed", "automatic"),
    .init("model.sampler", "", "how rollouts draw from the posterior", "automatic"),
    .init("model.noise", "", "whether rollouts draw the measurement noise too") {
      $0.model.sampler.noise.rawValue
    },
    .init("model.tablePoints", "", "of tabulated, at most") { "\($0.model.sampler.tablePoints)" },
    .init("model.rank", "", "of love and kiss-gp", "by their tolerance"),
    .init("model.gridPoints", "", "of kiss-gp, along every input", "by its tolerance"),
    .init("model.inducingPoints", "", "of sparse and sparse-pathwise, at most") {
      "\($0.model.sampler.inducingPoints)"
    },
    .init("model.features", "", "of pathwise and sparse-pathwise") {
      "\($0.model.sampler.features)"
    },
  ]

  private static let policy: [TaskKey] = [
    .init("policy", "", "the form of the controller", "a network"),
    .init(
      "policy.kind", "", "a network, or a PID controller whose gains the same search finds",
      "network"),
    .init("policy.layers", "", "widths of the hidden layers; none is a linear controller", "8, 8"),
    .init("policy.radialBasis", "", "Gaussian basis functions in place of layers", "none"),
    .init("policy.goal", "", "how it sees its goal") { $0.policy.goalInput.rawValue },
    .init(
      "policy.integral", "", "whether the integral of the error is added", "false; true of pid"),
    .init(
      "policy.errors", "", "goals whose errors are integrated, or read by a PID controller",
      "those that are tracked"),
    .init("policy.dropout", "", "probability that a unit is dropped at a step of the search") {
      "\($0.policy.dropout)"
    },
    .init("policy.actionHistory", "rows", "its own last commands that it sees") {
      "\($0.policy.actionHistory)"
    },
    .init("policy.disturbances", "", "whether it sees the disturbances") {
      "\($0.policy.seesDisturbances)"
    },
  ]
}
