// SPDX-License-Identifier: Apache-2.0
// The descriptions of `TaskKey` for reward, start, goal, search, evaluation, learning and watch.

extension TaskKey {
  static let objective: [TaskKey] = [
    .init("reward[]", "", "summands of the reward, which is maximised", "required to search"),
    .init("reward[].saturating", "", "exp(-(x - goal)' diag(weights) (x - goal) / (2 width^2))"),
    .init("reward[].saturating.weights", "", "one per goal, or by name", "required"),
    .init("reward[].saturating.width", "", "width of the bell") { _ in "1" },
    .init(
      "reward[].saturating.units", "",
      "of the distance: standard deviations of the logs, or the channels' own units", "standardised"
    ),
    .init(
      "reward[].quadratic", "", "-(x - goal)' diag(weights) (x - goal) - u' diag(actionWeights) u"),
    .init("reward[].quadratic.weights", "", "one per goal, or by name", "required"),
    .init("reward[].quadratic.actionWeights", "", "one per action", "0"),
    .init("reward[].quadratic.units", "", "of the distance, as for saturating", "standardised"),
    .init(
      "reward[].formula", "", "of states, commands, `previous.ACTION`, quantities and `goal.NAME`"),
    .init("reward[].actionChange", "", "weight of the squared change of commands"),
    .init("reward[].learned", "", "a reward that is a column of the logs"),
    .init("reward[].learned.column", "", "the column", "required"),
    .init("reward[].learned.weight", "", "weight of this summand") { _ in "1" },
    .init(
      "constraints[]", "", "what a search keeps at every time step, in addition to limits", "none"),
    .init(
      "constraints[].quantity", "", "a formula of states, commands and `previous.ACTION`",
      "required"),
    .init("constraints[].below", "of the formula", "upper bound", "required, or above"),
    .init("constraints[].above", "of the formula", "lower bound", "required, or below"),
    .init("constraints[].probability", "", "probability that a whole rollout keeps it") { _ in
      "\(ControlTask.Constraint.defaultProbability)"
    },
    .init(
      "start", "channel",
      "where episodes start: a state, a range, `bounds` of the data or `logged`",
      "required to search"),
    .init("start.lower", "channel", "lower ends of a uniform range", "required with upper"),
    .init("start.upper", "channel", "upper ends of a uniform range", "required with lower"),
    .init("start.mean", "channel", "mean of a normal distribution", "required with deviation"),
    .init(
      "start.deviation", "channel", "standard deviations of a normal distribution",
      "required with mean"),
    .init("start.bounds", "", "states that are uniform within the data, the others zero", "all"),
    .init(
      "goal", "channel", "where the machine should go: as `start`, or by name",
      "none: only the reward"),
    .init("goal.lower", "channel", "lower ends of a uniform range", "required with upper"),
    .init("goal.upper", "channel", "upper ends of a uniform range", "required with lower"),
    .init("goal.mean", "channel", "mean of a normal distribution", "required with deviation"),
    .init(
      "goal.deviation", "channel", "standard deviations of a normal distribution",
      "required with mean"),
    .init("goal.bounds", "", "states that are uniform within the data", "all"),
    .init(
      "goal.NAME", "channel",
      "goal of a quantity or state: a number, or a range within the logged poses"),
  ]

