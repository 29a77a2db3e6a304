"""Weights from outside: timm's published ones, or a file."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import requests
import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import PretrainedCfg
from torch import Tensor

from reidops.embedding.network import EmbeddingNetwork, check_backbone
from reidops.errors import ReidopsError

# unless the network has a layer of that name that is none, as OSNet's fc
_CLASSIFIERS = ("classifier.", "fc.", "head.fc.")
# old files count no batches; who pooled by the average has no exponent
_OPTIONAL = ("num_batches_tracked", "global_pool.exponent")
_PATIENCE_SECONDS = 5


def check_pretrained(backbone: str) -> None:
    """Find out, within seconds, whether timm can have the backbone's published weights.

    Raises:
        ReidopsError: the backbone is unknown, has no weights, or they are neither in the cache nor can be downloaded.
    """
    check_backbone(backbone)
    config = timm.get_pretrained_cfg(backbone, allow_unregistered=True)
    if config is None or not config.has_weights:
        raise ReidopsError(
            f"timm has no weights for the backbone {backbone}; set train.pretrained to false, name a file in "
            f"train.weights or take another backbone"
        )
    if _is_cached(config):
        return
    try:
        requests.head(
            constants.ENDPOINT if config.hf_hub_id else config.url, timeout=_PATIENCE_SECONDS
        ).raise_for_status()
    except requests.RequestException:
        raise ReidopsError(
            f"train.pretrained is true, but the weights of {backbone} are not in the local cache and the hub does not "
            f"answer;"
            " go online once, set train.pretrained to false, or name a file in train.weights"
        ) from None


def _is_cached(config: PretrainedCfg) -> bool:
    if config.hf_hub_id:
        return isinstance(try_to_load_from_cache(config.hf_hub_id, "model.safetensors"), str)
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(config.url).name).is_file()


def load_weights(network: EmbeddingNetwork, path: Path) -> None:
    """Load weights of this network, or of its backbone alone, from a safetensors file or a state dict of torch.

    torchreid's OSNet, IBN-Net's ResNet-IBN-a and timm's files are weights of a backbone. A classifier in the file is
    passed over. The neck and the projection may be missing; a neck that was never trained changes no angle, so that the
    network then embeds as its backbone does.

    Raises:
        ReidopsError: the file is missing or unreadable, a key or shape does not fit, or a value is NaN or infinite; the
            keys are named.
    """
    state = _read_state(path)
    of_network = any(name.startswith("backbone.") for name in state)
    target = network if of_network else network.backbone
    expected = target.state_dict()
    missing = [
        n for n in expected if n not in state and n.startswith("backbone.") == of_network and not n.endswith(_OPTIONAL)
    ]
    unknown = [name for name in state if name not in expected and not name.startswith(_CLASSIFIERS)]
    misshapen = [name for name in state if name in expected and state[name].shape != expected[name].shape]
    if missing or unknown or misshapen:
        raise ReidopsError(
            f"{path}: these weights are of another architecture than train.backbone, {network.backbone_name};"
            f" missing: {_few(missing)}; unknown: {_few(unknown)}; of another shape: {_few(misshapen)}"
        )
    check_finite({name: values for name, values in state.items() if name in expected}, str(path))
    target.load_state_dict(state, strict=False)


def check_finite(weights: Mapping[str, Tensor], where: str) -> None:
    """Check that every value of a network's weights is a finite number.

    Raises:
        ReidopsError: one is NaN or infinite; names the tensors.
    """
    broken = {
        name: int((~torch.isfinite(values)).sum())
        for name, values in weights.items()
        if not torch.isfinite(values).all()
    }
    if broken:
        named = _few([f"{name} ({number:,} of {weights[name].numel():,} values)" for name, number in broken.items()])
        raise ReidopsError(f"{where}: NaN or infinite values in {named}; take another checkpoint or train again")


def _read_state(path: Path) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise ReidopsError(f"{path}: no such file; train.weights names a safetensors file or a state dict of torch")
    try:
        state = (
            load_file(path)
            if Path(path).suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ReidopsError(f"{path}: holds no plain tensors that can be read safely: {error}") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    return {name.removeprefix("module."): value for name, value in state.items() if isinstance(value, Tensor)}


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"
