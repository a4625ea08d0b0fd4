// SPDX-License-Identifier: Apache-2.0
// The meaning of every key of a task file, for its reference (Documentation/TaskFile.md). What a key must be comes from the code
// that reads it (`TaskKeyRecord`); a test compares both.

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
      "timeStep", "s", "time between two decisions of the controller; logs are resampled to it",
      "required"),
    .init(
      "states[]", "", "measured values of the machine, and rates derived from them", "required"),
    .init("states[].name", "", "its name here, in formulas and in files", "required"),
    .init("states[].units", "", "its unit, for reports and for angles (rad, deg, ...)", "none"),
    .init("states[].column", "", "its column in logs", "its name"),
    .init("states[].from", "", "its unit in logs, which is converted", "units"),
    .init("states[].missing", "", "what to do with rows in which it has no value", "refuse"),
    .init(
      "states[].rateOf", "", "the state of which it is the backward difference over the time step",
      "measured"),
    .init(
      "states[].filterTime", "s", "time constant of a first-order filter of a derived rate", "0"),
    .init("states[].noise", "channel", "standard deviation of its sensor in rollouts", "0"),
    .init(
      "states[].limits", "channel",
      "allowed range: outside it an episode ends; a search keeps it with probability 0.99", "none"),
    .init("actions[]", "", "what the controller commands", "required"),
    .init("actions[].name", "", "its name", "required"),
    .init("actions[].units", "", "its unit, for reports", "none"),
    .init("actions[].column", "", "its column in logs", "its name"),
    .init("actions[].from", "", "its unit in logs", "units"),
    .init("actions[].missing", "", "what to do with rows in which it has no value", "refuse"),
    .init("actions[].limits", "channel", "range of every command", "required"),
    .init("actions[].rateLimit", "channel per s", "largest change of a command", "none"),
    .init(
      "actions[].safe", "channel", "command that is sent before an episode and at its end",
      "0, if within the limits"),
    .init("disturbances", "", "inputs of the machine that are measured but not commanded", "none"),
    .init("disturbances.NAME", "", "whether it is the same over an episode", "varying"),
    .init("disturbances.NAME.units", "", "its unit, for reports", "none"),
    .init("disturbances.NAME.column", "", "its column in logs", "its name"),
    .init("disturbances.NAME.from", "", "its unit in logs", "units"),
    .init(
      "disturbances.NAME.missing", "", "what to do with rows in which it has no value", "refuse"),
    .init("disturbances.NAME.constant", "", "whether it is the same over an episode", "false"),
    .init(
      "quantities", "", "named formulas of states; for the model also of commands and disturbances",
      "none"),
    .init("quantities.NAME", "", "the formula", "required"),
    .init("quantities.NAME.formula", "", "the formula", "required"),
    .init("quantities.NAME.units", "", "its unit, for reports", "none"),
    .init("quantities.NAME.limits", "of the formula", "as `limits` of a state", "none"),
    .init(
      "picture", "m", "the machine's joints in its plane, numbers or quantities, for the report",
      "none"),
    .init(
      "plant", "",
      "what `learn`, `evaluate` and `run` drive: a simulated machine by name, or a program", "none"),
    .init("plant.name", "", "a simulated machine", "required, or process"),
    .init(
      "plant.parameters", "of the parameter", "parameters that differ from the machine's defaults",
      "defaults"
    ),
    .init(
      "plant.process", "", "program and arguments, started in the folder of the task",
      "required, or name"),
    .init("plant.timeout", "s", "longest time for the answer to a step", "2"),
    .init("plant.resetTimeout", "s", "longest time for the answer to a reset", "60"),
    .init(
      "plant.clock", "",
      "whether steps last as long as they take (machine) or one time step each (simulation)",
      "automatic"),
    .init("done", "", "meaning of an episode's end by the plant, if its answer does not give it") {
      $0.doneMeans.rawValue
    },
  ]

  private static let data: [TaskKey] = [
    .init("logs[]", "", "files to learn from", "none: the plant is explored"),
    .init("logs[].file", "", "its path, from the folder of the task", "required"),
    .init("logs[].process", "", "a program that turns the file into CSV", "none"),
    .init("logs[].header", "", "names of its columns, instead of its own", "its first line"),
    .init("heldOut[]", "", "files that judge the model, which does not learn from them", "none"),
    .init("heldOut[].file", "", "its path", "required"),
    .init("heldOut[].process", "", "a program that turns the file into CSV", "none"),
    .init("heldOut[].header", "", "names of its columns", "its first line"),
    .init("timeColumn", "", "the column with the time stamps", "the first of the usual names"),
    .init("timeUnit", "", "unit of the time stamps", "from the log"),
    .init("missing", "", "what to do with rows in which any channel has no value", "refuse"),
    .init("explore", "", "how the plant is driven before there is a model", "smooth"),
    .init("explore.kind", "", "kind of the commands") { $0.exploration.kind.rawValue },
    .init("explore.episodes", "", "number of episodes") { "\($0.exploration.episodes)" },
    .init("explore.seconds", "s", "length of each episode", "as `evaluate.seconds`"),
    .init(
      "explore.holdSeconds", "s",
      "hold time of random, time constant of smooth, shortest half period of sinusoids",
      "one time step for random, five for the others"),
    .init("explore.amplitude", "", "fraction of the commands' range that is used") {
      "\($0.exploration.amplitude)"
    },
    .init(
      "explore.turningPoints", "of state 1, or of each",
      "range in which manual driving moves to and fro", "required for manual"),
  ]

  private static let model: [TaskKey] = [
    .init(
      "model", "",
      "how the dynamics are learnt; missing keys are chosen by predictions over the horizon",
      "chosen"),
    .init("model.covariance", "", "the covariance function", "chosen"),
    .init(
      "model.mean", "", "the mean of the Gaussian processes, or rates of change as known physics",
      "chosen"),
    .init(
      "model.mean.NAME", "",
      "a rate of change of this state, as a formula of channels and constants", "required"),
    .init("model.constants", "", "constants of that formula", "none"),
    .init("model.constants.NAME", "", "a number, or `free` to find it from the logs", "required"),
    .init(
      "model.constants.NAME.start", "", "where the search for it begins", "1, within its bounds"),
    .init("model.constants.NAME.lower", "", "its lower bound", "-1e9"),
    .init("model.constants.NAME.upper", "", "its upper bound", "1e9"),
    .init("model.inputs", "", "what each predicted state depends on", "all, or chosen"),
    .init("model.inputs.NAME", "", "states, commands and quantities", "required"),
    .init("model.stateHistory", "rows", "earlier rows of states that the model reads", "chosen"),
    .init("model.actionHistory", "rows", "earlier rows of commands that the model reads", "chosen"),
    .init("model.actionDelay", "rows", "delay before a command has an effect", "chosen"),
    .init(
      "model.angles", "", "states that are angles of full turns; the model reads sine and cosine",
      "none"),
    .init("model.ignore", "", "states on which the motion does not depend", "none"),
    .init("model.integrate", "", "positions that follow from a measured rate", "chosen"),
    .init(
      "model.restPseudoData", "", "number of pseudo-points without motion at zero rate and command",
      "0"
    ),
    .init(
      "model.shortestLengthscale", "deviations of an input", "the prior keeps lengthscales above it"
    ) { "\($0.model.fit.prior?.shortestLengthscale ?? 0)" },
    .init("model.noiseFloor", "variances of an output", "least noise variance") {
      "\($0.model.fit.noiseFloor)"
    },
    .init("model.criterion", "", "criterion by which hyperparameters are learnt") {
      $0.model.fit.criterion.rawValue
    },
    .init("model.likelihood", "", "how the marginal likelihood is computed", "automatic"),
    .init("model.sampler", "", "how rollouts draw from the posterior", "automatic"),
    .init("model.noise", "", "whether rollouts draw the measurement noise too") {
      $0.model.sampler.noise.rawValue
    },
    .init("model.tablePoints", "", "maximum number of points of tabulated") {
      "\($0.model.sampler.tablePoints)"
    },
    .init("model.rank", "", "rank of love and kiss-gp", "by their tolerance"),
    .init("model.gridPoints", "", "grid points of kiss-gp along every input", "by its tolerance"),
    .init(
      "model.inducingPoints", "", "maximum number of inducing points of sparse and sparse-pathwise"
    ) {
      "\($0.model.sampler.inducingPoints)"
    },
    .init("model.features", "", "number of features of pathwise and sparse-pathwise") {
      "\($0.model.sampler.features)"
    },
  ]

  private static let policy: [TaskKey] = [
    .init("policy", "", "the form of the controller", "a network"),
    .init(
      "policy.kind", "", "a network, or a PID controller whose gains the same search finds",
      "network"),
    .init("policy.layers", "", "widths of the hidden layers; none is a linear controller", "8, 8"),
    .init(
      "policy.radialBasis", "", "number of Gaussian basis functions, instead of layers", "none"),
    .init("policy.goal", "", "whether and how the policy reads its goal") {
      $0.policy.goalInput.rawValue
    },
    .init(
      "policy.integral", "", "whether the integral of the error is added", "false; true for pid"),
    .init(
      "policy.errors", "", "goals whose errors are integrated, or read by a PID controller",
      "those that are tracked"),
    .init("policy.dropout", "", "probability that a unit is dropped at a time step of the search") {
      "\($0.policy.dropout)"
    },
    .init("policy.actionHistory", "rows", "own last commands that the policy reads") {
      "\($0.policy.actionHistory)"
    },
    .init("policy.disturbances", "", "whether the policy reads the disturbances") {
      "\($0.policy.seesDisturbances)"
    },
  ]
}
