#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serves joints of a MuJoCo model as a BAGEL plant: any MJCF file, here an arm that comes with Gymnasium.

    pip install mujoco gymnasium
    plant: {process: [python3, plant.py, reacher.xml, --joints, joint0, joint1]}

in:   one number a driven joint, a step: its torque (N m), which is the actuator's control times its gear;
      with --servo KP KD an angle (rad) that a servo goes to with the torque KP (command - angle) - KD rate
out:  the joints' angles (rad), then their rates (rad/s), in the order of --joints

A model is a path, or the name of a file among Gymnasium's models. The other joints are free, or with --hold KP KD those
that have an actuator are held where they start. A step lasts --step seconds, with the command held; MuJoCo takes as many of
its own time steps as fit.
One JSON object a line, see Examples/simulink-or-your-own/plant.py.
"""
import argparse
import importlib.util
import json
import pathlib
import random
import sys

try:
    import mujoco
except ImportError:
    sys.exit("plant.py needs MuJoCo: pip install mujoco (and gymnasium, for its models)")


def model_path(name):
    """A path, or a file among Gymnasium's models."""
    if pathlib.Path(name).exists():
        return name
    gymnasium = importlib.util.find_spec("gymnasium")
    if gymnasium is None:
        sys.exit(f"there is no file {name} here, and no Gymnasium to look for it in: pip install gymnasium")
    path = pathlib.Path(gymnasium.origin).parent / "envs" / "mujoco" / "assets" / name
    if not path.exists():
        sys.exit(f"there is no file {name}, here or in {path.parent}")
    return str(path)


class Arm:
    """Joints of a model, each with the actuator that drives it."""

    def __init__(self, path, joints, step, servo, hold):
        self.model = mujoco.MjModel.from_xml_path(path)
        self.data = mujoco.MjData(self.model)
        self.inner_steps = max(1, round(step / self.model.opt.timestep))
        if abs(self.inner_steps * self.model.opt.timestep - step) > 1e-9:
            sys.exit(f"--step {step} s is no multiple of the model's {self.model.opt.timestep} s")
        self.servo, self.hold = servo, hold
        indices = [self.index(name) for name in joints]
        self.angles = [self.model.jnt_qposadr[i] for i in indices]
        self.rates = [self.model.jnt_dofadr[i] for i in indices]
        self.actuators = [self.actuator(i) for i in indices]
        for name, actuator in zip(joints, self.actuators):
            if actuator is None:
                sys.exit(f"no actuator drives the joint {name}")
        others = [i for i in range(self.model.njnt) if i not in indices and self.actuator(i) is not None]
        self.held = [(self.actuator(i), self.model.jnt_qposadr[i], self.model.jnt_dofadr[i]) for i in others]

    def index(self, joint):
        found = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_JOINT, joint)
        if found < 0:
            known = ", ".join(self.model.joint(i).name for i in range(self.model.njnt))
            sys.exit(f"the model has no joint {joint}; it has {known}")
        return found

    def actuator(self, joint):
        """The motor that turns a joint, or None."""
        turns = mujoco.mjtTrn.mjTRN_JOINT
        for i in range(self.model.nu):
            if self.model.actuator_trntype[i] == turns and self.model.actuator_trnid[i, 0] == joint:
                return i
        return None

    def reset(self, seed, start, spread):
        draws = random.Random(seed)
        mujoco.mj_resetData(self.model, self.data)
        for k, angle in enumerate(self.angles):
            self.data.qpos[angle] = (start[k] if start else self.data.qpos[angle]) + draws.uniform(-spread, spread)
        mujoco.mj_forward(self.model, self.data)

    def step(self, action):
        for _ in range(self.inner_steps):
            for command, actuator, angle, rate in zip(action, self.actuators, self.angles, self.rates):
                torque = self.servo_torque(self.servo, command, angle, rate) if self.servo else command
                self.drive(actuator, torque)
            if self.hold:
                for actuator, angle, rate in self.held:
                    self.drive(actuator, self.servo_torque(self.hold, self.model.qpos0[angle], angle, rate))
            mujoco.mj_step(self.model, self.data)

    def servo_torque(self, gains, command, angle, rate):
        return gains[0] * (command - self.data.qpos[angle]) - gains[1] * self.data.qvel[rate]

    def drive(self, actuator, torque):
        """MuJoCo keeps the control within the actuator's range."""
        self.data.ctrl[actuator] = torque / self.model.actuator_gear[actuator, 0]

    def state(self):
        return [float(self.data.qpos[i]) for i in self.angles] + [float(self.data.qvel[i]) for i in self.rates]


def main():
    options = argparse.ArgumentParser(description="Joints of a MuJoCo model as a BAGEL plant.")
    options.add_argument("model", help="an MJCF file, or the name of one of Gymnasium's")
    options.add_argument("--joints", nargs="+", required=True, help="the driven joints, by name")
    options.add_argument("--step", type=float, default=0.04, help="the task's timeStep, s")
    options.add_argument("--start", nargs="+", type=float, help="the driven joints' angles at the start, rad")
    options.add_argument("--spread", type=float, default=0.0, help="half width of a uniform spread of them, rad")
    options.add_argument("--servo", nargs=2, type=float, metavar=("KP", "KD"),
                         help="N m/rad and N m s/rad: commands are angles, not torques")
    options.add_argument("--hold", nargs=2, type=float, metavar=("KP", "KD"),
                         help="the same for the other joints that have an actuator")
    given = options.parse_args()
    if given.start and len(given.start) != len(given.joints):
        sys.exit(f"--start has {len(given.start)} angles for {len(given.joints)} joints")
    arm = Arm(model_path(given.model), given.joints, given.step, given.servo, given.hold)
    for line in sys.stdin:
        message = json.loads(line)
        if message["command"] == "close":
            break
        if message["command"] == "reset":
            arm.reset(message["seed"], given.start, given.spread)
        else:
            arm.step(message["action"])
        print(json.dumps({"state": arm.state()}), flush=True)


if __name__ == "__main__":
    main()
