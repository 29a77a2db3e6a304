"""Frames by their own names: whatever the numbers, folder and kind, a box is cut out of its own picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules, check_frames, choose_boxes
from reidops.mot.frame_files import list_frames
from reidops.mot.sequences import read_annotations, read_detections, read_sequence

SIZE, FRAMES = 40, 5


def grey_of(frame: int) -> int:
    return 40 * frame


def write_sequence(root: Path, names: list[str], frames: list[int], *, im_dir: str = "img1", ext: str = "", det=None):
    """Write picture k (0-based) in grey 40 (k + 1), and a box in each frame whose id is its picture's place from 1."""
    (root / im_dir).mkdir(parents=True)
    for name in ("gt", "det"):
        (root / name).mkdir()
    for place, name in enumerate(names, 1):
        picture = np.full((SIZE, SIZE, 3), grey_of(place), np.uint8)
        _, data = cv2.imencode(Path(name).suffix.lower(), picture)
        (root / im_dir / name).write_bytes(data.tobytes())
    lines = [f"{frame},{place},5,5,20,20,1,1,1\n" for place, frame in enumerate(frames, 1)]
    (root / "gt" / "gt.txt").write_text("".join(lines))
    if det is not None:
        (root / "det" / "det.txt").write_text("".join(f"{frame},-1,5,5,20,20,0.9\n" for frame in det))
    info = f"[Sequence]\nimDir={im_dir}\nframeRate=10\nseqLength={len(names)}\nimWidth={SIZE}\nimHeight={SIZE}\n"
    (root / "seqinfo.ini").write_text(info + (f"imExt={ext}\n" if ext else ""))
    return root


def assert_every_box_is_on_its_picture(root: Path) -> None:
    found = read_sequence(root)
    boxes, _ = choose_boxes(found, BoxRules())
    assert len(boxes) == FRAMES
    check_frames(found, 1, found.length)
    for row in boxes.itertuples():
        picture = cv2.imread(str(found.frame_path(row.frame)))
        assert abs(int(picture[row.y1 : row.y2, row.x1 : row.x2].mean()) - grey_of(row.track_id)) <= 3


ONE, ZERO = list(range(1, FRAMES + 1)), list(range(FRAMES))


@pytest.mark.parametrize(
    ("name", "numbers", "frames"),
    [
        ("{:06d}.jpg", ONE, ONE),
        ("{:06d}.jpg", ZERO, ZERO),
        ("{:06d}.jpg", ZERO, ONE),
        ("{:06d}.jpg", ONE, ZERO),
        ("{:d}.png", [98, 99, 100, 101, 102], ONE),
        ("{:d}.png", [98, 99, 100, 101, 102], [98, 99, 100, 101, 102]),
        ("{:05d}.bmp", [0, 5, 10, 15, 20], [0, 5, 10, 15, 20]),
        ("{:05d}.JPG", [5, 10, 15, 20, 25], ONE),
        ("cam2_frame{:04d}_rgb.png", ONE, ONE),
        ("img{:03d}.webp", [7, 8, 9, 10, 11], [7, 8, 9, 10, 11]),
        ("{:06d}.jpg", [1, 2, 4, 7, 8], [1, 2, 4, 7, 8]),
    ],
)
def test_a_box_is_cut_out_of_its_own_picture_whatever_the_numbers(tmp_path, name, numbers, frames):
    root = write_sequence(tmp_path / "mine" / "train" / "s", [name.format(n) for n in numbers], frames)
    assert_every_box_is_on_its_picture(root)


@pytest.mark.parametrize(
    ("im_dir", "ext", "name"),
    [
        ("img", ".jpg", "{:06d}.jpg"),
        ("frames/left", ".png", "{:06d}.png"),
        ("img1", "jpg", "{:06d}.JPG"),
        ("img1", ".jpg", "{:06d}.png"),  # one kind of pictures, whatever imExt says
        ("IMG", "", "{:06d}.jpeg"),
    ],
)
def test_the_folder_and_the_kind_of_the_frames_are_heeded(tmp_path, im_dir, ext, name):
    names = [name.format(n) for n in ONE]
    root = write_sequence(tmp_path / "mine" / "train" / "s", names, ONE, im_dir=im_dir, ext=ext)
    assert_every_box_is_on_its_picture(root)
    assert read_sequence(root).folder == root


def test_pictures_of_two_kinds_are_told_apart_by_imext(tmp_path):
    root = write_sequence(tmp_path / "s", [f"{n}.png" for n in ONE], ONE, ext=".png")
    cv2.imwrite(str(root / "img1" / "1.jpg"), np.zeros((4, 4, 3), np.uint8))
    assert read_sequence(root).frame_path(1).name == "1.png"


def test_numbers_that_fit_two_readings_are_refused_with_the_question(tmp_path):
    names = [f"{n:06d}.jpg" for n in ZERO]
    root = write_sequence(tmp_path / "mine" / "train" / "s", names, [1, 2, 3])
    with pytest.raises(ReidopsError, match=r"its frames are 1 … 3 .*count from 1 or count from 0.*download\.formats"):
        read_annotations(read_sequence(root))


def test_detections_decide_where_ground_truth_does_not(tmp_path):
    names = [f"{n:06d}.jpg" for n in ZERO]
    root = write_sequence(tmp_path / "mine" / "train" / "s", names, [1, 2, 3], det=ZERO)
    assert read_annotations(read_sequence(root))["frame"].tolist() == [2, 3, 4]
    assert read_detections(read_sequence(root))["frame"].tolist() == ONE


def test_a_lost_picture_beside_one_too_many_shifts_nothing(tmp_path):
    names = [f"{n:06d}.jpg" for n in (1, 2, 4, 5, 6)]
    root = write_sequence(tmp_path / "s", names, ONE)
    with pytest.raises(
        ReidopsError, match=r"line 3 .*there is no picture of that number; the pictures of .* have gaps"
    ):
        read_annotations(read_sequence(root))


def test_a_folder_that_imdir_does_not_name_is_named(tmp_path):
    root = write_sequence(tmp_path / "s", [f"{n}.jpg" for n in ONE], ONE)
    (root / "img1").rename(root / "frames")
    with pytest.raises(ReidopsError, match=r"imDir=img1, and there are pictures in frames \(imDir=frames\)"):
        check_frames(read_sequence(root), 1, FRAMES)


def test_dates_in_names_are_ordered(tmp_path):
    for second in (9, 10, 11):
        (tmp_path / f"2024-05-01_12-0{second % 3}-{second:02d}.png").touch()
    assert list_frames(tmp_path).numbers == (1, 2, 3)
