"""Measure which share of people who return keep their track, by the length of the gap, on drawn streets.

    python benchmarks/gaps.py --model data/export [--seeds 101 102 7] [--streets 05 06] [--frame-rates 12 25]
                              [--trackers evidence deepsort] [--ahead 8] [--ablation] [--picture FILE]
                              [--folder FOLDER]

Draws the streets of each seed at each frame rate, all of the same duration, embeds their FRCNN-like detections and
tracks them in all arms. The gate or the likelihood table is that of the model's calibration, the constants are those of
recipes/default.yaml. The default's model is trained on the streets 01 to 04 of seed 7 and tested on 05 and 06. Drawings
and embeddings below --folder are used again; a new street takes 4 to 15 s of CPU.

--ahead 8 replaces the embedding of each detection of a person by the mean of those of 8 frames from it on, so the
first crop after a gap carries what later crops show. It estimates what a tracker could gain that decides later.

--ablation takes each part of the evidence tracker away instead of comparing trackers, in the arm with the model.
--picture draws the shares.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from real_proof import ABLATION

from reidops.boxes.box_embedding import CropEmbedder
from reidops.boxes.embeddings import EmbeddedDetections, embed_sequence, read_embeddings, write_embeddings
from reidops.boxes.identities import NO_PERSON, people_of_boxes
from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import Commission, write_scene
from reidops.params import read_sections
from reidops.parts import Part
from reidops.progress_bar import progress_bar
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE, ORACLE
from reidops.tracking.evaluation.arm_results import ArmResult, by_arm, evaluate_parts, score_table, score_tree
from reidops.tracking.evaluation.gaps import gap_table
from reidops.tracking.evaluation.setups import TrackerSetup, calibrated_setup
from reidops.tracking.trackers import TRACKERS

DETECTOR = "FRCNN"
SECONDS = 12.5  # as the default's 150 frames at 12 frames/s
DEFAULT = Path(__file__).resolve().parents[1] / "recipes" / "default.yaml"
LINES = {NO_APPEARANCE: ":", APPEARANCE: "-", ORACLE: "--"}  # the arms of the picture
GOAL, GOAL_GAPS = 0.6, (11, 60)


@dataclass(frozen=True)
class DrawnStreet:
    """A street of a seed at a frame rate; `number` is that of its folder, as 05."""

    seed: int
    number: str
    frame_rate: int
    seconds: float = SECONDS

    @property
    def num_frames(self) -> int:
        """Return the number of frames of the duration of all streets."""
        return int(self.seconds * self.frame_rate)

    @property
    def name(self) -> str:
        """Return a name that no other street has."""
        return f"{self.seed}-{self.number}-{self.frame_rate}fps"

    def part(self, folder: Path) -> Part:
        """Return the street as a tracked part."""
        place = folder / self.name / "train" / f"SYN-{self.number}-{DETECTOR}"
        return Part("track", "synthetic", "mot", place, self.name, self.number, 1, self.num_frames)


def draw_parts(streets: Sequence[DrawnStreet], folder: Path) -> list[Part]:
    """Draw the streets that are not yet in the folder; return all as parts."""
    for street in progress_bar(streets, desc="draw", unit="streets"):
        if not (folder / street.name).is_dir():
            draw(street, folder)
    return [street.part(folder) for street in streets]


def draw(street: DrawnStreet, folder: Path) -> None:
    """Draw one street with one detector; its folder appears whole or not at all."""
    partial = folder / f"{street.name}.part"
    shutil.rmtree(partial, ignore_errors=True)
    params = SyntheticParams(seed=street.seed, frames=street.num_frames, frame_rate=street.frame_rate)
    write_scene(Commission(partial / "train", params, int(street.number) - 1))
    for copy in (partial / "train").iterdir():
        if not copy.name.endswith(f"-{DETECTOR}"):
            shutil.rmtree(copy)
    partial.rename(folder / street.name)


def embed_parts(parts: Sequence[Part], embedder: CropEmbedder, folder: Path) -> Path:
    """Embed the detections of the parts that have no file of this model yet; return the folder of the files."""
    embeddings = folder / f"embeddings-{embedder.weights_sha256[:12]}"
    embeddings.mkdir(parents=True, exist_ok=True)
    for part in progress_bar(parts, desc="embed", unit="streets"):
        path = embeddings / f"{part.sequence}.npz"
        if not path.is_file():
            sequence = read_sequence(part.folder)
            write_embeddings(embed_sequence(sequence, read_detections(sequence), embedder), path)
    return embeddings


def look_ahead(parts: Sequence[Part], embeddings: Path, num: int) -> Path:
    """Write the embeddings averaged over `num` detections of a person from each one on; return the folder."""
    ahead = embeddings.with_name(f"{embeddings.name}-ahead{num}")
    ahead.mkdir(exist_ok=True)
    for part in parts:
        detected = read_embeddings(embeddings / f"{part.sequence}.npz")
        annotations = read_annotations(read_sequence(part.folder))
        people = people_of_boxes(detected.frame, detected.box_ltwh, annotations, among="all")
        averaged = average_ahead(detected, people, num)
        write_embeddings(replace(detected, embeddings=averaged), ahead / f"{part.sequence}.npz")
    return ahead


def average_ahead(detected: EmbeddedDetections, people: np.ndarray, num: int) -> np.ndarray:
    """Return unit means, [n, dim], of each embedding and those of the same person in the next `num` − 1 frames.

    Args:
        people: track_id of the person that each detection shows, [n]; the rows of NO_PERSON are unchanged.
    """
    averaged = detected.embeddings.copy()
    for person in np.unique(people[people != NO_PERSON]):
        rows = np.flatnonzero(people == person)
        for row in rows:
            waited = detected.frame[rows] - detected.frame[row]
            ahead = rows[(waited >= 0) & (waited < num)]
            averaged[row] = detected.embeddings[ahead].mean(axis=0)
    return averaged / np.maximum(np.linalg.norm(averaged, axis=1, keepdims=True), 1e-12)


def setup_of(tracker: str, embeddings: Path, calibration: Path) -> TrackerSetup:
    """Return a tracker with the constants of the default and the gate of the calibration."""
    constants = read_sections(DEFAULT)["evaluate_tracking"]["constants"].get(tracker, {})
    return calibrated_setup(
        embeddings,
        calibration,
        tracker=tracker,
        gate="calibrated",
        min_confidence=None,
        constants=constants,
        camera_motion="none",
    )


def rows_of(tracker: str, results: Sequence[ArmResult]) -> pd.DataFrame:
    """Return one row per arm and length of gap: tracker, IDF1 of the arm and the columns of `gap_table`."""
    arms = by_arm(results)
    shares = gap_table({arm: [result.gaps for result in of_arm] for arm, of_arm in arms.items()})
    tree = score_tree(score_table(results))
    scores = {arm: tree[arm][COMBINED]["IDF1"] for arm in arms}
    return shares[shares["gap_from"] > 0].assign(tracker=tracker, IDF1=shares["arm"].map(scores))


def ablate(parts: Sequence[Part], setup: TrackerSetup) -> pd.DataFrame:
    """Return the rows of the arm with the model when one part of the evidence tracker is taken away."""
    tables = []
    for name, changes in progress_bar(list(ABLATION.items()), desc="ablate", unit="variants"):
        changed = replace(setup, constants=replace(setup.constants, **changes))
        rows = rows_of(name, evaluate_parts(parts, changed, arms=(NO_APPEARANCE, APPEARANCE)))
        tables.append(rows[rows["arm"] == APPEARANCE])
    return pd.concat(tables, ignore_index=True)


def draw_shares(table: pd.DataFrame) -> Figure:
    """Return a figure of the share of returns that keep their track over the length of the gap."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="frames out of sight", ylabel="share of returns that keep their track", ylim=(0, 1.02)
    )
    gaps = table[table["returns"] > 0].drop_duplicates("gap_from").sort_values("gap_from")
    colours = {tracker: f"C{i}" for i, tracker in enumerate(dict.fromkeys(table["tracker"]))}
    for (tracker, arm), rows in table.groupby(["tracker", "arm"], sort=False):
        if arm in LINES:
            shares = rows.set_index("gap_from")["share"].reindex(gaps["gap_from"]).to_numpy()
            axes.plot(shares, LINES[arm], marker="o", color=colours[tracker], label=f"{tracker}, {arm}")
    goal = [place for place, start in enumerate(gaps["gap_from"]) if GOAL_GAPS[0] <= start <= GOAL_GAPS[1]]
    axes.plot(goal, [GOAL] * len(goal), color="0.4", linewidth=4, alpha=0.5, label="goal with the model")
    axes.set_xticks(range(len(gaps)), [f"{_length(row)}\n({row.returns})" for row in gaps.itertuples()])
    axes.legend(fontsize="small", loc="lower left")
    return figure


