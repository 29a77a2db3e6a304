"""A skeleton that walks: joints in the body's frame (right, up, forward), in metres.

Legs and arms swing against each other with the gait's phase; the knee bends while its leg comes forward.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stance:
    """The pose of a person: place on the ground [m], heading as a unit vector (x, z), gait phase [rad], swing
    0 … 1.3.
    """

    x: float
    z: float
    heading: tuple[float, float]
    phase: float
    swing: float
    seated: bool = False


def skeleton(stance: Stance, height: float, girth: float) -> dict[str, np.ndarray]:
    """Return the joints by name, each [3] (right, up, forward) in metres, with the lower foot on the ground."""
    joints: dict[str, np.ndarray] = {}
    hip_up, shoulder_up = 0.52 * height, 0.795 * height
    for side, sign in (("left", -1.0), ("right", 1.0)):
        joints |= _leg(side, sign * 0.052 * height * girth, hip_up, height, stance)
        joints |= _arm(side, sign * 0.104 * height * girth, shoulder_up, height, stance)
    lowest = min(joints["left_ankle"][1], joints["right_ankle"][1]) - 0.04 * height
    lean = 0.03 * height * stance.swing
    joints |= {
        "hips": np.array([0, hip_up, 0.0]),
        "neck": np.array([0, 0.83 * height, lean]),
        "head": np.array([0, 0.925 * height, lean * 1.2]),
    }
    return {name: joint - (0, lowest, 0) for name, joint in joints.items()}


def _leg(side: str, right: float, hip_up: float, height: float, stance: Stance) -> dict[str, np.ndarray]:
    phase = stance.phase + (np.pi if side == "left" else 0.0)
    thigh = 1.45 if stance.seated else 0.42 * stance.swing * np.sin(phase)
    bend = 1.4 if stance.seated else 0.06 + 0.85 * stance.swing * max(0.0, np.cos(phase)) ** 1.5
    hip = np.array([right, hip_up, 0.0])
    knee = hip + 0.245 * height * _along(thigh)
    ankle = knee + 0.235 * height * _along(thigh - bend)
    toe = ankle + 0.115 * height * np.array([0.0, -0.12 - 0.4 * (bend - 0.06) * (not stance.seated), 1.0])
    return {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": ankle, f"{side}_toe": toe}


def _arm(side: str, right: float, shoulder_up: float, height: float, stance: Stance) -> dict[str, np.ndarray]:
    phase = stance.phase + (0.0 if side == "left" else np.pi)
    upper = 0.5 if stance.seated else 0.48 * stance.swing * np.sin(phase)
    bend = 0.9 if stance.seated else 0.18 + 0.28 * stance.swing * (1 + np.sin(phase))
    shoulder = np.array([right, shoulder_up, 0.0])
    out = np.array([np.sign(right) * 0.02 * height, 0.0, 0.0])
    elbow = shoulder + 0.17 * height * _along(upper) + out
    hand = elbow + 0.16 * height * _along(upper + bend)
    return {f"{side}_shoulder": shoulder, f"{side}_elbow": elbow, f"{side}_hand": hand}


def _along(angle: float) -> np.ndarray:
    """Return the unit vector of a limb that hangs down at 0 and points forward at π/2."""
    return np.array([0.0, -np.cos(angle), np.sin(angle)])
