"""reidops/drift/check.py: the command compares sequences of a folder with the model's reference."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from made_result import write_result
from mot_factory import write_mot_set

from reidops.command import main
from reidops.drift.check import IS_DRIFT, check_drift
from reidops.drift.reference import REFERENCE, write_reference
from reidops.drift.scenes import observe_sequences, reference_of_parts
from reidops.errors import ReidopsError
from reidops.parts import Part
from reidops.serving.onnx_embedder import OnnxEmbedder
from stages.register import model_files

NAMES = tuple(f"TOY-{number:02d}" for number in range(1, 7))


def parts_of(dataset: Path, names: tuple[str, ...]) -> list[Part]:
    return [Part("train", "TOY", "mot", dataset / "train" / name, name, name[-2:], 1, 40) for name in names]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an exported model with the reference of six drawn sequences beside it."""
    root = tmp_path_factory.mktemp("model")
    data = write_result(root)
    dataset = write_mot_set(root / "known", NAMES, num_frames=40)
    embedder = OnnxEmbedder(data / "export", threads=1)
    reference = reference_of_parts(parts_of(dataset, NAMES), embedder, 0.3)
    assert reference is not None and reference.units == NAMES
    write_reference(reference, data / "reid" / REFERENCE)
    return data / "export"


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Return sequences of the same kind."""
    return write_mot_set(tmp_path / "fresh", ("TOY-11", "TOY-12"), num_frames=40)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    """Return sequences of the same kind at night."""
    dataset = write_mot_set(tmp_path / "dark", ("TOY-11", "TOY-12"), num_frames=40)
    for path in dataset.rglob("*.jpg"):
        cv2.imwrite(str(path), cv2.imread(str(path)) // 6)
    return dataset


def run(*arguments: object) -> object:
    return CliRunner().invoke(main, ["drift", *map(str, arguments)], prog_name="reidops")


def test_sequences_of_the_same_kind_end_with_0(model, fresh, tmp_path):
    result = run(fresh, "--model", model, "--output", tmp_path / "out", "--experiment", "")
    assert result.exit_code == 0, result.output
    assert "no drift in" in result.output and (tmp_path / "out" / "drift.html").is_file()


def test_another_light_ends_with_3_and_names_the_brightness(model, dark, tmp_path):
    result = run(dark / "train" / "TOY-11", "--model", model, "--output", tmp_path / "out", "--experiment", "")
    assert result.exit_code == IS_DRIFT
    assert "brightness" in result.output
    assert json.loads((tmp_path / "out" / "drift.json").read_text())["is_drift"]


def test_a_folder_without_sequences_ends_with_1(model, tmp_path):
    result = run(tmp_path, "--model", model, "--experiment", "")
    assert result.exit_code == 1 and "error" in result.output


def test_a_model_without_a_reference_or_with_anothers_is_refused(model, fresh, tmp_path):
    lone = tmp_path / "model"
    lone.mkdir()
    for name in ("model.onnx", "embedder.json"):
        (lone / name).write_bytes((model / name).read_bytes())
    with pytest.raises(ReidopsError, match="the model has no drift reference"):
        check_drift([fresh], str(lone), tmp_path)
    (lone / REFERENCE).write_bytes((model.parent / "reid" / REFERENCE).read_bytes())
    other = write_result(tmp_path / "other", seed=1) / "export"
    for name in ("model.onnx", "embedder.json"):
        (lone / name).write_bytes((other / name).read_bytes())
    with pytest.raises(ReidopsError, match="made for the model"):
        check_drift([fresh], str(lone), tmp_path)


def test_observations_are_pairs_of_frames_half_a_second_apart(model, fresh):
    scenes = observe_sequences([fresh], OnnxEmbedder(model, threads=1))
    assert [scene.scene for scene in scenes] == ["TOY-11", "TOY-12"]
    for scene in scenes:
        assert len(scene) == 3 * scene.num_frames  # three people in every frame
        assert scene.is_later.sum() * 2 == len(scene)
        np.testing.assert_allclose(scene.height, 30, atol=1)


def test_scenes_without_detections_give_no_reference(model, tmp_path, caplog):
    dataset = write_mot_set(tmp_path / "set", NAMES[:1])
    (dataset / "train" / NAMES[0] / "det" / "det.txt").unlink()
    assert reference_of_parts(parts_of(dataset, NAMES[:1]), OnnxEmbedder(model, threads=1), 0.3) is None
    assert "no drift reference" in caplog.text


@pytest.mark.parametrize("has_reference", [True, False])
def test_a_version_carries_the_reference_if_the_data_allowed_one(tmp_path, has_reference):
    if has_reference:
        (tmp_path / REFERENCE).write_bytes(b"x")
    files = model_files(tmp_path, tmp_path, tmp_path)
    assert (REFERENCE in files) is has_reference and "model.onnx" in files
