"""Adapt a network in rounds: embed, cluster, train on the clusters, and keep the last round that is not worse.

Nothing here reads a label of a tracklet. The state is saved after every round and within it, so that a killed
adaptation continues; on a CPU it then ends with bit-identical weights.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from reidops.adaptation.clustering import Clusters, find_clusters
from reidops.adaptation.memory import find_proxies, start_memory
from reidops.adaptation.norm_statistics import mix_norm_statistics
from reidops.adaptation.reassociation import find_halves, measure_reassociation
from reidops.adaptation.round_crops import RoundSampler, SourceCrops, add_source
from reidops.adaptation.round_rows import Row, describe_round, find_stability, is_not_worse, round_row
from reidops.adaptation.settings import AdaptationSettings
from reidops.adaptation.tracklet_set import TrackletSet
from reidops.embedding.collapse import find_collapse
from reidops.embedding.images import GrowingImages, ImageBatches
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.progress_bar import progress_bar
from reidops.training.augmentation import Augmentation
from reidops.training.checkpoints import Checkpoints
from reidops.training.fitting import fit_network
from reidops.training.training import Divergence, TrainingData

log = logging.getLogger(__name__)

RoundCallback = Callable[[Row, Clusters, Mapping[str, float]], None]
"""A function that is called after each round with its row, its clusters and its times in seconds."""

GIANT = 0.9
"""Share of the training crops that one cluster must not hold."""
EMBED_BATCH = 32  # embeds OSNet at least as fast as batches of 64 and 128, in less memory


@dataclass(frozen=True)
class AdaptationData:
    """The tracklets' crops [N], then labelled crops [S]: their images, and the augmentation in training."""

    tracklets: TrackletSet
    source: SourceCrops
    images: GrowingImages
    augmentation: Augmentation

    @property
    def camids(self) -> np.ndarray:
        """Return the camera of each crop, [N + S]."""
        return np.concatenate([self.tracklets.crops["camid"].to_numpy(), self.source.camids])


@dataclass(frozen=True)
class Adapted:
    """The result of an adaptation.

    Attributes:
        weights: of the embedding network, of round `chosen` (0 = the start, with its new norm statistics).
        rows: a row per round, from 0 on; see `round_rows`.
        labels: the class of each crop after each round, int [N] per row.
        num_clusters: number of clusters after each round; larger classes are single outliers.
        ended: why the adaptation ended before its last round; "" = it did not.
        changed: whether the weights differ from those of the start.
    """

    weights: dict[str, Tensor]
    chosen: int
    rows: list[Row]
    labels: list[np.ndarray]
    num_clusters: list[int]
    ended: str
    changed: bool


@dataclass
class _State:
    """What a checkpoint holds: tensors and plain values.

    `weights` are those that are embedded, averaged with `ema`; the training continues from the `raw` ones.
    """

    weights: dict[str, Tensor]
    raw: dict[str, Tensor] = field(default_factory=dict)
    chosen: int = 0
    chosen_weights: dict[str, Tensor] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    labels: list[Tensor] = field(default_factory=list)
    num_clusters: list[int] = field(default_factory=list)
    ended: str = ""


