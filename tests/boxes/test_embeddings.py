import time
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mot_factory import write_mot_sequence

from reidops.boxes import box_crops
from reidops.boxes.box_crops import frame_batches
from reidops.boxes.embeddings import (
    choose_detections,
    confidence_floor,
    cut_box,
    embed_sequence,
    embed_with_people,
    first_of_scenes,
    read_embeddings,
    write_embeddings,
)
from reidops.errors import ReidopsError
from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.parts import Part, find_tracked_parts, tracked_parts, write_parts


class MeanColour:
    """An embedder whose vector is the crop's mean colour; it remembers how many crops each call had."""

    dim = 3
    weights_sha256 = "a" * 64

    def __init__(self):
        self.batches = []

    def embed(self, crops, batch_size=64):
        self.batches.append(len(crops))
        colours = np.array([crop.mean(axis=(0, 1)) for crop in crops], dtype=np.float32)
        return colours / np.linalg.norm(colours, axis=1, keepdims=True)


@pytest.fixture
def sequence(tmp_path):
    return read_sequence(write_mot_sequence(tmp_path / "TOY-01", num_frames=4, num_people=3))


def table(*rows):
    """Return detections of rows (frame, left, top, width, height, confidence)."""
    frame = pd.DataFrame(rows, columns=["frame", "left", "top", "width", "height", "confidence"])
    return frame.astype({"frame": int}).astype({"left": float, "top": float, "width": float, "height": float})


def test_each_embedding_is_that_of_its_own_box(sequence):
    detections = read_detections(sequence).sample(frac=1, random_state=0)
    detected = embed_sequence(sequence, detections, MeanColour(), batch_size=5)
    assert (np.diff(detected.frame) >= 0).all()
    for row in range(len(detected)):
        picture = cv2.imread(str(sequence.frame_path(int(detected.frame[row]))))
        colour = cut_box(picture, detected.box_ltwh[row]).mean(axis=(0, 1))
        assert detected.embeddings[row] == pytest.approx(colour / np.linalg.norm(colour), abs=1e-5)


@pytest.mark.parametrize(("batch_size", "batches"), [(1, [3, 3, 3, 3]), (6, [6, 6]), (10, [3, 9]), (64, [12])])
def test_batches_hold_several_whole_frames_and_each_frame_is_decoded_once(sequence, monkeypatch, batch_size, batches):
    decoded = []
    monkeypatch.setattr(box_crops, "read_frame", lambda s, f: decoded.append(f) or cv2.imread(str(s.frame_path(f))))
    embedder = MeanColour()
    embed_sequence(sequence, read_detections(sequence), embedder, batch_size=batch_size)
    assert sorted(embedder.batches) == batches
    assert sorted(decoded) == [1, 2, 3, 4]


@given(frames=st.lists(st.integers(1, 30), max_size=60).map(sorted), batch_size=st.integers(1, 20))
def test_no_frame_is_in_two_batches_and_none_could_take_the_next_frame(frames, batch_size):
    batches = [frames[rows] for rows in frame_batches(np.array(frames, int), batch_size)]
    assert sum(batches, []) == frames and all(batches)
    for batch, following in pairwise(batches):
        assert batch[-1] < following[0]
        assert len(batch) + following.count(following[0]) > batch_size
    assert all(len(batch) <= batch_size or len(set(batch)) == 1 for batch in batches)


def test_a_box_outside_the_frame_or_too_small_gets_zeros(sequence):
    detections = table((1, -500, 0, 20, 40, 1), (1, 10, 10, 2, 40, 1), (1, -10, 10, 20, 40, 1), (1, 158, 10, 20, 40, 1))
    detected = embed_sequence(sequence, detections, MeanColour())
    assert detected.embeddings.any(axis=1).tolist() == [False, False, True, False]


