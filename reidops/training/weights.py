"""Weights from outside: timm's published ones, or a file."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import requests
import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from timm.models import PretrainedCfg
from torch import Tensor

from reidops.embedding.backbones import check_backbone
from reidops.embedding.lmbn import join_necks
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.training.weight_files import TensorGroup, read_tensor_groups
from reidops.training.weight_matching import Match, find_neck, match_tensors
from reidops.training.weight_translation import rename_in_order, rename_mmdetection, translate

log = logging.getLogger(__name__)

_BACKBONE = "backbone."
_PATIENCE_SECONDS = 5
_HINT = "; or set train.weights_match to fitting, to load what fits"


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


def load_weights(
    network: EmbeddingNetwork, path: Path, *, in_order: bool = False, match: Literal["exact", "fitting"] = "exact"
) -> None:
    """Load weights of this network, or of its backbone alone, from a file of any of the usual trainings.

    The tensors may lie under any key and any prefix. Weights of the backbone's authors get timm's names, and position
    embeddings are resized. Heads that only training needs are left over. The neck and the projection may be missing; a
    neck that was never trained changes no angle, so that the network then embeds as its backbone does.

    Args:
        in_order: the file has the backbone's tensors under other names, in the backbone's order.
        match: exact = all tensors of the backbone must fit; fitting = those that fit are loaded, the others keep their
            random values and are logged.

    Raises:
        ReidopsError: the file is missing or unreadable, a key or shape does not fit, or a value is NaN or infinite; the
            keys are named.
    """
    groups = read_tensor_groups(path)
    if network.hidden_dim:
        groups = [TensorGroup(group.where, rename_mmdetection(group.tensors)) for group in groups]
    groups = [TensorGroup(group.where, join_necks(group.tensors)) for group in groups]
    if in_order:
        groups = [_renamed(network, group) for group in groups]
    whole = _whole_matches(network, groups) or _whole_matches(network, _translated(network, groups))
    if not whole and match == "fitting":
        whole = _best_fit(network, [*groups, *_translated(network, groups)])
    if not whole:
        raise ReidopsError(f"{path}: {_misfit(network, groups)}{_HINT if match == 'exact' else ''}")
    group, matched = whole[0]
    fitting, neck = dict(matched.fitting), {}
    if not any(name.startswith("neck.") for name in fitting):
        neck = find_neck(group.tensors, matched.left_over, network.dim)
        fitting |= {f"neck.{name}": values for name, values in neck.items()}
    check_finite(fitting, str(path))
    network.load_state_dict(fitting, strict=False)
    _report(path, group, matched, has_neck=bool(neck))
    if len(whole) > 1:
        log.warning("%s: %s would fit, too; it is not used", path, _few([other.where for other, _ in whole[1:]]))


def _best_fit(network: EmbeddingNetwork, groups: Sequence[TensorGroup]) -> list[tuple[TensorGroup, Match]]:
    """Return the group of which most tensors fit; nothing if none fits."""
    matches = [(group, _match(network, group)) for group in groups]
    best = max(matches, key=lambda pair: len(pair[1].fitting))
    return [best] if best[1].fitting else []


def _whole_matches(network: EmbeddingNetwork, groups: Sequence[TensorGroup]) -> list[tuple[TensorGroup, Match]]:
    return [(group, match) for group in groups if (match := _match(network, group)).is_whole]


def _translated(network: EmbeddingNetwork, groups: Sequence[TensorGroup]) -> list[TensorGroup]:
    """Return the groups whose tensors of the backbone timm can translate, translated; what lies beside them is kept."""
    translated = []
    backbone = network.backbones[0]
    expected = backbone.state_dict()
    for group in groups:
        prefix = match_tensors(group.tensors, expected).prefix
        own = {n.removeprefix(prefix): values for n, values in group.tensors.items() if n.startswith(prefix)}
        tensors = translate(backbone, network.backbone_name, own)
        if tensors is not None:
            beside = {n: values for n, values in group.tensors.items() if not n.startswith(prefix)}
            translated.append(TensorGroup(group.where, {**beside, **tensors}))
    return translated


def _renamed(network: EmbeddingNetwork, group: TensorGroup) -> TensorGroup:
    """Return the group under the backbone's names if its tensors have the backbone's order, else unchanged."""
    tensors = rename_in_order(group.tensors, network.backbones[0].state_dict())
    return group if tensors is None else TensorGroup(group.where, tensors)


def _match(network: EmbeddingNetwork, group: TensorGroup) -> Match:
    """Return how tensors fit the whole network where they hold its neck or projection, else how each of its backbones.

    Backbones of several members get the same tensors.
    """
    expected = network.state_dict()
    backbone = {name: values for name, values in expected.items() if name.startswith(_BACKBONE)}
    match = match_tensors(group.tensors, expected)
    if any(not name.startswith(_BACKBONE) for name in match.fitting) and any(n in backbone for n in match.fitting):
        return dataclasses.replace(match, missing=tuple(name for name in match.missing if name in backbone))
    match = match_tensors(group.tensors, network.backbones[0].state_dict())
    num_members = len(network.members)
    members = [_BACKBONE] if num_members == 1 else [f"{_BACKBONE}{i}." for i in range(num_members)]
    fitting = {f"{member}{name}": values for member in members for name, values in match.fitting.items()}
    return dataclasses.replace(match, fitting=fitting)


def _misfit(network: EmbeddingNetwork, groups: Sequence[TensorGroup]) -> str:
    """Return what does not fit of the tensors that fit best."""
    matches = [_match(network, group) for group in groups]
    best = max(range(len(groups)), key=lambda i: len(matches[i].fitting))
    group, match = groups[best], matches[best]
    head = f"these weights are of another architecture than train.backbone, {network.backbone_name}; "
    if not match.fitting:
        own = list(network.backbones[0].state_dict())
        return (
            f"{head}nothing fits: the file begins with {_few(list(group.tensors))}"
            f"{f' (under {group.where})' if group.where else ''}, the backbone with {_few(own)}; set train.backbone to "
            "the network of the file"
        )
    return (
        f"{head}{len(match.fitting)} tensors fit; missing: {_few(match.missing)}; unknown: {_few(match.unknown)};"
        f" of another shape: {_few(match.misshapen)}"
    )


def _report(path: Path, group: TensorGroup, match: Match, *, has_neck: bool) -> None:
    """Log what was loaded, from where in the file, and what was not."""
    where = " ".join(filter(None, (group.where and f"under {group.where}", match.prefix and f"behind {match.prefix}")))
    log.info("%s: %d tensors fit%s", path, len(match.fitting) + 4 * has_neck, f", {where}" if where else "")
    if has_neck:
        log.info("%s: its neck is loaded, too", path)
    if not match.is_whole:
        log.warning(
            "%s: not loaded (train.weights_match is fitting): %d tensors of the network that the file lacks: %s; %d of "
            "another shape: %s; %d of the file that the network lacks: %s",
            path,
            *(part for names in (match.missing, match.misshapen, match.unknown) for part in (len(names), _few(names))),
        )
    if match.left_over:
        log.info("%s: %d tensors are left over: %s", path, len(match.left_over), _few(match.left_over))


def check_finite(weights: Mapping[str, Tensor], where: str) -> None:
    """Check that every value of a network's weights is a finite number.

    Raises:
        ReidopsError: one is NaN or infinite, or is quantized; names the tensors.
    """
    quantized = [name for name, values in weights.items() if values.is_quantized]
    if quantized:
        raise ReidopsError(
            f"{where}: {_few(quantized)} are quantized to integers, from which nothing trains; name the checkpoint in "
            "floating point that was quantized, or save values.dequantize()"
        )
    broken = {
        name: int((~torch.isfinite(values)).sum())
        for name, values in weights.items()
        if not torch.isfinite(values).all()
    }
    if broken:
        named = _few([f"{name} ({number:,} of {weights[name].numel():,} values)" for name, number in broken.items()])
        raise ReidopsError(f"{where}: NaN or infinite values in {named}; take another checkpoint or train again")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"
