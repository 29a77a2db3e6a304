"""reidops/serving/pyfunc_model.py: MLflow loads the model with few packages, and its server answers pictures."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from made_result import DIM, write_result
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from reidops.embedding.description import golden_crops
from reidops.errors import ReidopsError
from reidops.registry import models as registry
from reidops.serving.crop_inputs import encode_png
from reidops.serving.onnx_embedder import OnnxEmbedder

pytestmark = pytest.mark.slow

CROPS = [np.random.default_rng(seed).integers(0, 256, (30 + 9 * seed, 15, 3), np.uint8) for seed in range(3)]
TEXTS = [base64.b64encode(encode_png(crop)).decode() for crop in CROPS]
FILES = {"model.safetensors": "model", "embedder.json": "export", "model.onnx": "export", "calibration.json": "reid"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder data/ of a finished result."""
    return write_result(tmp_path_factory.mktemp("result"))


@pytest.fixture(scope="module")
def logged(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of the model as the registry logs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")
        patch.chdir(tmp_path_factory.mktemp("run"))
        with registry.open_store() as client:
            run = mlflow.start_run(experiment_id=registry.find_experiment(client, "serving"))
            with run:
                model = registry._log_pyfunc({name: data / place / name for name, place in FILES.items()})
            return mlflow.artifacts.download_artifacts(model.model_uri, dst_path=str(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def model(logged: str) -> mlflow.pyfunc.PyFuncModel:
    """Return the loaded model."""
    return mlflow.pyfunc.load_model(logged)


@pytest.fixture(scope="module")
def expected(data: Path) -> np.ndarray:
    """Return the embeddings of CROPS."""
    return OnnxEmbedder(data / "export").embed(CROPS)


def test_lists_of_arrays_of_different_sizes_base64_and_bytes_are_embedded_alike(model, expected):
    for given in (CROPS, TEXTS, [encode_png(crop) for crop in CROPS]):
        np.testing.assert_allclose(model.predict(given), expected, atol=1e-6)
    (rgb,) = model.predict([CROPS[0][:, :, ::-1]], params={"colour_order": "rgb"})
    np.testing.assert_allclose(rgb, expected[0], atol=1e-6)


def test_floats_give_the_embeddings_of_the_pixels(model, expected):
    np.testing.assert_allclose(model.predict([crop / 255 for crop in CROPS]), expected, atol=1e-6)


def test_a_frame_with_boxes_gives_a_row_per_box(model):
    rows = model.predict({"frame": CROPS[0], "box_ltwh": [[0, 0, 15, 20], [50, 50, 4, 4]]})
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0], atol=1e-6)


def test_the_model_has_its_calibration_and_gates(model):
    inside = model.unwrap_python_model()
    assert inside.gates == {"cosine": 0.3} and inside.calibration["eer"] == 0.05
    assert model.metadata.metadata["gates"] == {"cosine": 0.3}
    assert "BGR" in model.metadata.metadata["colour_order"]


def test_the_model_carries_few_files_and_requirements(logged):
    code = list(Path(logged, "code").rglob("*.py"))
    requirements = Path(logged, "requirements.txt").read_text().split()
    assert len(code) <= 20
    assert {line.split("==")[0] for line in requirements} == {
        "mlflow-skinny",
        "numpy",
        "onnxruntime",
        "pandas",
        "pillow",
    }


@pytest.fixture
def server(model: mlflow.pyfunc.PyFuncModel, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Return a client of the application that `mlflow models serve` runs."""
    monkeypatch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")
    return TestClient(scoring_server.init(model))


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": TEXTS},
        {"instances": TEXTS},
        {"inputs": [{"image": text} for text in TEXTS]},
        {"inputs": [{"image": crop.tolist()} for crop in CROPS]},
        {"dataframe_split": {"columns": ["image"], "data": [[text] for text in TEXTS]}},
        {"dataframe_records": [{"image": text} for text in TEXTS]},
    ],
    ids=["inputs", "instances", "mappings", "ragged pixels", "split", "records"],
)
def test_mlflows_server_answers_pictures_over_http(server, expected, body):
    answer = server.post("/invocations", json=body)
    assert answer.status_code == 200, answer.text[:500]
    np.testing.assert_allclose(np.array(answer.json()["predictions"]), expected, atol=1e-6)


def test_mlflows_server_answers_a_frame_with_boxes(server):
    answer = server.post("/invocations", json={"inputs": {"frame": TEXTS[0], "box_ltrb": [[0, 0, 15, 20]]}})
    assert np.array(answer.json()["predictions"]).shape == (1, DIM)


@pytest.mark.parametrize(
    "inputs", [["/etc/passwd"], ["x" * 5000], np.full((1, 30, 15, 3), 77.5).tolist(), [TEXTS[0][:200]], [[1, 2]], 5]
)
def test_mlflows_server_refuses_bad_input_with_a_short_message(server, inputs):
    answer = server.post("/invocations", json={"inputs": inputs})
    assert answer.status_code == 400
    assert len(answer.text) < 400 and "root:" not in answer.text


def test_bad_input_in_process_is_a_short_error(model):
    with pytest.raises(MlflowException, match=r"crop 0 holds float64 values") as caught:
        model.predict(np.full((1, 30, 15, 3), 77.5))
    assert len(str(caught.value)) < 300


def test_another_networks_golden_embeddings_are_an_error_at_load(data, tmp_path):
    described = json.loads((data / "export" / "embedder.json").read_text())
    rows = OnnxEmbedder(data / "export").embed(golden_crops())
    for shift, fails in ((0.0, False), (0.01, True)):
        content = described | {"golden_embeddings": (rows + np.float32(shift)).tolist()}
        (tmp_path / "embedder.json").write_text(json.dumps(content))
        (tmp_path / "model.onnx").write_bytes((data / "export" / "model.onnx").read_bytes())
        if fails:
            with pytest.raises(ReidopsError, match="self-test failed: a golden crop's embedding differs by 0.01"):
                OnnxEmbedder(tmp_path)
        else:
            OnnxEmbedder(tmp_path)


PULLER = """
import sys, numpy as np
sys.modules["cv2"] = sys.modules["torch"] = sys.modules["tqdm"] = sys.modules["reidops"] = None
import mlflow.pyfunc
np.save(sys.argv[2], mlflow.pyfunc.load_model(sys.argv[1]).predict(sys.argv[3:]))
"""


def test_the_model_loads_without_opencv_torch_tqdm_and_this_library(logged, expected, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-c", PULLER, logged, str(tmp_path / "rows.npy"), *TEXTS],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    np.testing.assert_allclose(np.load(tmp_path / "rows.npy"), expected, atol=1e-3)