def test_no_detections_make_an_empty_file_that_reads_back(sequence, tmp_path):
    write_embeddings(embed_sequence(sequence, table(), MeanColour()), tmp_path / "none.npz")
    detected = read_embeddings(tmp_path / "none.npz")
    assert (len(detected), detected.embeddings.shape, detected.rows_by_frame()) == (0, (0, 3), {})


def test_a_missing_frame_is_named(sequence):
    sequence.frame_path(2).unlink()
    with pytest.raises(ReidopsError, match="000002.jpg: no such file"):
        embed_sequence(sequence, read_detections(sequence), MeanColour())


def test_a_broken_frame_is_named(sequence):
    sequence.frame_path(3).write_bytes(b"no picture")
    with pytest.raises(ReidopsError, match="000003.jpg: its .* bytes are no whole picture"):
        embed_sequence(sequence, read_detections(sequence), MeanColour())


def test_the_file_keeps_half_precision_and_gives_unit_rows(sequence, tmp_path):
    detected = embed_sequence(sequence, read_detections(sequence), MeanColour())
    write_embeddings(detected, tmp_path / "toy.npz")
    again = read_embeddings(tmp_path / "toy.npz", MeanColour.weights_sha256)
    assert again.embeddings == pytest.approx(detected.embeddings, abs=1e-3)
    assert np.linalg.norm(again.embeddings, axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(again.box_ltwh, detected.box_ltwh)
    with np.load(tmp_path / "toy.npz", allow_pickle=False) as archive:
        dtypes = {name: str(archive[name].dtype) for name in archive.files}
    assert dtypes == {
        "frame": "int32",
        "box_ltwh": "float32",
        "confidence": "float32",
        "embedding": "float16",
        "weights_sha256": "<U64",
    }


def test_embeddings_of_another_model_are_refused(sequence, tmp_path):
    write_embeddings(embed_sequence(sequence, read_detections(sequence), MeanColour()), tmp_path / "toy.npz")
    with pytest.raises(ReidopsError, match="made by the model aaaaaaaaaaaa, expected bbbbbbbbbbbb"):
        read_embeddings(tmp_path / "toy.npz", "b" * 64)


@pytest.mark.parametrize("broken", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_broken_file_is_named(tmp_path, broken):
    (tmp_path / "toy.npz").write_bytes(broken)
    with pytest.raises(ReidopsError, match="toy.npz: is not a file of embeddings"):
        read_embeddings(tmp_path / "toy.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ReidopsError, match="toy.npz: no such file"):
        read_embeddings(tmp_path / "toy.npz")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("frame", np.zeros(2, np.int32), "unequal length"),
        ("embedding", np.full((1, 3), np.nan, np.float16), "array embedding holds NaN"),
    ],
)
def test_arrays_that_contradict_each_other_are_named(tmp_path, name, value, message):
    arrays = {
        "frame": np.ones(1, np.int32),
        "box_ltwh": np.ones((1, 4), np.float32),
        "confidence": np.ones(1, np.float32),
        "embedding": np.ones((1, 3), np.float16),
        "weights_sha256": np.array("x"),
    }
    np.savez(tmp_path / "toy.npz", **{**arrays, name: value})
    with pytest.raises(ReidopsError, match=message):
        read_embeddings(tmp_path / "toy.npz")


def test_detections_are_chosen_by_score_and_overlap_and_ordered_by_frame():
    detections = table((2, 0, 0, 20, 40, 0.9), (1, 2, 0, 20, 40, 0.5), (1, 0, 0, 20, 40, 0.8), (1, 90, 0, 20, 40, -0.2))
    assert choose_detections(detections)["frame"].tolist() == [1, 1, 1, 2]
    assert choose_detections(detections, min_confidence=0.5)["confidence"].tolist() == [0.5, 0.8, 0.9]
    assert choose_detections(detections, nms=0.7)["confidence"].tolist() == [0.8, -0.2, 0.9]
    assert len(choose_detections(detections, nms=0.95)) == 4


def test_a_score_floor_may_differ_by_detector():
    assert confidence_floor(0.3, "DPM") == 0.3
    assert confidence_floor({"DPM": -0.1}, "DPM") == -0.1
    assert confidence_floor({"DPM": -0.1}, "SDP") is None
    assert confidence_floor(None, "SDP") is None


def part(sequence, *, play="track"):
    return Part(play, "TOY", "mot", sequence.folder, sequence.name, sequence.scene, 1, 4)


def test_a_data_set_without_tracked_sequences_is_refused(sequence, tmp_path):
    write_parts([part(sequence, play="train")], tmp_path)
    with pytest.raises(ReidopsError, match="no row with part `track`"):
        tracked_parts(tmp_path)
    assert find_tracked_parts(tmp_path) == []


def test_a_sequence_that_is_tracked_twice_is_refused(sequence, tmp_path):
    write_parts([part(sequence), part(sequence)], tmp_path)
    with pytest.raises(ReidopsError, match="tracked twice"):
        tracked_parts(tmp_path)


def test_a_frame_that_is_cut_off_is_named_and_not_embedded_half_grey(sequence):
    path = sequence.frame_path(2)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ReidopsError, match="000002.jpg: its .* bytes are no whole picture"):
        embed_sequence(sequence, read_detections(sequence), MeanColour())


