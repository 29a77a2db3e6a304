"""reidops: from multi-object tracking data to a registered person re-identification model."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidops.embedding.embedder import Embedder

__all__ = ["Embedder"]


def __getattr__(name: str) -> Any:
    """Import `Embedder` on first use: it brings torch, which a puller of the ONNX model does without."""
    if name == "Embedder":
        from reidops.embedding.embedder import Embedder

        return Embedder
    raise AttributeError(f"module 'reidops' has no attribute {name!r}")
