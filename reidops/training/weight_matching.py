"""Which tensors of a checkpoint are which of a network: the prefix that fits most of them, and what is left."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

# Modules that only a training needs, by their names beside the modules of the backbone.
HEADS = frozenset(
    (
        "arcface aux_classifier bnneck bottleneck center_loss classifier classifiers criterion fc head head_dist heads "
        "last_linear logits loss losses neck projection"
    ).split()
)
# What a neck is called: strong baseline, fast-reid.
_NECKS = ("bottleneck.", "heads.bottleneck.0.", "heads.bnneck.", "bnneck.", "neck.")
_NECK_TENSORS = ("weight", "bias", "running_mean", "running_var")
# old files count no batches; a pooling by the average has no exponent; published transformers know no cameras
OPTIONAL = ("num_batches_tracked", "global_pool.exponent", "pos_drop.cameras")


@dataclass(frozen=True)
class Match:
    """How tensors fit a network's: the tensors that fit by the network's names, and the names of the rest.

    `left_over` are heads and what lies beside the prefix; `unknown` lie among the backbone's own and fit nothing.
    """

    prefix: str
    fitting: Mapping[str, Tensor]
    missing: tuple[str, ...]
    misshapen: tuple[str, ...]
    unknown: tuple[str, ...]
    left_over: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether tensors fit and none is missing, misshapen or unknown."""
        return bool(self.fitting) and not (self.missing or self.misshapen or self.unknown)


def match_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Match:
    """Return how tensors by name fit the expected ones, under the prefix of their names that fits most."""
    prefix = _best_prefix(tensors, expected)
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    shared = {name: tensor for name, tensor in own.items() if name in expected}
    fitting = {name: tensor for name, tensor in shared.items() if tensor.shape == expected[name].shape}
    rest = [name for name in own if name not in expected]
    heads = [name for name in rest if _is_head(name, expected)]
    return Match(
        prefix=prefix,
        fitting=fitting,
        missing=tuple(n for n in expected if n not in own and not n.endswith(OPTIONAL)),
        misshapen=tuple(
            f"{name} {list(tensor.shape)} in place of {list(expected[name].shape)}"
            for name, tensor in shared.items()
            if name not in fitting
        ),
        unknown=tuple(prefix + name for name in rest if name not in heads and not name.endswith(OPTIONAL)),
        left_over=(*(prefix + name for name in heads), *(name for name in tensors if not name.startswith(prefix))),
    )


def find_neck(tensors: Mapping[str, Tensor], names: Iterable[str], dim: int) -> dict[str, Tensor]:
    """Return the four tensors of a neck [dim] among those of these names, {} where there is none."""
    names = list(names)
    for neck in _NECKS:
        found = {
            field: next((n for n in names if f".{n}".endswith(f".{neck}{field}")), None) for field in _NECK_TENSORS
        }
        if all(name is not None and tensors[name].shape == (dim,) for name in found.values()):
            return {field: tensors[name] for field, name in found.items() if name is not None}
    return {}


def _best_prefix(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Return the most frequent prefix of the expected names, e.g. `module.backbone.`; of ties the first one."""
    votes: Counter[str] = Counter()
    for name, tensor in tensors.items():
        parts = name.split(".")
        for start in range(len(parts)):
            ending = ".".join(parts[start:])
            if ending in expected:
                votes[name[: len(name) - len(ending)]] += 2 if tensor.shape == expected[ending].shape else 1
    return max(votes, key=votes.__getitem__, default="")


def _is_head(name: str, expected: Mapping[str, Tensor]) -> bool:
    """Return whether a tensor belongs to a head; a module of the backbone of that name (OSNet's fc) is none."""
    module = name.partition(".")[0]
    return name.startswith("head.fc.") or (
        module in HEADS and not any(other.startswith(f"{module}.") for other in expected)
    )
