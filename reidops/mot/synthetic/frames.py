"""One scene on film: everybody is drawn in depth order, who covers whom is measured, and the lens adds its faults."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from reidops.mot.sequences import PEDESTRIAN
from reidops.mot.synthetic.backdrop import PANE, paint_backdrop, pane_mask
from reidops.mot.synthetic.figure import Figure
from reidops.mot.synthetic.furniture import paint_bench, paint_obstacle
from reidops.mot.synthetic.lens import Lens
from reidops.mot.synthetic.people import Appearance, draw_appearance, draw_crowd, mannequin
from reidops.mot.synthetic.skeleton import Stance
from reidops.mot.synthetic.sprite import Owners, Sprite, extent, overlap, paste
from reidops.mot.synthetic.street import Street, plan_street
from reidops.mot.synthetic.walks import Route, Walk, follow, plan_routes

STATIC_PERSON, DISTRACTOR, REFLECTION = 7, 8, 12
LEAST_INSIDE = 0.12  # share of a box that lies in the frame while its person counts as being there
GLOSS = 0.42  # how much of a person a shop window mirrors


@dataclass(frozen=True)
class Sighting:
    """One annotated box: box_ltwh and visible_ltrb in px (0-based), visible_ltrb None where nothing of it is seen."""

    frame: int
    track_id: int
    class_id: int
    box_ltwh: tuple[float, float, float, float]
    visibility: float
    visible_ltrb: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Actor:
    """A person or object that is annotated: its class, what to draw, and its walk (one row: it does not move)."""

    track_id: int
    class_id: int
    figure: Figure
    walk: Walk


class Film:
    """A scene ready to be filmed, frame by frame."""

    def __init__(
        self,
        rng: np.random.Generator,
        index: int,
        size: tuple[int, int],
        *,
        num_people: int,
        num_frames: int,
        frame_rate: float,
    ) -> None:
        """Plan the scene number `index` (from 0) with frames of `size` (width, height)."""
        self.rng, self.num_frames, self.frame_rate = rng, num_frames, frame_rate
        self.street = plan_street(rng, index, *size)
        routes = plan_routes(rng, self.street, num_people, num_frames / frame_rate)
        appearances = _cast(draw_crowd(rng, num_people), routes)
        ids = rng.permutation(num_people) + 1
        self.people = [
            Actor(int(track_id), PEDESTRIAN, Figure(appearance), follow(route, num_frames, frame_rate))
            for track_id, appearance, route in zip(ids, appearances, routes, strict=True)
        ]
        self.lens = Lens(rng, self.street, num_frames, frame_rate)
        self._furnish()

    def _furnish(self) -> None:
        """Paint what never moves: backdrop, furniture, dummies in the shop windows, people on benches."""
        street, rng = self.street, self.rng
        self.backdrop = paint_backdrop(street, rng)
        self.glass = pane_mask(street) * GLOSS
        self.fixed = [(o.z, paint_obstacle(o, street, rng)) for o in street.obstacles]
        ids = itertools.count(len(self.people) + 1)
        dummies = [
            self._still(next(ids), DISTRACTOR, mannequin(draw_appearance(rng)), place) for place in self._pane_places(2)
        ]
        sitters = [self._still(next(ids), STATIC_PERSON, draw_appearance(rng), place) for place in self._bench_places()]
        self.fixed += [(z + 0.3, paint_bench(x, z, street)) for actor in sitters for x, z in actor.walk.place[:1]]
        self.dummies, self.sitters = (
            [(actor, self._draw(actor, 0)) for actor in group] for group in (dummies, sitters)
        )
        for _, sprite in self.dummies:
            paste(self.backdrop, sprite, np.array(street.light.gain, np.float32) * 0.7)
        self.owners = Owners(*self.backdrop.shape[:2])
        for actor, sprite in self.dummies:
            self.owners.cover(sprite, actor.track_id)

    def _still(self, track_id: int, class_id: int, appearance: Appearance, place: tuple[float, float]) -> Actor:
        """Return an actor that does not move and roughly faces the camera."""
        turn = self.rng.uniform(-0.7, 0.7)
        heading, phase = np.array([[np.sin(turn), -np.cos(turn)]]), self.rng.uniform(0, 6)
        return Actor(
            track_id,
            class_id,
            Figure(appearance),
            Walk(np.array([place]), heading, np.array([phase]), np.array([0.15])),
        )

    def _pane_places(self, count: int) -> list[tuple[float, float]]:
        """Choose places for dummies inside shop windows that are in view."""
        reach = 0.9 * self.street.half_view(self.street.facade_z)
        places = [
            float(np.mean(pane)) for house in self.street.houses for pane in house.panes if pane[1] - pane[0] > 0.8
        ]
        inside = [x for x in places if abs(x) < reach]
        chosen = self.rng.choice(len(inside), size=min(count, len(inside)), replace=False)
        return [(inside[int(k)], self.street.facade_z + 0.05) for k in chosen]

    def _bench_places(self) -> list[tuple[float, float]]:
        """Choose a place in front of the houses on the left and one on the right."""
        reach = 0.85 * self.street.half_view(self.street.facade_z)
        return [(float(side * self.rng.uniform(0.15, 1.0) * reach), self.street.facade_z - 1.0) for side in (-1, 1)]

    def _draw(self, actor: Actor, k: int) -> Sprite:
        stance = actor.walk.stance(min(k, len(actor.walk.phase) - 1))
        lifted = self.street.camera
        if actor.class_id == STATIC_PERSON:
            stance = replace(stance, seated=True)
        elif actor.class_id == DISTRACTOR:
            lifted = replace(lifted, height=lifted.height - PANE[0])
        return actor.figure.draw(stance, lifted)

    def shoot(self) -> Iterator[tuple[np.ndarray, list[Sighting]]]:
        """Yield every frame, uint8 [height, width, 3] BGR, with its annotated boxes."""
        for k in range(self.num_frames):
            yield self._shoot_one(k)

    def _shoot_one(self, k: int) -> tuple[np.ndarray, list[Sighting]]:
        canvas, owners = self.backdrop.copy(), Owners(*self.backdrop.shape[:2])
        owners.map[:] = self.owners.map
        cast = [(actor, self._draw(actor, k)) for actor in self.people if self._in_view(actor, k)]
        mirrored = self._mirror(cast, k, canvas, owners)
        self._shade(canvas, cast + self.sitters, k)
        self._stack(canvas, owners, cast, k)
        offset = self.lens.offset(k)
        seen = [
            self._sighting(actor, sprite, owners, k, offset)
            for actor, sprite in cast + self.sitters + self.dummies + mirrored
        ]
        return self.lens.expose(canvas, k, self.rng), [s for s in seen if s is not None]

    def _in_view(self, actor: Actor, k: int) -> bool:
        x, z = actor.walk.place[k]
        return abs(x) < self.street.half_view(z) + 0.9 + self.street.margin / self.street.camera.pixels_per_metre(z)

    def _mirror(
        self, cast: list[tuple[Actor, Sprite]], k: int, canvas: np.ndarray, owners: Owners
    ) -> list[tuple[Actor, Sprite]]:
        """Draw the reflections of those who walk close to the shop windows; they carry track ids of their own."""
        mirrored = []
        for actor, _ in cast:
            stance = actor.walk.stance(k)
            if not self._before_glass(stance):
                continue
            behind = replace(
                stance, z=2 * self.street.facade_z - stance.z, heading=(stance.heading[0], -stance.heading[1])
            )
            image = Actor(actor.track_id + 100, REFLECTION, actor.figure, actor.walk)
            sprite = actor.figure.draw(behind, self.street.camera)
            paste(canvas, sprite, self.street.light.gains(stance.x, stance.z), through=self.glass)
            owners.cover(sprite, image.track_id, through=self.glass / GLOSS)
            mirrored.append((image, sprite))
        return mirrored

    def _before_glass(self, stance: Stance) -> bool:
        """Tell whether a shop window lies between the camera and somebody's mirror image."""
        facade_z = self.street.facade_z
        x = stance.x * facade_z / (2 * facade_z - stance.z)
        return stance.z > facade_z - 4.0 and any(
            pane[0] < x < pane[1] for house in self.street.houses for pane in house.panes
        )

    def _shade(self, canvas: np.ndarray, cast: list[tuple[Actor, Sprite]], k: int) -> None:
        """Darken the ground in the shadows of people."""
        shade = np.zeros(canvas.shape[:2], np.float32)
        for actor, sprite in cast:
            x, z = actor.walk.place[min(k, len(actor.walk.phase) - 1)]
            _cast_shadow(shade, sprite, (x, z), self.street, actor.figure.appearance.height)
        canvas *= cv2.merge([1 - cv2.GaussianBlur(shade, (0, 0), 1.2 * self.street.height / 360)] * 3)

    def _stack(self, canvas: np.ndarray, owners: Owners, cast: list[tuple[Actor, Sprite]], k: int) -> None:
        """Lay furniture and people over the canvas, the farthest first."""
        layers: list[tuple[float, int, Sprite, np.ndarray | None]] = [(z, -2, sprite, None) for z, sprite in self.fixed]
        for actor, sprite in cast + self.sitters:
            x, z = actor.walk.place[min(k, len(actor.walk.phase) - 1)]
            layers.append((float(z), actor.track_id, sprite, self.street.light.gains(x, z)))
        for _, owner, sprite, gain in sorted(layers, key=lambda layer: -layer[0]):
            paste(canvas, sprite, gain)
            owners.cover(sprite, owner)

    def _sighting(
        self, actor: Actor, sprite: Sprite, owners: Owners, k: int, offset: tuple[float, float]
    ) -> Sighting | None:
        """Return one annotated box in the frame's pixels, or None for somebody outside, or a reflection that the walls
        hide.
        """
        street = self.street
        x, y = round(offset[0]), round(offset[1])
        visibility, visible = owners.visibility(
            sprite, actor.track_id, (slice(y, y + street.height), slice(x, x + street.width))
        )
        box = np.array(extent(sprite.alpha > 0.3)) + (sprite.left, sprite.top) * 2 - offset * 2
        inside = _share_inside(box, street.width, street.height)
        if inside < LEAST_INSIDE or (actor.class_id == REFLECTION and visibility < 0.3):
            return None
        left, top, right, bottom = box.tolist()
        ltwh = (left, top, right - left, bottom - top)
        moved = None if visible is None else _moved(visible, offset)
        return Sighting(k + 1, actor.track_id, actor.class_id, ltwh, visibility, moved)


