// SPDX-License-Identifier: Apache-2.0
// The commented task file that `bagel new NAME` writes: every key, the less common ones commented out.

extension BuiltInTasks {
  /// The commented file of `bagel new NAME`.
  package static func template(name: String) -> String {
    """
    # A BAGEL task: what the machine is, what was logged, what it should do.
    #   bagel fit \(name).yaml        learns the dynamics from the logs
    #   bagel optimize \(name).yaml   finds a controller on the learnt dynamics
    #   bagel evaluate \(name).yaml   drives a plant with it
    name: \(name)

    # Seconds between control decisions. Logs with other time stamps are resampled to it; a hole of more than
    # three steps ends an episode.
    timeStep: 0.1
    # timeColumn: t          # default: the first of t, time, timestamp, seconds, time_s, also with a unit: 'Time [ms]'
    # timeUnit: ms           # or s, us, ns, min, h, d, if the log does not give it

    # One entry per state, by column name. A rate that was not measured can be derived from its position
    # (backward difference, so that the controller can compute it too).
    states:
      - {name: boom_angle, units: rad}
      - {name: boom_rate, units: rad/s, rateOf: boom_angle}   # filterTime: 0.1 smooths it (s, first order)
    # noise: 5e-4 is a sensor's standard deviation: the policy is then searched with this noise
    # limits: [-0.6, 1] of a state end an episode on the machine
    # column: 'boom angle [deg]' is the file's name of a state or action, if formulas need a shorter `name`
    # from: deg is the unit in the logs, if it is not `units:`
    # missing: drop leaves out rows without a value of it; hold is for a channel with its own clock: the last value is kept

    # What the controller commands, and the limits of all commands.
    actions:
      - {name: valve, limits: [-1, 1]}   # rateLimit: 5 (units per second), safe: 0 (sent at the end of an episode)

    # Measured inputs that are not commanded: inputs of the model. A search uses logged stretches of them; a
    # plant sends them. `constant` is one value per episode.
    # disturbances:
    #   payload: constant
    #   oil_temperature: {units: C, column: 'T oil'}     # constant: true

    # Named formulas of states (only for the model: also of commands and disturbances); one may use another. Goals, rewards, success and
    # limits may use them: the tip of a crane's tool is a formula of its joints' angles.
    # quantities:
    #   tip_x: {formula: 1.7 * cos(boom_angle), units: m}
    #   tip_z: {formula: 0.8 + 1.7 * sin(boom_angle), units: m, limits: [-1, 3]}
    #   flow: abs(valve)
    # picture: [[0, 0.8], [tip_x, tip_z]]   # the machine's joints in its plane, for the report: numbers or quantities

    # CSV files, paths relative to this file. Each is one or more episodes. A program turns other files into CSV (see Examples/logs):
    # {file: run.mcap, process: [python3, bag_to_csv.py, /joint_states]}; header: [t, boom_angle, valve] replaces a file's own names.
    logs: [log_1.csv, log_2.csv]
    # Files that judge the model, which does not learn from them.
    heldOut: [log_3.csv]

    # The plant that `bagel learn`, `evaluate` and `run` drive. Your own program (see Examples/):
    # plant: {process: [python3, my_plant.py], timeout: 2, resetTimeout: 60, clock: machine}   # seconds for an answer;
    # clock: machine (steps last as long as they take), simulation (each is one timeStep), or automatic (by the first steps)
    # or a simulated machine: boom, crane, cart-pole, cart-pole-pilco, pendulum, at its own time step:
    # plant: boom
    # plant: {name: boom, parameters: {transportDelay: 0.15}}
    # done: success          # meaning of an episode's end by the plant, if its answer has no "success"; or failure, neither

    # How `bagel learn` (and `fit`, without logs) moves the plant before there is a model.
    # explore: {kind: smooth, episodes: 1, seconds: 10, amplitude: 0.5}   # or random, sinusoids; amplitude: of the limits
    # explore: {kind: random, seconds: 10, holdSeconds: 0.5}          # a new action every 0.5 s
    # explore: {kind: informative, seconds: 10, episodes: 4}   # smooth at first, then the commands that reduce uncertainty most
    # explore: {kind: manual, seconds: 110, turningPoints: [-0.5, 0.5]}   # to and fro between values of the first
    #   state; [[-0.5, 0.5], [-2, 0]]: action 2 moves state 2 likewise

    # Covariance, mean, histories and integrals that are not given are chosen: those that predict best 1 to 100 steps ahead
    # on left-out parts of the logs.
    model:
      # covariance: squared-exponential   # or matern-3/2, matern-5/2, rational-quadratic
      # mean: linear                      # or constant, zero
      # mean: {boom_rate: (gain * valve - boom_rate) / lag}   # known physics: a rate of change; the model learns the rest
      # constants: {gain: free, lag: {start: 0.1, lower: 0.01, upper: 1}}   # or a number; free ones are found from the logs
      # inputs: {boom_rate: [boom_angle, boom_rate, valve]}   # states, actions and quantities that each predicted state depends
      #   on; tables support at most 4 of them. Without this key, the inputs are chosen
      # actionDelay: 2         # steps before an action has any effect
      # actionHistory: 1       # the model also reads the action one step before that
      # stateHistory: 1
      # angles: [boom_angle]   # the model reads sine and cosine: for joints with full turns
      # ignore: [position]     # states on which the motion does not depend
      # integrate: {position: rate}   # positions that follow from a measured rate
      # restPseudoData: 50     # pseudo-points without motion at zero rate and action; with it nothing is chosen
      # shortestLengthscale: 0.5   # in standard deviations of an input
      # noiseFloor: 1e-6       # least noise variance, in variances of an output
      sampler: automatic       # the cheapest within tolerance of: tabulated, kiss-gp, sparse, love, exact; or pathwise, sparse-pathwise
      # tablePoints: 65536     # of tabulated, at most
      # rank: 100              # of love and kiss-gp, instead of their tolerance
      # gridPoints: 30         # of kiss-gp, along every input
      # inducingPoints: 300    # of sparse and sparse-pathwise, at most
      # features: 256          # of pathwise and sparse-pathwise
      # criterion: heteroscedastic   # or block-out, marginal-likelihood: the criterion of learning
      # noise: latent          # or observed: whether rollouts draw the measurement noise too (fit is the same)
      # likelihood: automatic  # or cholesky, row-blocks, kiss-gp: how hyperparameters are learnt

    policy:
      layers: [8, 8]           # widths of the tanh layers; [] is a linear policy
      # radialBasis: 50        # Gaussian basis functions instead of layers
      # kind: pid              # a PID controller instead of a network, with gains found by the same search; default: network
      # integral: true         # a network adds the integral of the error, against stiction and loads; it must read its goal
      # errors: [boom_angle]   # goals whose errors a PID controller or an integral reads; default: those that are tracked
      # dropout: 0.25          # probability that a unit before the last layer is dropped at a step of a search's rollouts
      goal: none               # or concatenated, error: the policy reads the goal
      # actionHistory: 3       # the policy reads its last actions (delays)
      # disturbances: true     # the policy reads the disturbances

    # Summed. Standardised units: differences in standard deviations of the logs; or units: physical.
    reward:
      - saturating: {weights: [10, 0.1], width: 1}   # exp(-(x - goal)' diag(weights) (x - goal) / 2 width^2)
      - actionChange: 0.1                            # -0.1 (u - u_previous)^2
      # - quadratic: {weights: [1, 0], actionWeights: [0.1], units: physical}   # -(x - goal)' diag(weights) (x - goal) - ...
      # - formula: exp(-4 * (boom_angle - goal.boom_angle)^2) - 0.01 * (valve - previous.valve)^2
      # - learned: {column: score, weight: 1}   # a reward that is a column of the logs, learnt as one more Gaussian process

    # Constraints of a search at every step of its rollouts, with a probability for a whole rollout: formulas of states, actions,
    # previous.ACTION and quantities. The `limits:` of states and quantities are kept too (with 0.99).
    # constraints:
    #   - {quantity: abs(boom_rate), below: 0.35, probability: 0.99}   # or above: -0.35, or both

    # Where episodes start and should go, in the states' units: [x, ...], {lower: [...], upper: [...]},
    # {mean: [...], deviation: [...]}, bounds (of the data), {bounds: [boom_angle]} with the others zero; start: logged
    # draws from the logged states. goal: {tip_z: [0, 1.8], boom_rate: 0} is of quantities or states by name: ranges are drawn
    # within the logged poses; weights of rewards are then {tip_z: 1}, and `evaluate:` has track instead of tolerance and
    # startSpread.
    # Without a goal the reward alone defines the aim (no saturating or quadratic reward, success by measures).
    start: [-0.6, 0]
    goal: [0, 0]

    # The best of `starts` independent searches is used.
    # horizon may be a list that grows, [20, 60, 150]: for chaotic motion, such as a pole that may spin.
    optimise: {particles: 100, horizon: 150, starts: 5, iterations: 400, learningRate: 0.01}
    # Also: gradientNorm: 10 (longer gradients are shortened), adjointLimit: 1 (helps where motion is chaotic),
    # draws: fresh (or fixed, the same in every iteration), evaluationInterval: 5 (iterations), patience: 6 (evaluations
    # without progress until the rate is halved), keepLimits: false (limits end episodes, but the search ignores them).

    # How `bagel evaluate` and `learn` judge: state 1 within `tolerance` of the goal from `settle` seconds on; or
    # success: [{measure: abs(boom_angle - goal.boom_angle), below: 0.02}], lastSteps: 10. Goals one after another:
    # schedule: {at: [0, 10], goals: [[0.2, 0], [-0.2, 0]]}, or every: 10 (a new one every 10 s), or file: path.csv (columns
    # time and goals: a path); with ramp: 2 (seconds from a goal to the next), preview: 0.3 (the policy reads the goal 0.3 s ahead).
    # track: {tip_z: 0.05} has a tolerance for each goal instead of one; largestActionChange: 0.1 per step, on average, from settle on.
    # `learn` counts a trial as solved if nine in ten of these episodes succeed; with episodes: 1, one success is enough.
    evaluate: {episodes: 16, seconds: 15, startSpread: 0.05, tolerance: 0.02, settle: 5}

    # What `bagel run` checks, row by row, and its response: off, warn, fallback (the controller in `fallback:` drives), stop (safe action).
    # watch: {frozen: stop, innovation: warn, beyondData: warn, late: warn}   # default: warn
    # fallback: hold           # the safe action within the rate limits; or pid, a PID controller that `run` finds on the same model;
    #   or the file of a policy, its path relative to this file: my-boom-out/versions/2/policy.safetensors

    # `bagel learn`: policy: both starts one search from the last policy and the others from new parameters (or warm, fresh).
    # learn: {trials: 5, policy: both, model: warm, untilSolved: true}

    """
  }
}
