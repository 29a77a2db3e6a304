"""Track several real clips with one model: all trackers, all arms, apart and combined, and at lower frame rates.

python benchmarks/real_proof.py [--data ../shared/data] [--trackers evidence bytetrack …] [--strides 1 2 4 8]
                                [--ablation] [--output real_proof]

The model is OSNet x0.25 with torchreid's weights of MSMT17, which is trained on none of the clips. Its gates and its
likelihood table are fitted on people of Market-1501's training set, without those who are in PRW. The clips:

- MOT17-09-FRCNN, frames 132 … 262, public detections; constants were searched on the first half.
- TUD-Campus, public detections.
- PRW-c6s1, about one frame a second; the detections are the annotated boxes, so association alone is measured.

--ablation takes each part of the evidence tracker away instead of comparing trackers.

It prints one table per clip and one of the clips together, and writes scores.csv and, with --strides, strides.csv and
strides.png to --output. Differences have 95 % intervals over people. ByteTrack, OC-SORT, Hybrid-SORT, BoostTrack++,
StrongSORT and BoT-SORT have thresholds for confidences of 0 … 1; on TUD-Campus, whose detector has another scale, they
use all detections.
"""

import argparse
import csv
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reidops.boxes.embeddings import embed_sequence, write_embeddings
from reidops.datasets.market1501 import list_part
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.mot.sequences import read_detections, read_sequence
from reidops.parts import Part
from reidops.retrieval.calibration import calibrate
from reidops.retrieval.crop_distances import Crops
from reidops.tracking.constants import GATES, calibrated_gates, constants_of, gate_of
from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE
from reidops.tracking.evaluation.arm_results import ArmResult, evaluate_parts, score_table, score_tree
from reidops.tracking.evaluation.bootstrap import LeaveOneOut, best_intervals
from reidops.tracking.evaluation.setups import TrackerSetup
from reidops.tracking.trackers import TRACKERS
from reidops.training.weights import load_weights

CLIPS = {
    "MOT17-09-FRCNN": ("MOT17", "MOT17/train/MOT17-09-FRCNN", 132, 262),
    "TUD-Campus": ("MOT15", "MOT15/train/TUD-Campus", 1, 71),
    "PRW-c6s1": ("MOT15", "MOT15/train/PRW-c6s1", 1, 1000),
}
NO_THRESHOLDS = -1e6
# The constants of confidences, of trackers that have them.
THRESHOLDS = ("high", "low", "new")
# Parts of the evidence tracker that are taken away: the constants that do so.
ABLATION: dict[str, dict[str, float]] = {
    "whole": {},
    "no recognition of new tracks": {"identify": 0.0},
    "no covering of boxes": {"occlusion": 0.0},
    "constant velocity": {"decay": 1e4},
    "normal motion density": {"freedom": 1e6},
    "no people are hidden": {"hide": 1e-6},
    "memory of one frame": {"memory": 1e-3},
    "memory that never forgets": {"memory": 1e6},
    "confirmed by 4 matches at any frame rate": {"confirm_seconds": 1e6},
    "confirmed at once": {"confirm_hits": 1},
}
WINDOW = 30
PEOPLE_OF_CALIBRATION = 150


