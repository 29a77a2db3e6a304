"""Measure the adaptation on video: MOT17-09 without labels, and drawn streets in another light.

python benchmarks/adaptation_scenes.py --params FILE --folder FOLDER [--rounds 4] [--trackers deepsort strongsort]
    [--set adapt.constraints=none …] [--dusk SEED [--streets 4] [--frames 150]]

`--params` is a params file whose download.adapt names sets, such as one written by `reidops recipe adapt-mot17-half`.
The model of its section `train` is evaluated without and with `--rounds` rounds of adaptation: mAP of the test people,
re-association of lost people, and each tracker's scores with the interval of the difference over people. `--dusk` first
draws streets of that seed in the light of the evening, as the data set `dusk` below download.local. DUSK-03 and DUSK-04
have 150 frames for any `--frames`, so that scores on them can be compared.
"""

import argparse
import copy
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # stages are not installed; they belong to the repository

from reidops.cores import share_cores
from reidops.files import read_json, whole_folder
from reidops.memory import keep_freed_memory
from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import Commission, write_scene
from reidops.parallel import map_parallel
from reidops.params import check_sections, read_sections
from reidops.tracking.evaluation.rivals import lead_over
from stages.adapt import adapt
from stages.convert import convert
from stages.detect import detect
from stages.download import download
from stages.embed import embed
from stages.evaluate_reid import evaluate_reid
from stages.evaluate_tracking import evaluate_tracking
from stages.generate import generate
from stages.params import SECTIONS
from stages.tracklets import tracklets
from stages.train import train
from stages.tune import tune
from stages.validate import validate

EVENING = np.array([0.75, 0.5, 0.38])  # gains of blue, green and red
TESTED = (2, 3)  # places of the streets that are ranked and tracked


def draw_dusk(folder: Path, seed: int, streets: int, frames: int) -> None:
    """Draw streets of a seed, and darken and blue their frames, unless the set is there.

    Args:
        streets: their number; the third and fourth are for tests and have 150 frames.
        frames: number of frames of the others.
    """
    if folder.is_dir():
        return
    with whole_folder(folder) as partial:
        tested, others = SyntheticParams(seed=seed), SyntheticParams(seed=seed, frames=frames)
        chosen = {index: tested if index in TESTED else others for index in range(streets)}
        orders = [Commission(partial / "train", params, index) for index, params in chosen.items()]
        map_parallel(write_scene, orders, desc="drawing streets")
        for copied in [*partial.rglob("*-DPM"), *partial.rglob("*-SDP")]:
            shutil.rmtree(copied)
        for scene in list((partial / "train").iterdir()):
            settings = scene / "seqinfo.ini"
            settings.write_text(settings.read_text().replace("name=SYN", "name=DUSK"))
            scene.rename(scene.with_name(scene.name.replace("SYN", "DUSK")))
        for path in sorted(partial.rglob("*.jpg")):
            picture = cv2.imread(str(path))
            path.unlink()  # a hard link of a copy would be changed too
            cv2.imwrite(str(path), np.clip(picture * EVENING, 0, 255).astype(np.uint8))


