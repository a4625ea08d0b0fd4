// SPDX-License-Identifier: Apache-2.0
// The built-in tasks on the hydraulic crane: its tool's tip, or the tool's whole pose, goes where it is told.

extension BuiltInTasks {
  private static let craneMachine = """
    timeStep: 0.05
    states:
      - {name: boom, units: rad}
      - {name: stick, units: rad}
      - {name: tool, units: rad}
      - {name: boom_rate, units: rad/s}
      - {name: stick_rate, units: rad/s}
      - {name: tool_rate, units: rad/s}
    actions:
      - {name: boom_valve, limits: [-1, 1]}
      - {name: stick_valve, limits: [-1, 1]}
      - {name: tool_valve, limits: [-1, 1]}
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
    picture: [[0, 0.8], [elbow_x, elbow_z], [wrist_x, wrist_z], [tip_x, tip_z]]
    plant: crane
    explore:
      {kind: manual, seconds: 300, turningPoints: [[-0.5, 1.0], [-2.3, -0.5], [-1.7, 0.8]]}
    model:
      covariance: squared-exponential
      mean: linear
      sampler: tabulated
      integrate: {boom: boom_rate, stick: stick_rate, tool: tool_rate}
      actionDelay: 1
      inputs:
        boom_rate: [boom, boom_rate, boom_valve, pump_load]
        stick_rate: [stick, stick_rate, stick_valve, pump_load]
        tool_rate: [tool, tool_rate, tool_valve, pump_load]
    policy: {layers: [32, 32], goal: error}
    start: logged
    optimise: {particles: 100, horizon: 200, learningRate: 0.01}
    """

  /// Any place that the log's poses reach; judged within 5 cm of each goal from 6 s after its switch.
  static let crane = """
    name: crane
    \(craneMachine)
    goal: {tip_x: [1.2, 2.6], tip_z: [0, 1.8]}
    reward:
      - saturating: {weights: {tip_x: 1, tip_z: 1}, width: 0.3, units: physical}
      - actionChange: 1
    evaluate:
      {episodes: 1, seconds: 80, settle: 6, schedule: {every: 10}, track: {tip_x: 0.05, tip_z: 0.05}}
    learn: {trials: 1}
    """

  /// The same with the tool's angle.
  static let cranePose = """
    name: crane-pose
    \(craneMachine)
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
    learn: {trials: 1}
    """
}