def read_model(data: Path, folder: Path) -> Embedder:
    """Return OSNet x0.25 with the weights of MSMT17."""
    network = EmbeddingNetwork(
        "osnet_x0_25",
        embedding_dim=0,
        parts=0,
        pooling="avg",
        last_stride=1,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    load_weights(network, data / "weights" / "osnet_x0_25_msmt17.pt")
    description = describe(
        network,
        backbone="osnet_x0_25",
        embedding_dim=0,
        pooling="avg",
        last_stride=1,
        height=256,
        width=128,
        num_classes=0,
    )
    Embedder(network, description).save(folder, trained_on={})
    return Embedder.load(folder)


def calibrate_model(embedder: Embedder, data: Path) -> dict:
    """Return the calibration on people of Market-1501 who are not in PRW-c6s1."""
    folder = data / "Market-1501-v15.09.15"
    crops, _ = list_part(folder, "train")
    with open(data / CLIPS["PRW-c6s1"][1] / "market_ids.csv") as stream:
        tracked = {int(row["market_pid"]) for row in csv.DictReader(stream)}
    crops = crops[~crops["published_pid"].isin(tracked)]
    people = sorted(crops["published_pid"].unique())
    chosen = people[:: max(1, len(people) // PEOPLE_OF_CALIBRATION)]
    crops = crops[crops["published_pid"].isin(chosen)]
    pictures = [cv2.imread(path) for path in crops["file"]]
    embeddings = embedder.embed(pictures, desc="calibrate")
    heights = np.array([picture.shape[0] for picture in pictures])
    found = Crops(
        embeddings,
        crops["published_pid"].to_numpy(int),
        crops["camera"].to_numpy(int),
        crops["frame"].to_numpy(int),
        np.ones(len(crops)),
        heights,
    )
    return calibrate(found).report


def parts_of(data: Path) -> list[Part]:
    """Return the clips as tracked parts."""
    return [
        Part("track", dataset, "mot", data / path, name, name, first, last)
        for name, (dataset, path, first, last) in CLIPS.items()
    ]


def setup_of(tracker: str, part: Part, embedder: Embedder, calibration: dict, folder: Path) -> TrackerSetup:
    """Return a tracker with its published constants and the gate of the calibration."""
    published = constants_of(tracker, {})
    is_other_scale = part.sequence == "TUD-Campus"
    changed = {name: NO_THRESHOLDS for name in THRESHOLDS if hasattr(published, name)} if is_other_scale else {}
    if is_other_scale and hasattr(published, "fuse_score"):
        changed["fuse_score"] = False
    changed = {name: value for name, value in changed.items() if getattr(published, name) is not None}
    gate = (
        gate_of("calibrated", tracker, calibrated_gates(calibration), missing="{entry}") if tracker in GATES else None
    )
    return TrackerSetup(folder, embedder.weights_sha256, None, tracker, gate, constants_of(tracker, changed))


def evaluate(
    tracker: str, parts: Sequence[Part], embedder: Embedder, calibration: dict, *, folder: Path, stride: int = 1
) -> list[ArmResult]:
    """Return the results of all arms of a tracker on the clips."""
    results: list[ArmResult] = []
    for part in parts:
        setup = replace(setup_of(tracker, part, embedder, calibration, folder), frame_stride=stride)
        results += evaluate_parts([part], setup)
    return results


def ablate(parts: Sequence[Part], embedder: Embedder, calibration: dict, folder: Path) -> pd.DataFrame:
    """Return the IDF1 of the evidence tracker without each of its parts, by clip and combined."""
    rows = []
    for name, changes in ABLATION.items():
        results: list[ArmResult] = []
        for part in parts:
            setup = setup_of("evidence", part, embedder, calibration, folder)
            setup = replace(setup, constants=constants_of("evidence", changes))
            results += evaluate_parts([part], setup, arms=(NO_APPEARANCE, APPEARANCE))
        tree = score_tree(score_table(results))
        rows.append({"taken away": name} | {clip: scores["IDF1"] for clip, scores in tree[APPEARANCE].items()})
    return pd.DataFrame(rows)


def rows_of(tracker: str, results: list[ArmResult], rival: list[ArmResult]) -> list[dict]:
    """Return a row per clip and arm, with the interval of the IDF1 difference to the rival without appearance."""
    tree = score_tree(score_table(results))
    against = {result.sequence: LeaveOneOut.of(result.of_frames, WINDOW) for result in rival}
    rows = []
    for arm in dict.fromkeys(result.arm for result in results):
        ours = {r.sequence: LeaveOneOut.of(r.of_frames, WINDOW) for r in results if r.arm == arm}
        for sequence, scores in tree[arm].items():
            names = list(ours) if sequence == COMBINED else [sequence]
            interval = best_intervals([ours[n] for n in names], [against[n] for n in names])["IDF1"]
            rows.append(
                {
                    "tracker": tracker,
                    "arm": arm,
                    "sequence": sequence,
                    **{name: scores[name] for name in ("IDF1", "HOTA", "AssA", "MOTA", "IDSW")},
                    "low": interval.low if interval else np.nan,
                    "high": interval.high if interval else np.nan,
                    "people": sum(len(ours[n].without_people) for n in names),
                }
            )
    return rows


def format_tables(table: pd.DataFrame) -> str:
    """Return a Markdown table of IDF1 per clip: a row per tracker, a column per arm, and the lead over ByteTrack."""
    lines = []
    for sequence, rows in table.groupby("sequence", sort=False):
        lines += [
            f"\n{sequence}, {rows['people'].iloc[0]} people: IDF1\n",
            "| tracker | none | random | model | oracle | model (or none) − ByteTrack [95 %] |",
            "|---|---|---|---|---|---|",
        ]
        base = rows[rows["tracker"] == "bytetrack"]["IDF1"].iloc[0]
        for tracker, of_tracker in rows.groupby("tracker", sort=False):
            arms = of_tracker.set_index("arm")
            best = arms.loc[APPEARANCE if APPEARANCE in arms.index else NO_APPEARANCE]
            values = [
                f"{arms.loc[arm, 'IDF1']:.3f}" if arm in arms.index else "–"
                for arm in ("no_appearance", "random", "appearance", "oracle")
            ]
            lead = f"{best['IDF1'] - base:+.3f} [{best['low']:+.3f}, {best['high']:+.3f}]"
            lines.append(f"| {tracker} | {' | '.join(values)} | {lead.replace('-', '−')} |")
    return "\n".join(lines)


def draw_strides(table: pd.DataFrame, path: Path) -> None:
    """Draw the combined IDF1 of each tracker over the frame stride."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for tracker, rows in table.groupby("tracker", sort=False):
        ours = {"linewidth": 3, "color": "black"} if tracker == "evidence" else {"linewidth": 1.2}
        axes.plot(rows["stride"].astype(str), rows["IDF1"], "o-", label=tracker, **ours)
    axes.set(
        xlabel="every n-th frame",
        ylabel="IDF1",
        title="MOT17-09 (second half) and TUD-Campus together",
        ylim=(0.35, 0.9),
    )
    axes.legend(fontsize=8, ncols=2)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the tables and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--trackers", nargs="+", choices=list(TRACKERS), default=list(TRACKERS))
    parser.add_argument("--strides", nargs="+", type=int, default=[])
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("real_proof"))
    options = parser.parse_args()
    if not (options.data / "MOT15").is_dir():
        parser.exit(0, f"skipped: {options.data} has no MOT15 folder; give --data\n")
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        embedder = read_model(options.data, folder / "model")
        calibration = calibrate_model(embedder, options.data)
        parts = parts_of(options.data)
        for part in parts:
            sequence = read_sequence(part.folder)
            detections = read_detections(sequence)
            inside = detections["frame"].between(part.first_frame, part.last_frame)
            write_embeddings(embed_sequence(sequence, detections[inside], embedder), folder / f"{part.sequence}.npz")
        if options.ablation:
            print(ablate(parts, embedder, calibration, folder).round(3).to_markdown(index=False))
            return
        rival = evaluate("bytetrack", parts, embedder, calibration, folder=folder)
        rows = []
        for tracker in options.trackers:
            rows += rows_of(tracker, evaluate(tracker, parts, embedder, calibration, folder=folder), rival)
        table = pd.DataFrame(rows)
        table.to_csv(options.output / "scores.csv", index=False)
        print(format_tables(table))
        if options.strides:
            at_strides = _evaluate_strides(options, parts[:2], embedder, calibration, folder)
            at_strides.to_csv(options.output / "strides.csv", index=False)
            draw_strides(at_strides, options.output / "strides.png")
            print(at_strides.pivot(index="tracker", columns="stride", values="IDF1").round(3).to_markdown())


def _evaluate_strides(
    options: argparse.Namespace, parts: Sequence[Part], embedder: Embedder, calibration: dict, folder: Path
) -> pd.DataFrame:
    rows = []
    for tracker in options.trackers:
        for stride in options.strides:
            results = evaluate(tracker, parts, embedder, calibration, folder=folder, stride=stride)
            tree = score_tree(score_table(results))
            arm = APPEARANCE if APPEARANCE in tree else NO_APPEARANCE
            rows.append({"tracker": tracker, "stride": stride, "IDF1": tree[arm][COMBINED]["IDF1"]})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