  static let search: [TaskKey] = [
    .init("optimise", "", "the search", "as below"),
    .init("optimise.particles", "", "rollouts per iteration") { "\($0.search.particles)" },
    .init(
      "optimise.horizon", "steps",
      "length of a rollout; a list of lengths, if it grows during the search"
    ) {
      "\($0.search.horizon)"
    },
    .init("optimise.iterations", "", "maximum for each start and horizon") {
      "\($0.search.iterations)"
    },
    .init("optimise.starts", "", "independent searches, of which the best is used") {
      "\($0.search.starts)"
    },
    .init("optimise.learningRate", "", "learning rate of Adam") { "\($0.search.learningRate)" },
    .init("optimise.gradientNorm", "", "norm to which longer gradients are shortened") {
      "\($0.search.gradientNorm)"
    },
    .init(
      "optimise.adjointLimit", "",
      "larger elements of an adjoint are set to zero; helps if the motion is chaotic"
    ) { "\($0.search.adjointLimit)" },
    .init("optimise.draws", "", "whether every iteration has new draws") {
      $0.search.draws.rawValue
    },
    .init("optimise.evaluationInterval", "iterations", "interval between evaluations of the policy")
    {
      "\($0.search.evaluationInterval)"
    },
    .init(
      "optimise.patience", "evaluations", "evaluations without progress until the rate is halved"
    ) {
      "\($0.search.patience)"
    },
    .init("optimise.keepLimits", "", "whether limits are constraints of the search") {
      "\($0.objective.keepsLimits)"
    },
    .init("evaluate", "", "how `evaluate` and `learn` judge", "as below"),
    .init("evaluate.episodes", "", "episodes on the plant") { "\($0.evaluation.episodes)" },
    .init("evaluate.seconds", "s", "length of an episode", "the horizon"),
    .init(
      "evaluate.startSpread", "channel",
      "half width of the uniform spread of tracked states about `start`"
    ) {
      "\($0.evaluation.startSpread)"
    },
    .init("evaluate.tolerance", "of state 1", "largest error that is allowed from `settle` on"),
    .init("evaluate.track", "", "tolerances by name, instead of one"),
    .init("evaluate.track.NAME", "channel", "its tolerance", "required"),
    .init(
      "evaluate.settle", "s", "time from which on errors are judged",
      "4, or half of the shortest stretch to a goal; with success what lastSteps leaves"),
    .init(
      "evaluate.largestActionChange", "channel per step",
      "largest mean change of commands that is allowed"
    ) { "\($0.evaluation.largestActionChange)" },
    .init(
      "evaluate.success[]", "",
      "measures that must be small in the last steps, instead of a tolerance"),
    .init(
      "evaluate.success[].measure", "", "a formula of states, quantities and `goal.NAME`",
      "required"),
    .init("evaluate.success[].below", "of the formula", "its bound", "required"),
    .init("evaluate.lastSteps", "steps", "in which measures must be small") {
      "\($0.evaluation.lastSteps)"
    },
    .init("evaluate.schedule", "", "several goals in an episode", "one goal"),
    .init("evaluate.schedule.at", "s", "when each goal begins", "required with goals"),
    .init("evaluate.schedule.goals", "channel", "the goals", "required with at"),
    .init("evaluate.schedule.every", "s", "interval after which a new goal is drawn"),
    .init("evaluate.schedule.file", "", "a path: a CSV file with columns time and goals"),
    .init("evaluate.schedule.ramp", "s", "time from one goal to the next") {
      "\($0.evaluation.ramp)"
    },
    .init("evaluate.schedule.preview", "s", "how far ahead the controller reads its goal") {
      "\($0.evaluation.preview)"
    },
    .init("learn", "", "the interaction loop", "as below"),
    .init("learn.trials", "", "maximum number of trials after exploring") {
      "\($0.learning.trials)"
    },
    .init("learn.policy", "", "whether searches continue from the last policy") {
      $0.learning.policy.rawValue
    },
    .init("learn.model", "", "whether a fit continues from the last model") {
      $0.learning.model.rawValue
    },
    .init("learn.untilSolved", "", "whether the first solved trial ends the loop") {
      "\($0.learning.untilSolved)"
    },
    .init("watch", "", "what `run` checks, and its response", "each warns"),
    .init("watch.beyondData", "", "rows far from the training data", "warn"),
    .init("watch.innovation", "", "measurements that the model does not explain", "warn"),
    .init("watch.frozen", "", "sensors whose values stay the same", "warn"),
    .init("watch.late", "", "steps that come late", "warn"),
    .init(
      "fallback", "",
      "what drives after a finding with this response: hold, pid, or the file of a policy", "hold"),
  ]
}