class Rounds:
    """The rounds of one adaptation."""

    def __init__(
        self,
        network: EmbeddingNetwork,
        data: AdaptationData,
        settings: AdaptationSettings,
        *,
        fabric: Fabric,
        checkpoints: Checkpoints,
        on_round: RoundCallback | None = None,
    ) -> None:
        self._network, self._data, self._settings = network.to(fabric.device), data, settings
        self._fabric, self._checkpoints, self._on_round = fabric, checkpoints, on_round
        self._halves = find_halves(data.tracklets)
        self._start = _copy(network)
        self._state = _State(self._start)

    def run(self) -> Adapted:
        """Adapt the network, from the last checkpoint if there is one.

        Raises:
            ReidopsError: the network's embeddings have collapsed before the first round, the process received SIGTERM,
                memory is too small, or a crop cannot be read.
        """
        state, embeddings, clusters = self._begin()
        while len(state.rows) <= self._settings.rounds and not state.ended:
            embeddings, clusters = self._round(embeddings, clusters)
        return Adapted(
            state.chosen_weights,
            state.chosen,
            state.rows,
            [labels.numpy() for labels in state.labels],
            state.num_clusters,
            state.ended,
            changed=any(not torch.equal(self._start[name], value) for name, value in state.chosen_weights.items()),
        )

    def _begin(self) -> tuple[_State, np.ndarray, Clusters]:
        """Return the saved state, or that of the start, with the embeddings and the clusters of its weights."""
        saved = self._checkpoints.load()
        if saved is not None:
            self._state = _State(**saved)
            self._network.load_state_dict(self._state.weights)
            log.info("continue after round %d, from %s", len(self._state.rows) - 1, self._checkpoints.folder)
        else:
            self._mix_norm_statistics()
        started = time.perf_counter()
        embeddings = self._embed()
        embedded = time.perf_counter()
        if saved is None and (collapse := find_collapse(embeddings)):
            raise ReidopsError(f"the model that is to be adapted has collapsed ({collapse}); train it again")
        clusters = find_clusters(embeddings[: self._num_own], self._data.tracklets, self._settings.clusters)
        if saved is None:
            times = {"embedding": embedded - started, "clustering": time.perf_counter() - embedded}
            self._record({}, embeddings, clusters, times, _unusable(clusters))
        return self._state, embeddings, clusters

    def _mix_norm_statistics(self) -> None:
        """Give the network a share of the statistics of the crops that train; round 0 has these weights."""
        share, trains = self._settings.norm_share, self._data.tracklets.trains
        if not share:
            return
        images, seed = self._data.images.at(1.0), self._settings.seed
        num = mix_norm_statistics(self._network, images, trains, share, fabric=self._fabric, seed=seed)
        if num:
            self._state.weights = _copy(self._network)
            log.info("statistics of %d batch norms: %.0f%% are those of %d crops", num, 100 * share, len(trains))
        else:
            log.warning("norm_share has no effect: the network has no batch norm, or fewer than two crops train")

    def _round(self, embeddings: np.ndarray, clusters: Clusters) -> tuple[np.ndarray, Clusters]:
        """Train on the clusters, and return the embeddings and clusters of the new weights."""
        number, started = len(self._state.rows), time.perf_counter()
        log.info("round %d of %d: %d classes", number, self._settings.rounds, clusters.num_classes)
        try:
            figures = self._train(number, embeddings, clusters)
        except Divergence as error:
            self._end(number, str(error).partition(". The last")[0])
            return embeddings, clusters
        trained = time.perf_counter()
        embeddings = self._embed()
        collapse = find_collapse(embeddings)
        if collapse:
            self._end(number, collapse)
            return embeddings, clusters
        embedded = time.perf_counter()
        clusters = find_clusters(embeddings[: self._num_own], self._data.tracklets, self._settings.clusters)
        times = {"training": trained - started, "embedding": embedded - trained}
        times["clustering"] = time.perf_counter() - embedded
        self._record(figures, embeddings, clusters, times, _unusable(clusters))
        return embeddings, clusters

    def _train(self, number: int, embeddings: np.ndarray, clusters: Clusters) -> Row:
        """Train the network for one round, and return the loss and the learning rate of its last epoch."""
        settings, data = self._settings, self._data
        seed = int(np.random.SeedSequence([settings.seed, number]).generate_state(1)[0])
        labels = add_source(clusters.labels, data.source, settings.source_share, seed)
        self._network.load_state_dict(self._state.raw or self._state.weights)
        torch.manual_seed(seed)
        several = len(np.unique(data.tracklets.cameras)) > 1
        proxies = find_proxies(labels, data.camids) if settings.camera_proxies and several else None
        losses = start_memory(
            embeddings, labels, clusters, data.tracklets, network=self._network, proxies=proxies, **settings.memory
        )
        sampler = RoundSampler(
            labels, settings.people_per_batch, settings.crops_per_person, seed=seed, camids=data.camids
        )
        within = Checkpoints(self._checkpoints.folder, {"round": number})
        trained = fit_network(
            self._network,
            TrainingData(data.images, labels if proxies is None else proxies.labels, sampler, data.augmentation, None),
            settings.fit_settings(number, seed, len(sampler)),
            fabric=self._fabric,
            checkpoints=within,
            losses=losses,
        )
        self._state.raw = _copy(self._network)
        self._network.load_state_dict(trained.weights)
        last = trained.history.iloc[-1]
        return {"loss": float(last["loss"]), "lr": float(last["lr"])}

    def _record(
        self,
        figures: Row,
        embeddings: np.ndarray,
        clusters: Clusters,
        times: Mapping[str, float],
        collapse: str | None,
    ) -> None:
        """Add the row of a round, and keep its weights if it is not worse; end the adaptation if it collapsed."""
        state = self._state
        if collapse and state.rows:
            self._end(len(state.rows), collapse)
            return
        tracklets = self._data.tracklets
        row = round_row(
            len(state.rows),
            clusters,
            measure_reassociation(embeddings[: self._num_own], tracklets, self._halves),
            num_crops=len(tracklets.trains),
            stability=find_stability(state.labels[-1].numpy() if state.labels else None, clusters, state.num_clusters),
        )
        row |= figures
        state.rows.append(row)
        state.labels.append(torch.from_numpy(clusters.labels))
        state.num_clusters.append(clusters.num_clusters)
        state.weights = _copy(self._network)
        if is_not_worse(state.rows):
            state.chosen, state.chosen_weights = len(state.rows) - 1, state.weights
        if collapse:
            state.ended = f"the model gives no clusters to train on: {collapse}"
            log.warning("no round is run: %s", collapse)
        elif row["stability"] >= self._settings.stable and self._settings.stable < 1:
            state.ended = f"the clusters are stable (adjusted Rand index {row['stability']:.3f})"
        log.info(describe_round(row))
        self._save()
        if self._on_round is not None:
            self._on_round(row, clusters, times)

    def _end(self, number: int, reason: str) -> None:
        """End the adaptation with the weights of the chosen round."""
        self._state.ended = f"round {number} collapsed and is undone: {reason}"
        log.warning("%s; the weights of round %d are kept", self._state.ended, self._state.chosen)
        self._network.load_state_dict(self._state.chosen_weights)
        self._save()

    def _save(self) -> None:
        self._checkpoints.save(dict(vars(self._state)))
        # The state within the round is complete in this one.
        Checkpoints(self._checkpoints.folder, {"round": len(self._state.rows) - 1}).delete()

    def _embed(self) -> np.ndarray:
        """Return unit embeddings of all crops, float32 [N + S, dim]."""
        return embed_crops(self._network, self._data.images.at(1.0), self._fabric)

    @property
    def _num_own(self) -> int:
        return len(self._data.tracklets.of_crop)


def embed_crops(network: EmbeddingNetwork, images: ImageBatches, fabric: Fabric) -> np.ndarray:
    """Return unit embeddings of all images, float32 [N, dim], in the precision of the training."""
    network.eval()
    starts = range(0, len(images), EMBED_BATCH)
    batches = (np.arange(start, min(start + EMBED_BATCH, len(images))) for start in starts)
    bar = progress_bar(images.stream(batches), total=len(starts), desc="embed", unit="batches")
    with torch.inference_mode(), fabric.autocast():
        found = [network(torch.from_numpy(batch).to(fabric.device)).cpu() for _, batch in bar]
    return torch.cat(found).numpy()


def _unusable(clusters: Clusters) -> str | None:
    """Return why the clusters cannot train, or None."""
    if clusters.num_classes < 2:
        return f"{clusters.num_clusters} clusters and {clusters.num_classes} classes, expected at least two classes"
    counts = np.bincount(clusters.labels[clusters.in_cluster], minlength=1)
    share = counts.max() / (clusters.labels >= 0).sum()
    if share > GIANT:
        return f"one cluster holds {share:.0%} of the crops"
    return None


def _copy(network: EmbeddingNetwork) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
