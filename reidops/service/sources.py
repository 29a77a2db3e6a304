"""Where the served model comes from: a folder, or a version or alias in the registry."""

import re
from collections.abc import Callable
from pathlib import Path

from reidops.embedding.formats import ONNX_MODEL
from reidops.errors import ReidopsError
from reidops.files import read_json, sha256
from reidops.registry.models import pull_model
from reidops.registry.store import open_store
from reidops.service.batching import BatchingEmbedder
from reidops.service.served_model import ModelSource, ServedModel
from reidops.serving.onnx_embedder import OnnxEmbedder

_ALIAS = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)")

NewEmbedder = Callable[[Path], BatchingEmbedder]


class FolderSource:
    """A folder with model.onnx, embedder.json and calibration.json (or reid/calibration.json beside it)."""

    def __init__(self, folder: Path, new_embedder: NewEmbedder) -> None:
        self._folder, self._new_embedder = folder, new_embedder

    def version(self) -> str:
        """Return the digest of model.onnx.

        Raises:
            ReidopsError: the folder has no model.onnx.
        """
        path = self._folder / ONNX_MODEL
        if not path.is_file():
            raise ReidopsError(f"{path}: no such file; give a folder such as data/export, or models:/NAME@ALIAS")
        return sha256(path)[:12]

    def load(self, version: str) -> ServedModel:
        """Return the model of the folder."""
        places = (self._folder / "calibration.json", self._folder.parent / "reid" / "calibration.json")
        calibration = next((path for path in places if path.is_file()), None)
        gates = read_json(calibration).get("gates", {}) if calibration else {}
        return ServedModel(str(self._folder), version, self._new_embedder(self._folder), gates)


class RegistrySource:
    """A model in the registry; an alias is looked up again for every call of `version`."""

    def __init__(self, uri: str, new_embedder: NewEmbedder) -> None:
        self._uri, self._new_embedder = uri, new_embedder

    def version(self) -> str:
        """Return the number of the version that the URI means now.

        Raises:
            ReidopsError: there is no such model or alias, or the registry does not answer.
        """
        match = _ALIAS.fullmatch(self._uri)
        if match is None:
            return self._uri.rpartition("/")[2]
        with open_store(must_exist=True) as client:
            return str(client.get_model_version_by_alias(match["name"], match["alias"]).version)

    def load(self, version: str) -> ServedModel:
        """Return a version of the model."""
        match = _ALIAS.fullmatch(self._uri)
        uri = self._uri if match is None else f"models:/{match['name']}/{version}"
        folder = pull_model(uri)
        gates = read_json(folder / "calibration.json").get("gates", {})
        return ServedModel(uri, version, self._new_embedder(folder), gates)


def find_source(model: str, *, max_batch: int, threads: int, on_batch: Callable[[int], None]) -> ModelSource:
    """Return the source of a model's name: a folder or a URI of the registry."""

    def new_embedder(folder: Path) -> BatchingEmbedder:
        """Return the embedder of a folder with model.onnx and embedder.json, which joins requests to batches.

        Raises:
            ReidopsError: the folder is incomplete, or the self-test fails.
        """
        return BatchingEmbedder(OnnxEmbedder(folder, threads=threads), max_batch, on_batch)

    if model.startswith("models:/"):
        return RegistrySource(model, new_embedder)
    return FolderSource(Path(model), new_embedder)
