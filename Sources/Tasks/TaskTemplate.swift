// SPDX-License-Identifier: Apache-2.0
// The commented task file that `bagel new NAME` writes: every key there is, the rarer ones commented out.

extension BuiltInTasks {
  /// The commented file of `bagel new NAME`.
  public static func template(name: String) -> String {
    """
    # A BAGEL task: what the machine is, what was logged, what it should do.
    #   bagel fit \(name).yaml        learns the dynamics from the logs
    #   bagel optimize \(name).yaml   finds a controller on the learnt dynamics
    #   bagel evaluate \(name).yaml   drives a plant with it
    name: \(name)

    # Seconds between control decisions. Logs with other stamps are resampled to it; a hole of more than
    # three steps ends an episode.
    timeStep: 0.1
    # timeColumn: t          # default: the first of t, time, timestamp, seconds, time_s

    # One entry a state, by column name. A rate that was not measured can be derived from its position
    # (backward difference, so that the controller can compute it too).
    states:
      - {name: boom_angle, units: rad}
      - {name: boom_rate, units: rad/s, rateOf: boom_angle}

    # What the controller commands, and the limits it will always keep.
    actions:
      - {name: valve, limits: [-1, 1]}

    # CSV files with a header line, paths relative to this file. Each file is one or more episodes.
    logs: [log_1.csv, log_2.csv]
    # Files the model is judged by and does not learn from.
    heldOut: [log_3.csv]

    # A simulated machine to try the policy on: boom. Its states must be those above, in its order and units
    # (angle in rad, rate in rad/s), at its time step (0.05 s).
    # plant: boom

    model:
      covariance: squared-exponential   # or matern-3/2, matern-5/2
      mean: linear                      # or constant, zero
      # actionHistory: 1       # the model also sees the action one step back (delays)
      # stateHistory: 1
      # angles: [boom_angle]   # the model sees sine and cosine: for joints that turn round
      # integrate: {position: rate}   # positions that follow from a measured rate
      # restPseudoData: 50     # tells the model that at zero rate and action nothing moves
      # shortestLengthscale: 0.5   # in standard deviations of an input
      sampler: automatic       # the cheapest within tolerance of: tabulated, kiss-gp, sparse, love, exact; or pathwise
      # tablePoints: 65536     # of tabulated, at most
      # rank: 100              # of love and kiss-gp, in place of their tolerance
      # gridPoints: 30         # of kiss-gp, along every input
      # inducingPoints: 300    # of sparse, at most
      # features: 256          # of pathwise
      # criterion: heteroscedastic   # the default; or block-out, marginal-likelihood: what is learnt for
      # noise: latent          # or observed: whether rollouts draw the measurement noise too (fit is the same)
      # likelihood: automatic  # or cholesky, row-blocks, kiss-gp: how hyperparameters are learnt

    policy:
      layers: [8, 8]           # widths of the tanh layers; [] is a linear policy
      # radialBasis: 50        # Gaussian basis functions in place of layers
      goal: none               # or concatenated, error: the policy sees the goal

    # Summed. Standardised units: differences in standard deviations of the logs; or units: physical.
    reward:
      - saturating: {weights: [10, 0.1], width: 1}   # exp(-(x - goal)' diag(weights) (x - goal) / 2 width^2)
      - actionChange: 0.1                            # -0.1 (u - u_previous)^2
      # - learned: {column: score}   # a reward that the logs have as a column, learnt as one more Gaussian process

    # Where episodes start and should go, in the states' units: [x, ...] or {lower: [...], upper: [...]}.
    start: [-0.6, 0]
    goal: [0, 0]

    # The best of `starts` independent searches counts.
    optimise: {particles: 100, horizon: 150, starts: 5, iterations: 400, learningRate: 0.01}

    # How `bagel evaluate` judges: state 1 within `tolerance` of the goal from `settle` seconds on.
    evaluate: {episodes: 16, seconds: 15, startSpread: 0.05, tolerance: 0.02, settle: 5}

    """
  }
}
