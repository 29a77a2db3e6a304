"""download.track alone: no crops are cut, the given weights are kept, and the trackers use their published gates."""

import logging
from pathlib import Path

import pytest
import torch
from default_params import default_params
from mot_factory import write_mot_set

from reidops.embedding.embedder import Embedder
from reidops.embedding.network import EmbeddingNetwork
from reidops.files import read_json
from reidops.retrieval.calibration import PUBLISHED_GATES
from reidops.skipped import skipped_reason
from reidops.summary import gain_lines
from reidops.tables import CROPS, read_table
from reidops.tracking.evaluation.setups import TrackingSettings, gate_remark
from reidops.tracking.evaluation.tracking_report import TrackingReport
from stages.convert import ConvertParams, convert
from stages.detect import DetectParams, detect
from stages.download import DownloadParams, download
from stages.embed import EmbedParams, embed
from stages.evaluate_reid import EvaluateReidParams, evaluate_reid
from stages.evaluate_tracking import EvaluateTrackingParams, evaluate_tracking
from stages.export import ExportParams, _images
from stages.train import TrainParams, train
from stages.tune import TuneParams, tune
from stages.validate import ValidateParams, validate

OWN_GATE = {"gate": 0.31}
NO_PICTURES = {"num_switches": 0, "num_frames": 0, "num_clips": 0}


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    """Return data/raw of a set that is only tracked."""
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    write_mot_set(tmp_path / "sets" / "mine")
    params = default_params(DownloadParams, train=[], test=[], track=["mine"], local="sets", sequences=[])
    download(tmp_path / "raw", params)
    return tmp_path / "raw"


def test_convert_without_a_trained_or_tested_set_writes_a_table_without_crops(raw, tmp_path, caplog):
    convert(raw, tmp_path / "crops", default_params(ConvertParams, workers=1))
    assert read_table(tmp_path / "crops" / "crops.parquet", CROPS).empty
    assert (tmp_path / "crops" / "meta" / "train_80.txt").read_text() == ""
    assert read_json(tmp_path / "crops" / "report.json")["num_crops"] == 0
    assert "download.train and download.test are []: no crops are cut" in caplog.text


def test_the_export_is_checked_on_noise_where_there_are_no_crops(raw, tmp_path):
    convert(raw, tmp_path / "crops", default_params(ConvertParams, workers=1))
    images = _images(tmp_path / "crops", (64, 32), default_params(ExportParams, num_crops=4))
    assert images.shape == (4, 64, 32, 3) and images.std() > 0


@pytest.mark.parametrize(
    ("scope", "changes", "is_named"),
    [
        ("none: published gates", {}, True),
        ("none: published gates", OWN_GATE, False),
        ("none: published gates", {"tracker": "sort"}, False),
        ("same camera", {}, False),
    ],
)
def test_a_gate_that_was_not_calibrated_is_named_with_its_remedy(tmp_path, scope, changes, is_named):
    (tmp_path / "calibration.json").write_text(f'{{"fitted_on": {{"scope": "{scope}"}}}}')
    settings = {"tracker": "deepsort", "gate": "calibrated"} | changes
    rest = {"min_confidence": None, "constants": {}, "camera_motion": "none", "linking": False, "interpolation": False}
    remark = gate_remark(TrackingSettings(**settings, **rest, window=30, code=""), tmp_path / "calibration.json")
    assert bool(remark) == is_named == ("evaluate_tracking.gate" in remark)


@pytest.mark.slow
def test_every_stage_up_to_tracking_ends_well_and_the_report_names_the_published_gate(raw, tmp_path):
    torch.manual_seed(3)
    weights = EmbeddingNetwork("test_byobnet").state_dict()
    torch.save(weights, tmp_path / "own.pth")
    crops, validation, model = tmp_path / "crops", tmp_path / "validation", tmp_path / "model"
    convert(raw, crops, default_params(ConvertParams, workers=1))
    validate(raw, crops, validation, default_params(ValidateParams, image_sample=1))
    assert read_json(validation / "report.json")["counts"]["num_annotations"] == 72
    network = {"backbone": "test_byobnet", "height": 64, "width": 32, "weights": str(tmp_path / "own.pth")}
    train(crops, validation, tmp_path / "generated", model, default_params(TrainParams, epochs=0, threads=1, **network))
    kept = Embedder.load(model).network.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in weights.items())

    detect(raw, tmp_path / "detections", default_params(DetectParams))
    embed(raw, tmp_path / "detections", model, tmp_path / "embeddings", default_params(EmbedParams))
    reid, tuning, tracking = tmp_path / "reid", tmp_path / "tuning", tmp_path / "tracking"
    evaluate_reid(model, crops, raw, tmp_path / "embeddings", reid, default_params(EvaluateReidParams))
    assert read_json(reid / "calibration.json")["gates"] == PUBLISHED_GATES and "download.test" in skipped_reason(reid)
    settings = default_params(EvaluateTrackingParams, **NO_PICTURES)
    sections = {"params": TuneParams, "detect": DetectParams, "embed": EmbedParams}
    others = {name: default_params(section) for name, section in sections.items()}
    tune(raw, model, reid / "calibration.json", tuning, tracking=settings, **others)
    evaluate_tracking(raw, tmp_path / "embeddings", reid / "calibration.json", tuning, tracking, settings)
    report = TrackingReport.read(tracking)
    assert report.combined("appearance")["IDF1"] > 0.5
    assert "the gate of deepsort is the published one" in "\n".join(map(str, gain_lines(report)))
