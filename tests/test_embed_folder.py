"""reidops/embed_folder.py and `reidops embed`."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from drawn_picture import write_picture
from fake_embedder import FakeEmbedder

from reidops import live
from reidops.command import main

NAMES = ["a/1.jpg", "a/2.PNG", "b.jpg"]


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Return a folder of pictures next to a model's folder; an embedding is the mean colour and the height."""

    class Mean(FakeEmbedder):
        def embed(self, crops, batch_size=64):
            return np.array([[*crop.mean((0, 1)), len(crop)] for crop in crops], np.float32)

    monkeypatch.setattr(live, "_load", lambda folder: Mean())
    (tmp_path / "model").mkdir()
    for number, name in enumerate(NAMES):
        write_picture(tmp_path / "images" / name, number)
    (tmp_path / "images" / "notes.txt").write_text("no picture")
    return tmp_path / "images"


def embed(images, output, model=None):
    arguments = ["embed", str(model or images.parent / "model"), str(images), "--output", str(images.parent / output)]
    return CliRunner().invoke(main, arguments)


def test_both_formats_hold_the_same_sorted_pictures(images):
    assert embed(images, "e.parquet").output == f"embedded 3 pictures into {images.parent / 'e.parquet'}\n"
    assert embed(images, "e.npy").exit_code == 0
    table, array = pd.read_parquet(images.parent / "e.parquet"), np.load(images.parent / "e.npy")
    assert list(table) == ["path", "embedding"] and table["path"].tolist() == NAMES
    assert (images.parent / "e.txt").read_text().splitlines() == NAMES
    assert array.dtype == np.float32 and array.shape == (3, 4)
    np.testing.assert_array_equal(np.stack(table["embedding"]), array)
    assert len(np.unique(array, axis=0)) == 3


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"\xff\xd8 cut", "cut off"), (b"none", "cannot be decoded")]
)
@pytest.mark.parametrize("output", ["e.npy", "e.parquet"])
def test_a_damaged_picture_is_reported_and_nothing_is_written(images, content, message, output):
    (images / "a" / "3.jpg").write_bytes(content)
    ended = embed(images, output)
    assert ended.exit_code == 1
    assert f"reidops embed: error: {images / 'a' / '3.jpg'}: " in ended.stderr and message in ended.stderr
    assert {path.name for path in images.parent.iterdir()} == {"images", "model"}


def test_invalid_arguments_are_reported(images):
    assert "e.csv: the suffix is '.csv', expected .parquet or .npy" in embed(images, "e.csv").stderr
    assert "no picture found" in embed(images.parent / "model", "e.npy", "none").stderr
    assert "nowhere: no such folder" in embed(images.parent / "nowhere", "e.npy", "none").stderr
    assert "none: not a model" in embed(images, "e.npy", "none").stderr
    assert "net.onnx: expected a file model.onnx" in embed(images, "e.npy", "net.onnx").stderr


def test_the_calibration_of_another_model_does_not_stop_it(images):
    (images.parent / "model" / "calibration.json").write_text('{"weights_sha256": "0000", "gates": {}}')
    assert embed(images, "e.npy").exit_code == 0
