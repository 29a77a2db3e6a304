"""The model that the service answers with, and its replacement while requests are answered."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from reidops.errors import ReidopsError
from reidops.service.batching import BatchingEmbedder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """A loaded model with its calibrated gates; `name` is the URI of its version, or its folder."""

    name: str
    version: str
    embedder: BatchingEmbedder
    gates: Mapping[str, float]


class ModelSource(Protocol):
    """Where models come from."""

    def version(self) -> str:
        """Return what identifies the model that should be served now."""

    def load(self, version: str) -> ServedModel:
        """Return that model."""


class _Leased:
    """A model and the number of its users."""

    def __init__(self, model: ServedModel) -> None:
        self.model, self.num_users, self.is_replaced = model, 0, False


class CurrentModel:
    """Hand out the current model; a replaced model is closed when its last user returns it."""

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self._lock, self._reloading = threading.Lock(), threading.Lock()
        self._leased = _Leased(source.load(source.version()))
        self.last_error: str | None = None

    @property
    def version(self) -> str:
        """Return the version of the current model."""
        return self._leased.model.version

    @contextmanager
    def use(self) -> Iterator[ServedModel]:
        """Yield the current model, which stays usable within the block."""
        leased = self.take()
        try:
            yield leased.model
        finally:
            self.give_back(leased)

    def take(self) -> _Leased:
        """Return the current model for longer use; it must be given back."""
        with self._lock:
            self._leased.num_users += 1
            return self._leased

    def give_back(self, leased: _Leased) -> None:
        """End the use of a model."""
        with self._lock:
            leased.num_users -= 1
            is_last = leased.is_replaced and not leased.num_users
        if is_last:
            leased.model.embedder.close()

    def reload(self) -> bool:
        """Replace the model if the source has another version, and return whether it did.

        If the new version cannot be loaded, the old one stays and `last_error` has the reason.
        """
        with self._reloading:
            try:
                version = self._source.version()
                model = None if version == self._leased.model.version else self._source.load(version)
            except ReidopsError as error:
                if str(error) != self.last_error:
                    log.warning("the model is not replaced: %s", error)
                self.last_error = str(error)
                return False
            self.last_error = None
            if model is None:
                return False
            self._replace(model)
            log.info("serving version %s", model.version)
            return True

    def close(self) -> None:
        """Close the current model; its waiting requests are answered first."""
        self._leased.model.embedder.close()

    def _replace(self, model: ServedModel) -> None:
        with self._lock:
            old, self._leased = self._leased, _Leased(model)
            old.is_replaced = True
            is_unused = not old.num_users
        if is_unused:
            old.model.embedder.close()
