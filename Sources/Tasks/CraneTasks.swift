// SPDX-License-Identifier: Apache-2.0
// The built-in tasks on the hydraulic crane: its tool's tip, or the tool's whole pose, goes to goals; with slower valves and
// only angles measured; and from a minute of driving, with known physics of hydraulics.

extension BuiltInTasks {
  private static let measuredRates = """
    states:
      - {name: boom, units: rad}
      - {name: stick, units: rad}
      - {name: tool, units: rad}
      - {name: boom_rate, units: rad/s}
      - {name: stick_rate, units: rad/s}
      - {name: tool_rate, units: rad/s}
    """

  private static let derivedRates = """
    states:
      - {name: boom, units: rad, noise: 5e-4}
      - {name: stick, units: rad, noise: 5e-4}
      - {name: tool, units: rad, noise: 5e-4}
      - {name: boom_rate, units: rad/s, rateOf: boom, filterTime: 0.1}
      - {name: stick_rate, units: rad/s, rateOf: stick, filterTime: 0.1}
      - {name: tool_rate, units: rad/s, rateOf: tool, filterTime: 0.1}
    """

  private static let actions = """
    actions:
      - {name: boom_valve, limits: [-1, 1]}
      - {name: stick_valve, limits: [-1, 1]}
      - {name: tool_valve, limits: [-1, 1]}
    """

  private static let kinematics = """
    quantities:
      # Heights and ways of the joints; the tip is the end of the tool.
      elbow_x: {formula: 1.7 * cos(boom), units: m}
      elbow_z: {formula: 0.8 + 1.7 * sin(boom), units: m}
      wrist_x: {formula: elbow_x + 0.9 * cos(boom + stick), units: m}
      wrist_z: {formula: elbow_z + 0.9 * sin(boom + stick), units: m}
      tool_angle: {formula: boom + stick + tool, units: rad}
      tip_x: {formula: wrist_x + 0.5 * cos(tool_angle), units: m}
      tip_z: {formula: wrist_z + 0.5 * sin(tool_angle), units: m}
      # What the valves ask of the pump; beyond its flow all joints are slower.
      pump_load: abs(boom_valve) + 0.8 * abs(stick_valve) + 0.5 * abs(tool_valve)
    """

  private static let picture = """
    picture: [[0, 0.8], [elbow_x, elbow_z], [wrist_x, wrist_z], [tip_x, tip_z]]
    """

  private static func explore(seconds: Int) -> String {
    """
    explore:
      {kind: manual, seconds: \(seconds), turningPoints: [[-0.5, 1.0], [-2.3, -0.5], [-1.7, 0.8]]}
    """
  }

  /// Each joint reads itself, its valve and what the pump has to give.
  private static let inputs = """
      inputs:
        boom_rate: [boom, boom_rate, boom_valve, pump_load]
        stick_rate: [stick, stick_rate, stick_valve, pump_load]
        tool_rate: [tool, tool_rate, tool_valve, pump_load]
      sampler: tabulated
    """

  private static let model = """
    model:
      covariance: squared-exponential
      mean: linear
      integrate: {boom: boom_rate, stick: stick_rate, tool: tool_rate}
      actionDelay: 1
    \(inputs)
    """

  private static let search = """
    start: logged
    optimise: {particles: 100, horizon: 200, learningRate: 0.01}
    learn: {trials: 1}
    """

  /// Any place that the log's poses reach; judged within 5 cm of each goal from 6 s after its switch.
  private static let reach = """
    goal: {tip_x: [1.2, 2.6], tip_z: [0, 1.8]}
    evaluate:
      {episodes: 1, seconds: 80, settle: 6, schedule: {every: 10}, track: {tip_x: 0.05, tip_z: 0.05}}
    """

  private static let place = """
      - saturating: {weights: {tip_x: 1, tip_z: 1}, width: 0.3, units: physical}
      # Less leaves limit cycles: the spools' lag is hidden.
      - actionChange: 1
    """

  /// The joints stay off their stops, which a model does not know: where it guesses, searches go beyond them.
  private static let stops = """
      - formula:
          -10 * (max(0, boom - 1)^2 + max(0, -0.5 - boom)^2 + max(0, stick + 0.5)^2 + max(0, -2.3 - stick)^2
          + max(0, tool - 0.8)^2 + max(0, -1.7 - tool)^2)
    """

