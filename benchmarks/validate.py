"""What `validate` costs on tables of MOT17's size: 112,297 annotations and 80,000 crops, without decoding a picture.

python benchmarks/validate.py [--annotations 112297] [--crops 80000]

The sets are drawn into a temporary folder and removed again. Frames are small files of one size and different bytes, so
that all of them are hashed; crops are one small JPEG, each with other bytes behind its end. Seconds are user + system
time of the stage's process, its imports included; memory is the highest resident size of that process.
"""

import argparse
import io
import resource
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # stages are not installed; they belong to the repository

DEFAULT = Path(__file__).resolve().parents[1] / "recipes" / "default.yaml"
SCENES = {"02": 600, "04": 1050, "05": 837, "09": 525, "10": 654, "11": 900, "13": 750}  # frames, as in MOT17
TRACKED = "09"
WIDTH, HEIGHT = 1920, 1080  # px
PEOPLE_PER_SCENE = 78
SEQINFO = (
    "[Sequence]\nname={name}\nimDir=img1\nframeRate=30\nseqLength={length}\nimWidth=1920\nimHeight=1080\nimExt=.jpg\n"
)


def draw_sets(raw: Path, num_annotations: int) -> None:
    """Write seven sequences and parts.csv: six scenes train, one is tested and tracked."""
    from reidops.parts import Part, write_parts

    rng = np.random.default_rng(0)
    parts = []
    for scene, length in SCENES.items():
        folder = raw / "drawn" / "train" / f"DRAWN-{scene}"
        _draw_sequence(folder, length, round(num_annotations * length / sum(SCENES.values())), rng)
        parts += [
            Part(part, "DRAWN", "mot", folder, folder.name, scene, 1, length)
            for part in (("test", "track") if scene == TRACKED else ("train",))
        ]
    write_parts(parts, raw)


def _draw_sequence(folder: Path, length: int, num_boxes: int, rng: np.random.Generator) -> None:
    for name in ("img1", "gt", "det"):
        (folder / name).mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(SEQINFO.format(name=folder.name, length=length))
    for frame in range(1, length + 1):
        (folder / "img1" / f"{frame:06d}.jpg").write_text(f"{folder.name} {frame:06d}")
    person, frame = np.divmod(np.arange(num_boxes), length)  # track by track, as published
    boxes = np.column_stack([rng.integers(1, WIDTH - 100, num_boxes), rng.integers(1, HEIGHT - 250, num_boxes)])
    rows = np.column_stack([frame + 1, person + 1, boxes, np.full((num_boxes, 2), (80, 200)), np.ones((num_boxes, 3))])
    np.savetxt(folder / "gt" / "gt.txt", rows, fmt="%d", delimiter=",")
    np.savetxt(
        folder / "det" / "det.txt",
        np.column_stack([rows[:, 0], -rows[:, 6], rows[:, 2:6], rows[:, 8]]),
        fmt="%d",
        delimiter=",",
    )


def draw_crops(folder: Path, num_crops: int) -> None:
    """Write crops.tar, crops.parquet and the file lists of people, each in one split."""
    from reidops.datasets.label_lists import write_lists
    from reidops.tables import CROPS, write_table

    folder.mkdir()
    scenes = list(SCENES)
    pid = np.sort(np.arange(num_crops) % (PEOPLE_PER_SCENE * len(scenes)))
    number = pd.Series(pid).groupby(pid).cumcount().to_numpy()
    scene = np.array(scenes)[pid // PEOPLE_PER_SCENE]
    paths = [f"imgs/DRAWN-{s}_{p:06d}/{n:06d}.jpg" for s, p, n in zip(scene, pid, number, strict=True)]
    offsets, size = _draw_tar(folder / "crops.tar", paths)
    test = np.where(number < 4, "query", "gallery")
    split = np.where(scene == TRACKED, test, np.where(pid % 5 == 0, "val", "train"))
    lengths = np.array(list(SCENES.values()))[pid // PEOPLE_PER_SCENE]
    table = pd.DataFrame({
        "path": paths, "offset": offsets, "size": size, "dataset": "DRAWN", "pid": pid,
        "camid": pid // PEOPLE_PER_SCENE,
        "scene": scene, "track_id": pid, "tracklet": -1, "frame": 1 + number % lengths, "width": 32, "height": 64,
        "visibility": 1.0, "split": split,
    })  # fmt: skip
    write_table(table, folder / "crops.parquet", CROPS)
    write_lists(table, folder / "meta", 0.2)


def _draw_tar(tar: Path, paths: list[str]) -> tuple[list[int], int]:
    """Write the tar and return where each JPEG begins, and how many bytes each has."""
    picture = np.random.default_rng(0).integers(0, 255, (64, 32, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    offsets, size = [], len(jpeg) + 8
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as stream:
        for number, path in enumerate(paths):
            member = tarfile.TarInfo(path)
            member.size = size
            offsets.append(stream.offset + tarfile.BLOCKSIZE)
            stream.addfile(member, io.BytesIO(jpeg + b"%08d" % number))
    return offsets, size


def run_stage(data: Path) -> None:
    """Run the stage's function and print what this process has used."""
    from reidops.params import read_params
    from stages.validate import ValidateParams, validate

    default = read_params(ValidateParams, "validate", DEFAULT)
    params = replace(default, image_sample=0, frame_sample=0, crop_sample=0)
    validate(data / "raw", data / "crops", data / "validation", params)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"CPU {used.ru_utime + used.ru_stime:.1f} s, peak memory {used.ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=int, default=112_297)
    parser.add_argument("--crops", type=int, default=80_000)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_stage(arguments.run)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        draw_sets(data / "raw", arguments.annotations)
        draw_crops(data / "crops", arguments.crops)
        print(f"{arguments.annotations:,} annotations, {arguments.crops:,} crops, nothing decoded:", flush=True)
        subprocess.run([sys.executable, __file__, "--run", folder], check=True)


if __name__ == "__main__":
    main()
