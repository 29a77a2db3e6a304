"""docs/your-data.md: each block of "Three lines for each tool" gives crops of the right people.

The lines of `mkdir`, `cp` and `ffmpeg` run in bash. The values of `dvc exp run -S` are written by DVC's own function,
and the stages run in this process with these params.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from drawn_exports import (
    People,
    bare_mot,
    bdd100k,
    cvat,
    kitti,
    labels_with_ids,
    personpath22,
    visdrone,
)
from dvc.utils.hydra import apply_overrides

from reidops.files import read_json
from reidops.mot.sequences import read_detection_file
from reidops.params import check_all
from reidops.parts import read_parts
from stages.convert import convert
from stages.detect import detect
from stages.download import download
from stages.params import SECTIONS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CROWD = People(num=12, num_frames=40)
# In place of the program: copy the frames that lie beside the video.
FFMPEG = '#!/bin/bash\ncp "${2%.mp4}.frames"/* "$(dirname "${@: -1}")"\n'


def read_blocks() -> dict[str, list[str]]:
    """Return the lines of each block by the first word of its remark."""
    page = (ROOT / "docs" / "your-data.md").read_text()
    code = re.search(r"## Three lines for each tool.*?```sh\n(.*?)```", page, re.DOTALL).group(1)
    blocks = [block.splitlines() for block in code.strip().split("\n\n")]
    return {re.sub(r"[,:].*", "", lines[0].removeprefix("# ")) + f" {n}": lines[1:] for n, lines in enumerate(blocks)}


BLOCKS = read_blocks()
CONVERTED = [name for name, lines in BLOCKS.items() if any(line.endswith(" convert") for line in lines)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder with a drawn export of each tool, under the names that the page gives to them."""
    folder = tmp_path_factory.mktemp("home")
    several: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
        "DanceTrack": (bare_mot, ("dancetrack0001", "dancetrack0002")),
        "VisDrone2019-MOT-train": (visdrone, ("uav0000013_00000_v", "uav0000013_01073_v")),
        ".": (kitti, ("0016", "0017", "0019")),
        "bdd100k": (bdd100k, ("0000f77c-6257be58", "b1c66a42-6f7d68ca")),
        "personpath22": (personpath22, ("uid_vid_00000", "uid_vid_00001")),
        "MOT17": (labels_with_ids, ("MOT17-02-SDP", "MOT17-13-SDP")),
    }
    for place, (draw, names) in several.items():
        for name in names:
            draw(folder / place, name, CROWD)
    draw_cameras(folder)
    draw_crops(folder / "crops")
    (folder / "personpath22" / "frame_data").rename(folder / "personpath22" / "raw_data")
    for video in (folder / "personpath22" / "raw_data").iterdir():
        video.rename(f"{video}.frames")
    (folder / "bin").mkdir()
    (folder / "bin" / "ffmpeg").write_text(FFMPEG)
    (folder / "bin" / "ffmpeg").chmod(0o755)
    return folder


def draw_cameras(folder: Path) -> None:
    """Write cam-a and cam-b with frames and CVAT's annotations, and detections of cam-b."""
    for name in ("cam-a", "cam-b"):
        cvat(folder / "cvat", name, CROWD)
        shutil.move(folder / "cvat" / "train" / name, folder / name)
        (folder / name / "images").rename(folder / name / "frames")
    (folder / "yolo").mkdir()
    lines = [f"{f},-1,{x},{y},{w},{h},0.9\n" for (f, _), (x, y, w, h) in CROWD.boxes.items()]
    (folder / "yolo" / "cam-b.txt").write_text("".join(lines))


def draw_crops(folder: Path) -> None:
    """Write 12 people of 10 crops into `train`, and 12 others into `test`."""
    rng = np.random.default_rng(0)
    for number in range(2 * CROWD.num):
        person = folder / ("train" if number < CROWD.num else "test") / f"person{number}"
        person.mkdir(parents=True)
        for crop in range(10):
            cv2.imwrite(str(person / f"{crop}.png"), rng.integers(0, 256, (40, 20, 3), np.uint8))


def run_block(lines: list[str], home: Path, repository: Path) -> dict[str, object]:
    """Run the lines before `dvc` in the repository's folder, and return the sections of params.yaml after `-S`."""
    environment = os.environ | {"HOME": str(home), "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    place = next(n for n, line in enumerate(lines) if line.startswith("dvc "))
    subprocess.run(["bash", "-ec", "\n".join(lines[:place])], cwd=repository, env=environment, check=True)
    words = shlex.split(lines[place])
    overrides = [value for flag, value in zip(words, words[1:], strict=False) if flag == "-S"]
    apply_overrides(repository / "params.yaml", overrides)
    assert words[:3] == ["dvc", "exp", "run"] and len(overrides) > 1
    return check_all(SECTIONS, repository / "params.yaml")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the committed params.yaml, which is the repository for the stages."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def test_every_block_ends_with_stages_that_exist():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert len(BLOCKS) == 9
    for lines in BLOCKS.values():
        targets = [line.split()[-1] for line in lines if line.startswith("dvc ")]
        assert len(targets) == 2 and set(targets) <= set(stages)


@pytest.mark.parametrize("name", CONVERTED)
def test_a_block_gives_crops_of_all_trained_and_tested_people(name, home, repository):
    sections = run_block(BLOCKS[name], home, repository)
    download(repository / "raw", sections["download"])
    convert(repository / "raw", repository / "crops", replace(sections["convert"], workers=1))
    splits = read_json(repository / "crops" / "report.json")["splits"]
    num_tested = CROWD.num * (2 if name.startswith("KITTI") else 1)  # KITTI holds out two sequences
    assert splits["train"]["people"] + splits["val"]["people"] == CROWD.num
    assert splits["query"]["people"] == splits["gallery"]["people"] == num_tested
    tracked = {part.sequence for part in read_parts(repository / "raw") if part.part == "track"}
    assert tracked == ({"dancetrack0002"} if "[mine]' -S 'download.sequences" in "".join(BLOCKS[name]) else set())


def test_the_block_of_detections_continues_the_first_one(home, repository):
    first, last = list(BLOCKS.values())[0], list(BLOCKS.values())[-1]
    run_block(first, home, repository)
    sections = run_block(last, home, repository)
    download(repository / "raw", sections["download"])
    detect(repository / "raw", repository / "detections", sections["detect"])
    found = read_detection_file(repository / "detections" / "cam-b.txt", CROWD.num_frames)
    assert len(found) == len(CROWD.boxes) and found["confidence"].eq(0.9).all()