class Trial:
    """The stages on one folder with one set of params."""

    def __init__(self, folder: Path, values: dict[str, Any], changes: dict[str, Any]) -> None:
        self._folder, self._values, self._changes = folder, values, changes

    def prepare(self) -> None:
        """Run the stages before the adaptation, unless they have run."""
        at, sections = self._folder, checked(self._values, self._changes)
        if (at / "tracklets").is_dir():
            return
        download(at / "raw", sections["download"])
        convert(at / "raw", at / "crops", sections["convert"])
        validate(at / "raw", at / "crops", at / "validation", sections["validate"])
        generate(at / "crops", at / "validation", at / "generated", sections["generate"])
        train(at / "crops", at / "validation", at / "generated", at / "trained", sections["train"])
        detect(at / "raw", at / "detections", sections["detect"])
        tracklets(at / "raw", at / "detections", at / "tracklets", sections["tracklets"])

    def evaluate(self, name: str, changes: dict[str, Any], trackers: list[str]) -> None:
        """Adapt with changed params, rank the test people and track."""
        at, changes, to = self._folder, self._changes | changes, self._folder / name
        sections = checked(self._values, changes)
        adapt(at / "trained", at / "tracklets", at / "crops", to / "model", sections["adapt"])
        if (to / "model" / "adaptation.csv").is_file():
            print(pd.read_csv(to / "model" / "adaptation.csv").to_string(index=False))
        embed(at / "raw", at / "detections", to / "model", to / "embeddings", sections["embed"])
        evaluate_reid(to / "model", at / "crops", at / "raw", to / "embeddings", to / "reid", sections["evaluate_reid"])
        found = to / "tuning"
        tune(at / "raw", to / "model", to / "reid" / "calibration.json", found, **_of_tune(sections))
        for tracker in trackers:
            tracked = checked(self._values, changes | {"evaluate_tracking.tracker": tracker})["evaluate_tracking"]
            evaluate_tracking(
                at / "raw", to / "embeddings", to / "reid" / "calibration.json", found, to / tracker, tracked
            )
        print(f"{name}: {_ranked(to / 'reid')}", flush=True)

    def compare(self, ours: str, theirs: str, trackers: list[str]) -> None:
        """Print the scores of both with the interval of the difference."""
        for tracker in trackers:
            mine, other = (self._folder / name / tracker for name in (ours, theirs))
            lead = lead_over(mine / "windows.npz", other / "windows.npz") or {}
            for score in ("IDF1", "HOTA"):
                values = [read_json(at / "headline.json")["appearance"][score] for at in (other, mine)]
                print(f"{tracker} {score}: {theirs} {values[0]:.4f}, {ours} {values[1]:.4f}, {lead.get(score)}")


def _of_tune(sections: dict[str, Any]) -> dict[str, Any]:
    return {
        "params": sections["tune"],
        "tracking": sections["evaluate_tracking"],
        "detect": sections["detect"],
        "embed": sections["embed"],
    }


def _ranked(reid: Path) -> str:
    """Return mAP and rank1 of each test set, and rank1 of lost people by the gap in frames."""
    table = pd.read_csv(reid / "reassociation.csv")
    columns = [name for name in table if name.startswith("rank1_")]
    gaps = table[table["gap"].isin([15, 30, 60])].set_index("gap")[columns] if columns else table
    return f"{read_json(reid / 'headline.json')}\n{gaps.to_string()}"


def checked(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the sections of a params file with some values changed, by `section.name`."""
    changed = copy.deepcopy(values)
    for place, value in changes.items():
        section, _, name = place.partition(".")
        changed[section][name] = value
    return check_sections(SECTIONS, changed, Path("params.yaml"))


def main() -> None:
    """Evaluate the model without and with adaptation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="data and models; finished stages are kept")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--trackers", nargs="*", default=["deepsort", "strongsort"])
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.NAME=VALUE")
    parser.add_argument("--name", default="adapted", help="folder of the adapted model in --folder")
    parser.add_argument("--dusk", type=int, metavar="SEED")
    parser.add_argument("--streets", type=int, default=4, help="number of streets of --dusk, at least 4")
    parser.add_argument("--frames", type=int, default=150, help="frames of the streets of --dusk that are not tested")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    for name in ("reidops", "stages"):
        logging.getLogger(name).setLevel(logging.INFO)
    keep_freed_memory()
    changes = {place: yaml.safe_load(value) for place, value in (change.split("=", 1) for change in options.set)}
    values = read_sections(options.params)
    os.environ.setdefault("DVC_ROOT", str(options.folder))
    if options.dusk is not None:
        draw_dusk(Path(values["download"]["local"]) / "dusk", options.dusk, options.streets, options.frames)
    trial = Trial(options.folder, values, changes)
    trial.prepare()
    if not (options.folder / "base").is_dir():
        trial.evaluate("base", {"adapt.rounds": 0, "adapt.norm_share": 0}, options.trackers)
    trial.evaluate(options.name, {"adapt.rounds": options.rounds, "adapt.track": None}, options.trackers)
    trial.compare(options.name, "base", options.trackers)


if __name__ == "__main__":
    share_cores()
    main()