def _moved(
    box_ltrb: tuple[float, float, float, float], offset: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return a box of the canvas in the pixels of a frame whose corner lies at `offset`."""
    left, top, right, bottom = box_ltrb
    return left - offset[0], top - offset[1], right - offset[0], bottom - offset[1]


def _share_inside(box_ltrb: np.ndarray, width: int, height: int) -> float:
    """Return which share of a box lies in the frame."""
    inside = np.maximum(0, np.minimum(box_ltrb[2:], (width, height)) - np.maximum(box_ltrb[:2], 0))
    return float(np.prod(inside) / np.prod(box_ltrb[2:] - box_ltrb[:2]))


def _cast(crowd: list[Appearance], routes: list[Route]) -> list[Appearance]:
    """Give the tall routes to the tallest, the short ones to the shortest, the others to the rest in their order."""
    by_height = sorted(range(len(crowd)), key=lambda k: crowd[k].height)
    num_short = sum(route.build == "short" for route in routes)
    num_tall = sum(route.build == "tall" for route in routes)
    taken = {"short": by_height[:num_short], "tall": by_height[len(crowd) - num_tall :]}
    taken["any"] = [k for k in range(len(crowd)) if k not in taken["short"] and k not in taken["tall"]]
    queues = {build: iter(indices) for build, indices in taken.items()}
    return [crowd[next(queues[route.build])] for route in routes]


def _cast_shadow(shade: np.ndarray, sprite: Sprite, place: tuple[float, float], street: Street, height: float) -> None:
    """Add one person's shadow to the shade map [h, w]: the outline, laid on the ground along the sun, and a dark spot
    at the feet.
    """
    x, z = place
    camera, light = street.camera, street.light
    tip = (x + light.sun[0] * height, 0.0, z + light.sun[1] * height)
    foot, head, end = camera.project(np.array([(x, 0.0, z), (x, height, z), tip]))
    lean = (end - foot) / (head[1] - foot[1])
    low, high = np.floor(np.minimum(foot, end)) - 30, np.ceil(np.maximum(foot, end)) + 30
    region = Sprite(
        shade, np.zeros((int(high[1] - low[1]), int(high[0] - low[0])), np.float32), int(low[0]), int(low[1])
    )
    there, own = overlap(region, shade.shape)
    across, down = np.array([sprite.left, sprite.top]) - foot
    moved = np.array([across + lean[0] * down, lean[1] * down]) + foot - low
    matrix = np.array([[1, lean[0], moved[0]], [0, lean[1], moved[1]]])
    strength = light.shadow * float(light.sunlit(np.float64(x), np.float64(z)))
    fallen = cv2.warpAffine(sprite.alpha, matrix, region.alpha.shape[::-1]) * strength
    unit = camera.pixels_per_metre(z)
    cv2.ellipse(
        fallen, tuple(int(v) for v in foot - low), (int(0.32 * unit), max(1, int(0.1 * unit))), 0, 0, 360, 0.42, -1
    )
    shade[there] = np.maximum(shade[there], fallen[own])
