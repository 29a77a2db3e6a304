"""The paths of the people: they cross, meet behind furniture, turn while hidden, leave and come back.

An itinerary is a list of (seconds, x, z): where somebody is when; between its points people keep a steady pace. Acts
write itineraries for one or two people. Lengths are in metres; the film runs from 0 to `seconds`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from reidops.mot.synthetic.skeleton import Stance
from reidops.mot.synthetic.street import FAR, NEAR, STRIP, Obstacle, Street

FRONT, BACK = (NEAR, STRIP[0] - 0.8), (STRIP[1] + 1.2, FAR)  # the two bands of depth that people walk in
STRIDE = 1.42  # metres per gait cycle, two steps
SMOOTHING = 0.16  # seconds, within which a change of pace or direction takes place
TURN_RATE = 5.5  # rad/s, the fastest that anybody turns round

Itinerary = list[tuple[float, float, float]]


@dataclass(frozen=True)
class Route:
    """An itinerary and who may walk it: `build` is any, tall (to cover somebody) or short (to be covered)."""

    points: Itinerary
    build: str = "any"


@dataclass(frozen=True)
class Walk:
    """Everywhere that one person is, one row per frame: place [n, 2] (x, z), heading [n, 2], gait phase [n], swing
    [n].
    """

    place: np.ndarray
    heading: np.ndarray
    phase: np.ndarray
    swing: np.ndarray

    def stance(self, k: int) -> Stance:
        """Return the stance in the k-th frame (from 0)."""
        return Stance(
            float(self.place[k, 0]),
            float(self.place[k, 1]),
            tuple(self.heading[k]),
            float(self.phase[k]),
            float(self.swing[k]),
        )


def plan_routes(rng: np.random.Generator, street: Street, count: int, seconds: float) -> list[Route]:
    """Plan `count` routes: acts take turns, so that every scene has swaps, turns, covers and returns."""
    acts: list[Callable[..., list[Route]]] = [
        _swap, _overtake, _cross, _leave, _approach, _swap, _cross, _dawdle, _leave, _overtake, _approach, _cross,
    ]  # fmt: skip
    swaps = _swap_styles(rng)
    routes: list[Route] = []
    for k in range(count):
        act = acts[k % len(acts)]
        style = (next(swaps),) if act is _swap else ()
        routes += act(rng, street, seconds, *style)
        if len(routes) >= count:
            break
    return [Route(_returned(rng, street, route.points, seconds), route.build) for route in routes[:count]]


def follow(route: Route, num_frames: int, frame_rate: float) -> Walk:
    """Walk a route: sample it at the frames, turn the body gradually, swing the limbs with the distance covered."""
    lead = int(np.ceil(frame_rate))  # a second before and after the film, for the smoothing
    clock = np.arange(-lead, num_frames + lead) / frame_rate
    place = gaussian_filter1d(_places(route.points, clock), SMOOTHING * frame_rate, axis=0, mode="nearest")
    velocity = np.gradient(place, 1 / frame_rate, axis=0)
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    phase = 2 * np.pi * (np.cumsum(speed) / frame_rate / STRIDE + route.points[0][1])
    film = slice(lead, lead + num_frames)
    return Walk(
        place[film], _headings(velocity, speed, frame_rate)[film], phase[film], np.clip(speed / 1.2, 0, 1.25)[film]
    )


def _places(points: Itinerary, clock: np.ndarray) -> np.ndarray:
    """Return where an itinerary is at the given seconds, [n, 2] (x, z)."""
    times, xs, zs = zip(*sorted(points), strict=True)
    return np.stack([np.interp(clock, times, xs), np.interp(clock, times, zs)], axis=1)


def _headings(velocity: np.ndarray, speed: np.ndarray, frame_rate: float) -> np.ndarray:
    """Return unit headings [n, 2] that follow the velocity with a limited turning rate; a person who stands keeps the
    last heading.
    """
    first = velocity[int(np.argmax(speed > 0.15))]
    angle = float(np.arctan2(first[0], first[1]))
    angles = []
    for (vx, vz), v in zip(velocity, speed, strict=True):
        if v > 0.15:
            turn = (np.arctan2(vx, vz) - angle + np.pi) % (2 * np.pi) - np.pi
            angle += float(np.clip(turn, -TURN_RATE / frame_rate, TURN_RATE / frame_rate))
        angles.append(angle)
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def _swap_styles(rng: np.random.Generator) -> Iterator[str]:
    """Deal out what happens where two meet out of sight: both turn back, or both go on, or one waits first."""
    while True:
        yield from rng.permutation(["turn", "pass", "wait"])


def _swap(rng: np.random.Generator, street: Street, seconds: float, style: str) -> list[Route]:
    """Let two people walk behind the same furniture from opposite sides and meet there unseen."""
    o = _screen(rng, street)
    meet = float(rng.uniform(0.28, 0.62)) * seconds
    z = float(rng.uniform(*BACK))
    depths = (z, float(np.clip(z + rng.choice([-0.6, 0.6]), *BACK)))
    lags = (0.0, 0.7 if style == "wait" else 0.0)
    return [
        Route(_behind(rng, o, depth, meet + lag, seconds, side=side, turns=style == "turn"))
        for depth, side, lag in zip(depths, (-1, 1), lags, strict=True)
    ]


def _dawdle(rng: np.random.Generator, street: Street, seconds: float) -> list[Route]:
    """Let somebody linger behind furniture and come out on either side."""
    meet = float(rng.uniform(0.3, 0.55)) * seconds
    side, turns = int(rng.choice([-1, 1])), bool(rng.random() < 0.5)
    return [Route(_behind(rng, _screen(rng, street), float(rng.uniform(*BACK)), meet, seconds, side=side, turns=turns))]


def _behind(
    rng: np.random.Generator, o: Obstacle, z: float, meet: float, seconds: float, *, side: int, turns: bool
) -> Itinerary:
    """Walk from `side` behind what `o` hides at depth `z`, be gone for one to three seconds around `meet`, come out
    there or beyond.

    The hidden distance and speed follow from the time of the absence.
    """
    middle, reach = o.x * z / o.z, o.width / 2 * z / o.z
    gone = float(rng.uniform(1.3, 2.6) if turns else max(rng.uniform(1.3, 3.0), 2 * reach / 2.0))
    enter, leave = meet - gone / 2, meet + gone / 2
    pace, later = rng.uniform(0.95, 1.35), rng.uniform(1.0, 1.6)
    out = side if turns else -side
    inside = middle + side * max(0.0, reach - 0.5 * gone) if turns else middle
    end_z, last = float(np.clip(z + rng.uniform(-0.8, 0.8), *BACK)), seconds + 1.5
    return [
        (-1.0, middle + side * (reach + pace * (enter + 1.0)), z),
        (enter, middle + side * reach, z),
        (meet, inside, z),
        (leave, middle + out * reach, z),
        (last, middle + out * (reach + later * (last - leave)), end_z),
    ]


def _overtake(rng: np.random.Generator, street: Street, seconds: float) -> list[Route]:
    """Let a short person walk unseen behind a tall one for a while, then fall back or go ahead."""
    side = int(rng.choice([-1, 1]))
    band = FRONT if rng.random() < 0.75 else BACK
    z = float(rng.uniform(band[0], band[1] - 0.6))
    pace = float(rng.uniform(0.8, 1.1))
    middle, hold = rng.uniform(0.3, 0.55) * seconds, rng.uniform(1.0, 1.8)
    away = float(rng.choice([-1, 1]))
    clock = np.array([-1.0, middle - hold, middle, middle + hold, seconds + 1.5])
    gap = np.array([-1.6, -0.6, 0.0, 0.05, away * 1.6]) if hold < 1.4 else np.array([-1.6, 0.0, 0.0, 0.05, away * 1.8])
    tall = side * (pace * (clock - middle)) + rng.uniform(-0.3, 0.3) * street.half_view(z)
    short_z = z + 0.55
    short = (tall + gap * side) * short_z / z
    return [
        Route([(float(t), float(x), z) for t, x in zip(clock, tall, strict=True)], "tall"),
        Route([(float(t), float(x), short_z) for t, x in zip(clock, short, strict=True)], "short"),
    ]


def _leave(rng: np.random.Generator, street: Street, seconds: float) -> list[Route]:
    """Let somebody walk out of the view, wait there and come back at another depth."""
    side = int(rng.choice([-1, 1]))
    band = FRONT if rng.random() < 0.75 else BACK
    z, back_z = rng.uniform(*band, 2)
    pace = rng.uniform(1.1, 1.45)
    edge = street.half_view(z) + 0.7
    gone = rng.uniform(0.25, 0.45) * seconds
    again = gone + rng.uniform(0.8, 2.0)
    edge_again = street.half_view(back_z) + 0.7
    return [
        Route(
            [
                (-1.0, side * (edge - pace * (gone + 1.0)), z),
                (gone, side * edge, z),
                (again, side * edge_again, back_z),
                (seconds + 1.5, side * (edge_again - rng.uniform(1.0, 1.4) * (seconds + 1.5 - again)), back_z),
            ]
        )
    ]


def _approach(rng: np.random.Generator, street: Street, seconds: float) -> list[Route]:
    """Let somebody come from the houses through a gap in the furniture to the front, or go the other way, with a
    stop.
    """
    gap = _gap(rng, street)
    half = street.half_view(NEAR)
    far = (float(rng.uniform(-0.7, 0.7)) * street.half_view(FAR), FAR - 0.3)
    near = (float(np.clip(gap + rng.uniform(-1.5, 1.5), -0.8 * half, 0.8 * half)), NEAR + 0.4)
    stops = [far, (gap, STRIP[1] + 0.6), (gap, STRIP[0] - 0.6), near]
    if rng.random() < 0.5:
        stops.reverse()
    points: Itinerary = []
    clock, here = float(rng.uniform(-1.0, 0.12 * seconds)), stops[0]
    points.append((-1.5, *here))
    for k, stop in enumerate(stops):
        clock += float(np.hypot(stop[0] - here[0], stop[1] - here[1]) / rng.uniform(1.0, 1.35)) + 0.05
        points.append((clock, *stop))
        here = stop
        if k in (0, 3):
            clock += float(rng.uniform(0.6, 1.6))
            points.append((clock, *stop))
    side = float(rng.choice([-1, 1]))
    return [Route([*points, (clock + 12, here[0] + side * 13.0, here[1])])]


def _cross(rng: np.random.Generator, street: Street, seconds: float) -> list[Route]:
    """Let somebody cross the view aslant in the front or back band."""
    side = int(rng.choice([-1, 1]))
    band = FRONT if rng.random() < 0.8 else BACK
    z0, z1 = rng.uniform(*band, 2)
    pace = rng.uniform(1.0, 1.5)
    start = -side * (street.half_view(z0) + 0.5) * rng.uniform(0.2, 1.0)
    span = seconds + 2.5
    return [Route([(-1.0, start, z0), (seconds + 1.5, start + side * pace * span, z1)])]


def _returned(rng: np.random.Generator, street: Street, points: Itinerary, seconds: float) -> Itinerary:
    """Send somebody who leaves the view early back into it, after a moment outside, at another depth of the same
    band.
    """
    clock = np.arange(0, seconds, 0.1)
    x, z = _places(points, clock).T
    outside = np.abs(x) > np.array([street.half_view(depth) for depth in z]) + 0.6
    left = np.flatnonzero(outside[1:] & ~outside[:-1]) + 1
    came_back = len(left) and not outside[left[0] :].all()
    if not len(left) or came_back or clock[left[0]] > seconds - 2.5 or rng.random() < 0.25:
        return points
    gone, at, depth = float(clock[left[0]]), float(x[left[0]]), float(z[left[0]])
    band = FRONT if depth < np.mean(STRIP) else BACK
    back_z = float(rng.uniform(*band))
    edge, again = np.sign(at) * (street.half_view(back_z) + 0.6), gone + float(rng.uniform(0.7, 2.2))
    inward = edge - np.sign(at) * rng.uniform(1.05, 1.45) * (seconds + 1.5 - again)
    kept = [point for point in points if point[0] < gone - 0.2]
    return [*kept, (gone, at, depth), (again, float(edge), back_z), (seconds + 1.5, float(inward), back_z)]


def _screen(rng: np.random.Generator, street: Street) -> Obstacle:
    """Choose a piece of furniture to hide behind, the wider the more often."""
    widths = np.array([o.width for o in street.obstacles])
    return street.obstacles[int(rng.choice(len(widths), p=widths / widths.sum()))]


def _gap(rng: np.random.Generator, street: Street) -> float:
    """Return an x at which the strip of furniture can be walked through."""
    half = 0.85 * street.half_view(STRIP[0])
    free = [x for x in np.linspace(-half, half, 41) if all(abs(x - o.x) > o.width / 2 + 0.6 for o in street.obstacles)]
    return float(rng.choice(free)) if free else float(half * 1.2)