def format_table(table: pd.DataFrame) -> str:
    """Return a Markdown table: a row per tracker and arm, a column per length of gap with the number of returns."""
    gaps = table[table["returns"] > 0].drop_duplicates("gap_from").sort_values("gap_from")
    heads = [f"{_length(row)} ({row.returns})" for row in gaps.itertuples()]
    lines = [f"| tracker | arm | IDF1 | {' | '.join(heads)} |", "|---" * (3 + len(heads)) + "|"]
    for (tracker, arm), rows in table.groupby(["tracker", "arm"], sort=False):
        shares = rows.set_index("gap_from")["share"].reindex(gaps["gap_from"])
        cells = " | ".join("–" if np.isnan(share) else f"{share:.2f}" for share in shares)
        lines.append(f"| {tracker} | {arm} | {rows['IDF1'].iloc[0]:.3f} | {cells} |")
    return "\n".join(lines)


def _length(row: Mapping) -> str:
    return f"{row.gap_from} …" if np.isnan(row.gap_to) else f"{row.gap_from} to {int(row.gap_to)}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the streets and the model."""
    parser.add_argument("--model", type=Path, default=Path("data/export"), help="folder of an exported model")
    parser.add_argument("--calibration", type=Path, help="default: reid/calibration.json beside the model's folder")
    parser.add_argument("--seeds", nargs="+", type=int, default=[101, 102, 7])
    parser.add_argument("--streets", nargs="+", default=["05", "06"], choices=[f"{n:02d}" for n in range(1, 7)])
    parser.add_argument("--frame-rates", nargs="+", type=int, default=[12, 25])
    parser.add_argument("--folder", type=Path, help="of drawings and embeddings; default: a temporary one")