def test_people_of_the_ground_truth_are_embedded_in_the_same_pass_and_know_who_they_are(
    sequence, monkeypatch, tmp_path
):
    decoded = []
    monkeypatch.setattr(box_crops, "read_frame", lambda s, f: decoded.append(f) or cv2.imread(str(s.frame_path(f))))
    annotations = read_annotations(sequence)
    annotations.loc[annotations["track_id"] == 2, "considered"] = False
    annotations.loc[(annotations["track_id"] == 3) & (annotations["frame"] == 1), "class_id"] = 8
    detected, people = embed_with_people(sequence, read_detections(sequence), annotations, MeanColour(), batch_size=5)
    assert sorted(decoded) == [1, 2, 3, 4]
    assert list(zip(people.frame, people.track_id, strict=True)) == [
        (1, 1),
        (2, 1),
        (2, 3),
        (3, 1),
        (3, 3),
        (4, 1),
        (4, 3),
    ]
    write_embeddings(people, tmp_path / "people.npz")
    assert read_embeddings(tmp_path / "people.npz").track_id.tolist() == people.track_id.tolist()
    alone = embed_sequence(sequence, read_detections(sequence), MeanColour())
    assert detected.track_id is None
    assert np.array_equal(detected.box_ltwh, alone.box_ltwh) and np.array_equal(detected.embeddings, alone.embeddings)


def test_of_the_copies_for_several_detectors_the_first_one_brings_the_people(sequence):
    copies = [replace(part(sequence), sequence=f"TOY-01-{name}") for name in ("DPM", "SDP")]
    other = replace(part(sequence), sequence="TOY-02-DPM", scene="02")
    assert first_of_scenes([*copies, other]) == [copies[0], other]


def test_a_network_that_is_slower_than_the_disk_does_not_fill_the_memory_with_crops(tmp_path, monkeypatch):
    sequence = read_sequence(write_mot_sequence(tmp_path / "TOY-01", num_frames=40, num_people=1))
    cut, held, real = [], [], box_crops.cut_box
    monkeypatch.setattr(box_crops, "cut_box", lambda picture, box: cut.append(1) or real(picture, box))

    class Slow(MeanColour):
        def embed(self, crops, batch_size=64):
            time.sleep(0.01)
            held.append(len(cut) - len(self.batches))
            return super().embed(crops, batch_size)

    embed_sequence(sequence, read_detections(sequence), Slow(), batch_size=1)
    assert len(held) == 40
    assert max(held) <= max(2, torch.get_num_threads())  # batches in work
