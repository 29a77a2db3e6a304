"""reidops: from multi-object tracking data to a registered person re-identification model."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidops.embedding.embedder import Embedder

__all__ = ["Embedder"]


def __getattr__(name: str) -> Any:
    """Import `Embedder` on first use, because it imports torch, which users of the ONNX model do not need."""
    if name == "Embedder":
        from reidops.embedding.embedder import Embedder

        return Embedder
    raise AttributeError(f"module 'reidops' has no attribute {name!r}")