def prepare(options: argparse.Namespace, folder: Path) -> tuple[list[Part], Path, Path]:
    """Draw and embed what is missing; return the parts, the folder of the embeddings and the calibration's file."""
    folder.mkdir(parents=True, exist_ok=True)
    streets = [DrawnStreet(s, n, rate) for rate in options.frame_rates for s in options.seeds for n in options.streets]
    parts = draw_parts(streets, folder)
    embedder = OnnxEmbedder(options.model, threads=int(os.environ.get("OMP_NUM_THREADS", "0")))
    calibration = options.calibration or options.model.parent / "reid" / "calibration.json"
    return parts, embed_parts(parts, embedder, folder), calibration


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--trackers", nargs="+", choices=list(TRACKERS), default=["evidence", "deepsort"])
    parser.add_argument("--ahead", type=int, default=1, metavar="FRAMES")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--picture", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        parts, embeddings, calibration = prepare(options, options.folder or Path(temporary))
        embeddings = look_ahead(parts, embeddings, options.ahead) if options.ahead > 1 else embeddings
        if options.ablation:
            table = ablate(parts, setup_of("evidence", embeddings, calibration))
        else:
            setups = {tracker: setup_of(tracker, embeddings, calibration) for tracker in options.trackers}
            tables = [rows_of(tracker, evaluate_parts(parts, setup)) for tracker, setup in setups.items()]
            table = pd.concat(tables, ignore_index=True)
    print(format_table(table))
    if options.picture:
        draw_shares(table).savefig(options.picture, dpi=100)


if __name__ == "__main__":
    main()