  /// From five minutes of driving by hand.
  static let crane = """
    name: crane
    timeStep: 0.05
    \(measuredRates)
    \(actions)
    \(kinematics)
    \(picture)
    plant: crane
    \(explore(seconds: 300))
    \(model)
    policy: {layers: [32, 32], goal: error}
    \(reach)
    reward:
    \(place)
    \(search)
    """

  /// The same with the tool's angle.
  static let cranePose = """
    name: crane-pose
    timeStep: 0.05
    \(measuredRates)
    \(actions)
    \(kinematics)
    \(picture)
    plant: crane
    \(explore(seconds: 300))
    \(model)
    policy: {layers: [32, 32], goal: error}
    goal: {tip_x: [1.2, 2.6], tip_z: [0, 1.8], tool_angle: [-2.5, 0]}
    reward:
      - saturating: {weights: {tip_x: 1, tip_z: 1, tool_angle: 0.4}, width: 0.3, units: physical}
      - actionChange: 1
    evaluate:
      episodes: 1
      seconds: 80
      settle: 6
      schedule: {every: 10}
      track: {tip_x: 0.05, tip_z: 0.05, tool_angle: 0.08}
    \(search)
    """

  /// With 150 ms more of transport delay, and no sensors of rates.
  static let craneDelayed = """
    name: crane-delayed
    timeStep: 0.05
    \(derivedRates)
    \(actions)
    \(kinematics)
    \(picture)
    plant: {name: crane, parameters: {transportDelay: 0.2}}
    \(explore(seconds: 300))
    model:
      covariance: squared-exponential
      mean: linear
      actionDelay: 4
    \(inputs)
    policy: {layers: [32, 32], goal: error, actionHistory: 6}
    \(reach)
    reward:
    \(place)
    \(stops)
    \(search)
    """

  /// From one minute of driving: the load of gravity is computed, gains, lag and deadband of the valves are found.
  static let cranePhysics = """
    name: crane-physics
    timeStep: 0.05
    \(measuredRates)
    \(actions)
    \(kinematics)
      # Torques of gravity over those of the arm stretched out level (60, 30, 25 kg in the middles of the links).
      load_tool: cos(tool_angle)
      load_stick: (30 * 0.45 * cos(boom + stick) + 25 * (0.9 * cos(boom + stick) + 0.25 * cos(tool_angle))) / 42.25
      load_boom:
        (60 * 0.85 * cos(boom) + 30 * (1.7 * cos(boom) + 0.45 * cos(boom + stick))
        + 25 * (1.7 * cos(boom) + 0.9 * cos(boom + stick) + 0.25 * cos(tool_angle))) / 186.75
      pump: min(1, 1.6 / max(0.01, pump_load))
    \(picture)
    plant: crane
    \(explore(seconds: 60))
    model:
      covariance: squared-exponential
      integrate: {boom: boom_rate, stick: stick_rate, tool: tool_rate}
      actionDelay: 1
      mean:
        boom_rate:
          (pump * (up_boom * max(boom_valve - dead, 0) * sqrt(1 - 0.5 * load_boom)
          + down_boom * min(boom_valve + dead, 0) * sqrt(1 + 0.5 * load_boom)) - boom_rate) / lag
        stick_rate:
          (pump * (up_stick * max(stick_valve - dead, 0) * sqrt(1 - 0.5 * load_stick)
          + down_stick * min(stick_valve + dead, 0) * sqrt(1 + 0.5 * load_stick)) - stick_rate) / lag
        tool_rate:
          (pump * (up_tool * max(tool_valve - dead, 0) * sqrt(1 - 0.5 * load_tool)
          + down_tool * min(tool_valve + dead, 0) * sqrt(1 + 0.5 * load_tool)) - tool_rate) / lag
      constants:
        lag: {start: 0.15, lower: 0.02, upper: 1}
        dead: {start: 0.05, lower: 0, upper: 0.2}
        up_boom: free
        down_boom: free
        up_stick: free
        down_stick: free
        up_tool: free
        down_tool: free
    \(inputs)
    policy: {layers: [32, 32], goal: error}
    \(reach)
    reward:
    \(place)
    \(stops)
    \(search)
    """
}
