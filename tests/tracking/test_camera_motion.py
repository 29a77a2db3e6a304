from dataclasses import replace

import cv2
import numpy as np
import pytest
from mot_factory import write_mot_sequence

from reidops.errors import ReidopsError
from reidops.mot.sequences import Sequence, read_sequence
from reidops.tracking import camera_cache
from reidops.tracking.camera_cache import CachedMotion, cached_motion, sequence_affines
from reidops.tracking.camera_motion import Ecc, NoMotion, SparseFlow

WIDTH, HEIGHT = 320, 240
STILL = np.eye(2, 3)
CORNERS = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT], [WIDTH / 2, HEIGHT / 2]])
ESTIMATORS = [SparseFlow, Ecc]


def draw_street(seed: int = 0) -> np.ndarray:
    """Return a picture with edges and corners everywhere, BGR uint8 [h, w, 3]."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for _ in range(150):
        left, top = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
        width, height = rng.integers(8, 50, 2).tolist()
        cv2.rectangle(picture, (left, top), (left + width, top + height), rng.integers(0, 256, 3).tolist(), -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.5)


def moved(x: float = 0, y: float = 0, degrees: float = 0, zoom: float = 1) -> np.ndarray:
    """Return a turn about the middle of the picture, then a shift [px], as an affine [2, 3]."""
    affine = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, zoom)
    return affine + [[0, 0, x], [0, 0, y]]


def warp(picture: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(picture, affine, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def farthest(found: np.ndarray, expected: np.ndarray) -> float:
    """Return how far apart, in px, the two put a corner or the middle of the picture, at most."""
    points = np.column_stack([CORNERS, np.ones(len(CORNERS))])
    return float(np.linalg.norm(points @ (found - expected).T, axis=1).max())


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("motion", [moved(6, -3), moved(0.5, 0.25), moved(degrees=1.5), moved(-4, 2, degrees=-1)])
def test_a_known_motion_is_found_within_half_a_pixel_everywhere(estimator, motion):
    street, camera = draw_street(), estimator()
    assert camera.affine(1, street).tolist() == STILL.tolist()
    assert farthest(camera.affine(2, warp(street, motion)), motion) < 0.5


def test_sparse_flow_finds_a_zoom():
    street, camera, motion = draw_street(), SparseFlow(), moved(zoom=1.03)
    camera.affine(1, street)
    assert farthest(camera.affine(2, warp(street, motion)), motion) < 0.5


@pytest.mark.parametrize("downscale", [1, 2, 3])
def test_a_smaller_picture_gives_the_same_motion_in_whole_pixels(downscale):
    street, camera, motion = draw_street(), SparseFlow(downscale), moved(5, 3, degrees=1)
    camera.affine(1, street)
    assert farthest(camera.affine(2, warp(street, motion)), motion) < 0.5


def test_a_large_person_who_walks_does_not_carry_the_camera_along():
    before, after = draw_street(), draw_street()
    person = draw_street(seed=1)[:150, :80]
    before[50:200, 100:180], after[50:200, 112:192] = person, person
    camera = SparseFlow()
    camera.affine(1, before)
    assert farthest(camera.affine(2, after), STILL) < 0.5


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_there_is_no_motion_where_it_cannot_be_estimated(estimator):
    grey = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for pictures in ([grey, grey], [draw_street(), grey], [grey, draw_street()], [np.zeros((2, 3, 3), np.uint8)] * 2):
        camera = estimator()
        assert [camera.affine(n, p).tolist() for n, p in enumerate(pictures, 1)] == [STILL.tolist()] * 2


def test_a_cut_to_another_scene_is_no_motion():
    for seed in range(1, 6):
        camera = SparseFlow()
        camera.affine(1, draw_street())
        assert farthest(camera.affine(2, draw_street(seed)), STILL) == 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_frame_without_picture_is_bridged_by_the_next_motion(estimator):
    street, camera, motion = draw_street(), estimator(), moved(4, 2)
    camera.affine(1, street)
    assert camera.affine(2, None).tolist() == STILL.tolist()
    assert farthest(camera.affine(3, warp(street, motion)), motion) < 0.5


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_number_that_does_not_increase_starts_a_new_video(estimator):
    camera = estimator()
    camera.affine(1, draw_street())
    assert camera.affine(1, warp(draw_street(), moved(6, 6))).tolist() == STILL.tolist()
    assert camera.affine(1, np.zeros((40, 50, 3), np.uint8)).tolist() == STILL.tolist()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_frames_of_two_sizes_are_refused_with_their_number(estimator):
    camera = estimator()
    camera.affine(1, draw_street())
    with pytest.raises(ReidopsError, match="frame 2: is 160 × 120 px, the one before 320 × 240; .*scale them"):
        camera.affine(2, draw_street()[:120, :160])


@pytest.mark.parametrize(
    "picture", [np.zeros((20, 20), np.uint8), np.zeros((20, 20, 3)), np.zeros((20, 20, 4), np.uint8)]
)
def test_an_array_that_is_no_bgr_picture_is_refused(picture):
    with pytest.raises(ReidopsError, match="frame 1: a picture of shape .*expects BGR uint8"):
        SparseFlow().affine(1, picture)


def test_a_static_camera_never_moves():
    assert NoMotion().affine(2, draw_street()).tolist() == NoMotion().affine(1, None).tolist() == STILL.tolist()


def write_panning_sequence(folder, num_frames: int = 5, step: float = 3) -> Sequence:
    """Write frames of a street before which the camera turns, so that all moves by `step` px to the right."""
    write_mot_sequence(folder, num_frames=num_frames, width=WIDTH, height=HEIGHT)
    for frame in range(1, num_frames + 1):
        cv2.imwrite(str(folder / "img1" / f"{frame:06d}.jpg"), warp(draw_street(), moved(step * frame)))
    return read_sequence(folder)


def test_the_motion_of_a_sequence_is_that_of_its_frames_one_by_one(tmp_path):
    sequence = write_panning_sequence(tmp_path / "TOY-01")
    affines = sequence_affines(sequence, SparseFlow(), range(1, 6))
    assert affines[0].tolist() == STILL.tolist()
    assert max(farthest(affine, moved(3)) for affine in affines[1:]) < 0.5


def test_a_sequence_is_computed_once_and_then_read(tmp_path, monkeypatch):
    sequence = write_panning_sequence(tmp_path / "TOY-01")
    first = cached_motion(sequence, "sparse_flow", tmp_path / "cache")
    monkeypatch.setattr(camera_cache, "read_frame", None)
    again = cached_motion(sequence, "sparse_flow", tmp_path / "cache")
    assert [again.affine(n, None).tolist() for n in range(1, 6)] == [
        first.affine(n, None).tolist() for n in range(1, 6)
    ]
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["TOY-01.sparse_flow.npz"]


def test_another_method_other_frames_and_other_pictures_are_computed_anew(tmp_path, monkeypatch):
    sequence, computed = write_panning_sequence(tmp_path / "TOY-01"), []
    compute = camera_cache.sequence_affines
    monkeypatch.setattr(camera_cache, "sequence_affines", lambda *args: computed.append(args) or compute(*args))
    for method, frames in (
        ("sparse_flow", None),
        ("ecc", None),
        ("sparse_flow", range(2, 5)),
        ("sparse_flow", range(2, 5)),
    ):
        cached_motion(sequence, method, tmp_path, frames)
    assert len(computed) == 3
    cv2.imwrite(str(sequence.frame_path(3)), draw_street(seed=4))
    cached_motion(sequence, "sparse_flow", tmp_path, range(2, 5))
    assert len(computed) == 4


def test_the_later_frames_of_a_sequence_count_from_one_for_their_tracker(tmp_path):
    sequence = write_panning_sequence(tmp_path / "TOY-01")
    camera = cached_motion(sequence, "sparse_flow", tmp_path, range(3, 6))
    assert camera.affine(1, None).tolist() == STILL.tolist()
    assert farthest(camera.affine(3, None), moved(3)) < 0.5
    with pytest.raises(ReidopsError, match="frame 4: the camera motion is stored for frames 1 … 3"):
        camera.affine(4, None)


def test_the_first_frame_of_a_tracker_has_no_motion_whatever_is_stored():
    assert CachedMotion(np.ones((2, 2, 3))).affine(1, None).tolist() == STILL.tolist()


def test_a_broken_cache_file_is_computed_anew(tmp_path):
    sequence = write_panning_sequence(tmp_path / "TOY-01")
    for content in (b"", b"no archive", b"PK\x03\x04 cut off"):
        (tmp_path / "TOY-01.sparse_flow.npz").write_bytes(content)
        assert farthest(cached_motion(sequence, "sparse_flow", tmp_path).affine(2, None), moved(3)) < 0.5


def test_a_missing_frame_is_bridged_with_a_warning(tmp_path, caplog):
    sequence = write_panning_sequence(tmp_path / "TOY-01")
    sequence.frame_path(3).unlink()
    affines = sequence_affines(sequence, SparseFlow(), range(1, 6))
    assert affines[2].tolist() == STILL.tolist()
    assert farthest(affines[3], moved(6)) < 0.5
    assert "TOY-01: 1 of 5 frames are missing" in caplog.text


def test_a_frame_of_another_size_is_named_by_its_file(tmp_path):
    sequence = write_panning_sequence(tmp_path / "TOY-01")
    cv2.imwrite(str(sequence.frame_path(4)), draw_street()[:100])
    with pytest.raises(ReidopsError, match="000004.jpg: frame 4: is 320 × 100 px"):
        cached_motion(sequence, "ecc", tmp_path)


def test_a_sequence_of_no_frames_has_no_motion(tmp_path):
    sequence = replace(write_panning_sequence(tmp_path / "TOY-01"), length=0)
    assert sequence_affines(sequence, SparseFlow(), range(1, 1)).shape == (0, 2, 3)
