// SPDX-License-Identifier: Apache-2.0
// The words of `TaskKey` for what is wanted, searched and judged.

extension TaskKey {
  static let objective: [TaskKey] = [
    .init("reward[]", "", "summands of the reward, which is maximised", "required to search"),
    .init("reward[].saturating", "", "exp(-(x - goal)' diag(weights) (x - goal) / (2 width^2))"),
    .init("reward[].saturating.weights", "", "one a goal, or by name", "required"),
    .init("reward[].saturating.width", "", "width of the bell") { _ in "1" },
    .init(
      "reward[].saturating.units", "",
      "of the distance: deviations of the logs, or the channels' own", "standardised"),
    .init(
      "reward[].quadratic", "", "-(x - goal)' diag(weights) (x - goal) - u' diag(actionWeights) u"),
    .init("reward[].quadratic.weights", "", "one a goal, or by name", "required"),
    .init("reward[].quadratic.actionWeights", "", "one an action", "0"),
    .init("reward[].quadratic.units", "", "of the distance", "standardised"),
    .init(
      "reward[].formula", "", "of states, commands, `previous.ACTION`, quantities and `goal.NAME`"),
    .init("reward[].actionChange", "", "weight of the squared change of commands"),
    .init("reward[].learned", "", "a reward that the logs have as a column"),
    .init("reward[].learned.column", "", "the column", "required"),
    .init("reward[].learned.weight", "", "of this summand") { _ in "1" },
    .init("constraints[]", "", "what a search keeps at every step, beside limits", "none"),
    .init(
      "constraints[].quantity", "", "a formula of states, commands and `previous.ACTION`",
      "required"),
    .init("constraints[].below", "of the formula", "upper bound", "required, or above"),
    .init("constraints[].above", "of the formula", "lower bound", "required, or below"),
    .init("constraints[].probability", "", "that a whole rollout keeps it") { _ in
      "\(ControlTask.Constraint.defaultProbability)"
    },
    .init(
      "start", "channel",
      "where episodes start: a state, a range, `bounds` of the data or `logged`",
      "required to search"),
    .init("start.lower", "channel", "of a uniform range", "required with upper"),
    .init("start.upper", "channel", "of a uniform range", "required with lower"),
    .init("start.mean", "channel", "of a normal distribution", "required with deviation"),
    .init("start.deviation", "channel", "of a normal distribution", "required with mean"),
    .init("start.bounds", "", "states that are uniform within the data, the others zero", "all"),
    .init(
      "goal", "channel", "where the machine should go: as `start`, or by name",
      "none: the reward alone"),
    .init("goal.lower", "channel", "of a uniform range", "required with upper"),
    .init("goal.upper", "channel", "of a uniform range", "required with lower"),
    .init("goal.mean", "channel", "of a normal distribution", "required with deviation"),
    .init("goal.deviation", "channel", "of a normal distribution", "required with mean"),
    .init("goal.bounds", "", "states that are uniform within the data", "all"),
    .init(
      "goal.NAME", "channel",
      "of a quantity or state: a number, or a range among what logged poses reach"),
  ]

  static let search: [TaskKey] = [
    .init("optimise", "", "the search", "as below"),
    .init("optimise.particles", "", "rollouts of an iteration") { "\($0.search.particles)" },
    .init("optimise.horizon", "steps", "of a rollout; a list grows during the search") {
      "\($0.search.horizon)"
    },
    .init("optimise.iterations", "", "of each start and horizon, at most") {
      "\($0.search.iterations)"
    },
    .init("optimise.starts", "", "independent searches; the best counts") { "\($0.search.starts)" },
    .init("optimise.learningRate", "", "of Adam") { "\($0.search.learningRate)" },
    .init("optimise.gradientNorm", "", "longer gradients are shortened to it") {
      "\($0.search.gradientNorm)"
    },
    .init(
      "optimise.adjointLimit", "",
      "elements of an adjoint beyond it count as zero; helps where motion is chaotic"
    ) { "\($0.search.adjointLimit)" },
    .init("optimise.draws", "", "whether every iteration draws anew") { $0.search.draws.rawValue },
    .init("optimise.evaluationInterval", "iterations", "between judgements of the policy") {
      "\($0.search.evaluationInterval)"
    },
    .init("optimise.patience", "judgements", "judgements without progress until the rate is halved")
    {
      "\($0.search.patience)"
    },
    .init("optimise.keepLimits", "", "whether limits are constraints of the search") {
      "\($0.objective.keepsLimits)"
    },
    .init("evaluate", "", "how `evaluate` and `learn` judge", "as below"),
    .init("evaluate.episodes", "", "episodes on the plant") { "\($0.evaluation.episodes)" },
    .init("evaluate.seconds", "s", "of an episode", "the horizon"),
    .init(
      "evaluate.startSpread", "channel",
      "half width of the uniform spread of tracked states about `start`"
    ) {
      "\($0.evaluation.startSpread)"
    },
    .init("evaluate.tolerance", "of state 1", "which it must keep from `settle` on"),
    .init("evaluate.track", "", "tolerances by name, in place of one"),
    .init("evaluate.track.NAME", "channel", "its tolerance", "required"),
    .init(
      "evaluate.settle", "s", "from when on it is judged",
      "4, or half of the shortest stretch to a goal; with success what lastSteps leaves"),
    .init(
      "evaluate.largestActionChange", "channel per step",
      "mean change of commands that a success keeps"
    ) { "\($0.evaluation.largestActionChange)" },
    .init(
      "evaluate.success[]", "", "what must be small in the last steps, in place of a tolerance"),
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
    .init("evaluate.schedule.every", "s", "a new goal is drawn so often"),
    .init("evaluate.schedule.file", "", "a path: a CSV file with columns time and goals"),
    .init("evaluate.schedule.ramp", "s", "from a goal to the next") { "\($0.evaluation.ramp)" },
    .init("evaluate.schedule.preview", "s", "how far ahead the controller sees its goal") {
      "\($0.evaluation.preview)"
    },
    .init("learn", "", "the interaction loop", "as below"),
    .init("learn.trials", "", "on the plant after exploring, at most") { "\($0.learning.trials)" },
    .init("learn.policy", "", "whether searches go on from the last policy") {
      $0.learning.policy.rawValue
    },
    .init("learn.model", "", "whether a fit goes on from the last model") {
      $0.learning.model.rawValue
    },
    .init("learn.untilSolved", "", "whether the first solved trial ends it") {
      "\($0.learning.untilSolved)"
    },
    .init("watch", "", "what `run` looks for, and what it does then", "each warns"),
    .init("watch.beyondData", "", "rows far from what was learnt from", "warn"),
    .init("watch.innovation", "", "measurements that the model did not expect", "warn"),
    .init("watch.frozen", "", "sensors whose values stay the same", "warn"),
    .init("watch.late", "", "steps that come late", "warn"),
    .init(
      "fallback", "",
      "what drives after a finding that asks for it: hold, pid, or the file of a policy", "hold"),
  ]
}
