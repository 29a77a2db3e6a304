"""Items on a Dask cluster: the same results in order, relative paths, and one clear message without a cluster."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from default_params import default_params
from mot_factory import write_mot_set
from raw_folder import whole, write_raw

from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError, Unreachable
from reidops.parallel import SCHEDULER, map_parallel, num_at_once
from reidops.parts import Part, write_parts
from stages.convert import ConvertParams, convert
from stages.detect import DetectParams, detect
from stages.embed import EmbedParams, _load_on_worker, embed

BACKBONE = {"backbone": "mobilenetv4_conv_small_050", "embedding_dim": 16, "pooling": "avg", "last_stride": 2}


def square(number: int) -> tuple[int, int, str]:
    """Return the square, the process and what a relative path holds."""
    return number**2, os.getpid(), Path("here.txt").read_text()


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setenv(SCHEDULER, "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ReidopsError, match="tcp://127.0.0.1:1.*pip install distributed"):
        map_parallel(abs, [1, 2], 2)
    assert map_parallel(abs, [-1, -2], 1) == [1, 2]  # this process


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as found:
            yield found.scheduler_address


@pytest.mark.slow
def test_two_workers_give_the_results_of_this_process_in_order(cluster, monkeypatch, tmp_path):
    (tmp_path / "here.txt").write_text("found")
    monkeypatch.chdir(tmp_path)
    alone = map_parallel(square, range(40), 1)
    monkeypatch.setenv(SCHEDULER, cluster)
    spread = map_parallel(square, range(40), 2)
    assert [row[0::2] for row in spread] == [row[0::2] for row in alone]
    processes = {row[1] for row in spread}
    assert os.getpid() not in processes and len(processes) == 2


@pytest.mark.slow
def test_an_error_of_an_item_is_raised_here(cluster, monkeypatch):
    monkeypatch.setenv(SCHEDULER, cluster)
    with pytest.raises(ZeroDivisionError):
        map_parallel((1).__truediv__, [1, 0, 2], 2)


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_a_reason_to_try_again(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("reidops.parallel._PATIENCE_SECONDS", 1)
    monkeypatch.setenv(SCHEDULER, "tcp://127.0.0.1:1")
    with pytest.raises(Unreachable, match="tcp://127.0.0.1:1"):
        map_parallel(abs, [1, 2], 2)


@pytest.mark.slow
def test_a_cluster_without_a_worker_is_a_reason_to_try_again(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("reidops.parallel._PATIENCE_SECONDS", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty:
        monkeypatch.setenv(SCHEDULER, empty.scheduler_address)
        with pytest.raises(Unreachable, match=r"tcp://.* has no worker; start one"):
            map_parallel(abs, [1, 2], 2)


@pytest.mark.slow
def test_all_threads_of_the_cluster_work_at_the_same_time(cluster, monkeypatch):
    assert num_at_once(5) == 5  # processes of this host
    monkeypatch.setenv(SCHEDULER, cluster)
    assert num_at_once(5) == 2 and num_at_once(1) == 1


@pytest.mark.slow
def test_the_crops_of_two_workers_are_those_of_this_process(cluster, monkeypatch, tmp_path):
    toy = write_mot_set(tmp_path / "toy", ("TOY-01", "TOY-02", "TOY-03"), num_people=5, num_frames=40)
    parts = [whole("train", toy, "TOY-01"), whole("train", toy, "TOY-02"), whole("test", toy, "TOY-03")]
    raw = write_raw(tmp_path / "raw", parts)
    params = default_params(ConvertParams, gap=4, queries_per_person=2)
    convert(raw, tmp_path / "alone", replace(params, workers=1))
    monkeypatch.setenv(SCHEDULER, cluster)
    convert(raw, tmp_path / "spread", replace(params, workers=2))
    files = [path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*") if path.is_file()]
    assert len(files) == 6
    assert sorted(files) == sorted(
        path.relative_to(tmp_path / "spread") for path in (tmp_path / "spread").rglob("*") if path.is_file()
    )
    for path in files:
        assert (tmp_path / "alone" / path).read_bytes() == (tmp_path / "spread" / path).read_bytes()


@pytest.mark.slow
def test_another_model_in_the_same_folder_is_loaded_again(tmp_path):
    torch.manual_seed(0)
    digests = []
    for _ in range(2):
        network = EmbeddingNetwork(**BACKBONE)
        embedder = Embedder(network, describe(network, **BACKBONE, height=64, width=32, num_classes=0))
        embedder.save(tmp_path, trained_on={})
        first = _load_on_worker(tmp_path)
        assert _load_on_worker(tmp_path) is first and first.weights_sha256 == embedder.weights_sha256
        digests.append(first.weights_sha256)
    assert digests[0] != digests[1]


@pytest.mark.slow
def test_embeddings_of_two_workers_are_those_of_this_process(cluster, monkeypatch, tmp_path):
    write_mot_set(tmp_path / "raw" / "TOY", detectors=("FRCNN",))
    names = ("TOY-01-FRCNN", "TOY-02-FRCNN")
    folders = [tmp_path / "raw" / "TOY" / "train" / name for name in names]
    parts = [
        Part("track", "TOY", "mot", folder, name, name[4:6], 1, 12) for folder, name in zip(folders, names, strict=True)
    ]
    write_parts(parts, tmp_path / "raw")
    detect(tmp_path / "raw", tmp_path / "detections", default_params(DetectParams))
    torch.manual_seed(0)
    network = EmbeddingNetwork(**BACKBONE)
    Embedder(network, describe(network, **BACKBONE, height=64, width=32, num_classes=0)).save(
        tmp_path / "model", trained_on={"started_from": "random weights", "scenes": [], "unknown_start": "", "epoch": 0}
    )
    folder = [tmp_path / name for name in ("raw", "detections", "model")]
    embed(*folder, tmp_path / "alone", default_params(EmbedParams))
    monkeypatch.setenv(SCHEDULER, cluster)
    embed(*folder, tmp_path / "spread", default_params(EmbedParams))
    written = sorted(path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*.npz"))
    assert len(written) == 4  # detections and annotated boxes of both
    for path in written:
        assert (tmp_path / "alone" / path).read_bytes() == (tmp_path / "spread" / path).read_bytes()
