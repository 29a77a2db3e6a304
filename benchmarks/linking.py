"""Measure the linking of tracks by motion and by AFLink's network: `python benchmarks/linking.py` prints a table.

python benchmarks/linking.py [--seeds 23 31] [--trackers sort bytetrack] [--data ../shared/data] [--weights FILE.npz]

Six streets of each seed are drawn, which train neither way. Each tracker, with its published constants and without
appearance, tracks the detections of the three drawn detectors; with --data also MOT17-09's. A link is right if both
tracks are mostly on the same person; links between two tracks without a person are not counted. Recall counts the
links between each two successive tracks of a person with a gap of at most 30 frames. IDF1 and HOTA are TrackEval's, of
all sequences together. --quick uses little data to check that the script runs.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.boxes.identities import NO_PERSON, people_of_boxes
from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import write_synthetic
from reidops.tracking.constants import constants_of
from reidops.tracking.evaluation.scoring import combine_results, compare, official_results, official_scores, rules_of
from reidops.tracking.link_network import FILE, load_network
from reidops.tracking.linking import LinkConstants, link_tracks
from reidops.tracking.trackers import new_tracker, track_sequence

BOX = ["left", "top", "width", "height"]
Link = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Scene:
    """Tracks of a sequence, its ground truth, and the person that each track is mostly on."""

    truth: pd.DataFrame
    tracks: pd.DataFrame
    person_of: dict[int, int]


def track_scene(folder: Path, tracker: str) -> Scene:
    """Track the detections of a sequence by a tracker with its published constants, without appearance."""
    sequence = read_sequence(folder)
    truth, found = read_annotations(sequence), read_detections(sequence)
    detected = EmbeddedDetections(
        found["frame"].to_numpy(np.int32),
        found[BOX].to_numpy(np.float32),
        found["confidence"].to_numpy(np.float32),
        np.zeros((len(found), 1), np.float32),
        "none",
    )
    frames = range(1, int(truth["frame"].max()) + 1)
    tracks = track_sequence(new_tracker(tracker, None, constants_of(tracker, {})), detected, frames, appearance=False)
    people = people_of_boxes(tracks["frame"].to_numpy(), tracks[BOX].to_numpy(), truth, among="all")
    return Scene(truth, tracks, _majorities(tracks["track_id"].to_numpy(), people))


def _majorities(track_ids: np.ndarray, people: np.ndarray) -> dict[int, int]:
    """Return the person of more than half of each track's boxes, or NO_PERSON."""
    found = {}
    for track_id in np.unique(track_ids).tolist():
        values, counts = np.unique(people[track_ids == track_id], return_counts=True)
        best = counts.argmax()
        found[track_id] = int(values[best]) if 2 * counts[best] > counts.sum() else NO_PERSON
    return found


def true_links(scene: Scene, max_gap: int) -> set[tuple[int, int]]:
    """Return the pairs of successive tracks of one person without overlap in time, at most `max_gap` frames apart."""
    ends = scene.tracks.groupby("track_id")["frame"].agg(["min", "max"])
    links = set()
    for person in set(scene.person_of.values()) - {NO_PERSON}:
        own = sorted((track for track, p in scene.person_of.items() if p == person), key=lambda t: ends.loc[t, "min"])
        for before, after in zip(own, own[1:], strict=False):
            if 0 < ends.loc[after, "min"] - ends.loc[before, "max"] <= max_gap:
                links.add((before, after))
    return links


def made_links(scene: Scene, linked: pd.DataFrame) -> set[tuple[int, int]]:
    """Return the pairs of successive tracks that a linking joined."""
    ends = scene.tracks.groupby("track_id")["frame"].min()
    new_id = dict(zip(scene.tracks["track_id"], linked["track_id"], strict=True))
    links = set()
    for chain in set(new_id.values()):
        own = sorted((track for track, new in new_id.items() if new == chain), key=lambda track: ends[track])
        links |= set(zip(own, own[1:], strict=False))
    return links


def measure(scenes: list[Scene], link: Link, max_gap: int) -> list[str]:
    """Return the cells of one row: links made, precision, recall, IDF1, HOTA."""
    num_made = num_right = num_true = num_found = 0
    results = []
    for scene in scenes:
        linked, wanted = link(scene.tracks), true_links(scene, max_gap)
        made = {pair for pair in made_links(scene, linked) if {scene.person_of[k] for k in pair} != {NO_PERSON}}
        right = {(a, b) for a, b in made if scene.person_of[a] == scene.person_of[b] != NO_PERSON}
        num_made, num_right = num_made + len(made), num_right + len(right)
        num_true, num_found = num_true + len(wanted), num_found + len(wanted & made)
        frames = range(1, int(scene.truth["frame"].max()) + 1)
        results.append(official_results(compare(scene.truth, linked, frames, rules_of("MOT17"))))
    scores = official_scores(combine_results({str(k): found for k, found in enumerate(results)}))
    precision = f"{num_right / num_made:.3f}" if num_made else ""
    recall = f"{num_found / max(1, num_true):.3f} of {num_true}"
    return [str(num_made), precision, recall, f"{scores.IDF1:.3f}", f"{scores.HOTA:.3f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[23, 31])
    parser.add_argument("--trackers", nargs="+", default=["sort", "bytetrack"])
    parser.add_argument("--streets", type=Path, help="folder of one folder of streets per seed")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path, default=FILE)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        print_table(arguments, arguments.streets or Path(temporary))


def print_table(arguments: argparse.Namespace, streets: Path) -> None:
    """Draw what is missing in `streets`, track, link and print."""
    drawn = []
    for seed in arguments.seeds[:1] if arguments.quick else arguments.seeds:
        params = SyntheticParams(seed=seed, scenes=1, frames=60) if arguments.quick else SyntheticParams(seed=seed)
        if not (streets / str(seed)).exists():
            write_synthetic(streets / str(seed), params)
        drawn += sorted((streets / str(seed) / "train").iterdir())
    sets = {"drawn streets": drawn}
    if arguments.data:
        sets["MOT17-09"] = [arguments.data / "MOT17" / "train" / "MOT17-09-FRCNN"]
    constants, network = LinkConstants(), load_network(arguments.weights)
    ways: dict[str, Link] = {
        "none": lambda tracks: tracks,
        "motion": lambda tracks: link_tracks(tracks, constants),
        "aflink": lambda tracks: link_tracks(tracks, constants, network=network),
    }
    print("| tracks | tracker | linking | links | precision | recall | IDF1 | HOTA |\n" + "|---" * 8 + "|")
    for name, folders in sets.items():
        for tracker in arguments.trackers:
            scenes = [track_scene(folder, tracker) for folder in folders]
            for way, link in ways.items():
                cells = [name, tracker, way, *measure(scenes, link, constants.max_gap)]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
