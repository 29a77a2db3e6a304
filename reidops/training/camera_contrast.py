"""Contrast crops with one proxy per class and camera (after Wang et al. 2021, Camera-Aware Proxies).

The single memory entry of a class is the mean over all its cameras, so that the most similar entries of a crop are
often of its own camera. With proxies the loss within a camera separates people, and the loss across cameras makes the
proxies of a person similar.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidops.training.cluster_contrast import ClusterContrast, renew

HARDEST = 50
"""Number of proxies of other classes that a crop is compared with across cameras."""


class CameraContrast(nn.Module):
    """Half of the cluster contrast, half of a loss across cameras, and half of one within the crop's camera.

    Labels are proxies. Across cameras each proxy of the crop's class is compared with the `HARDEST` most similar
    proxies of other classes; the mean over the class's proxies counts. Within the camera the crop's proxy is compared
    with all proxies of the camera. Proxies are updated as the entries of the cluster contrast are, and are a buffer.

    Args:
        clusters: the memory with an entry per class.
        proxies: unit rows, [Q, dim].
        class_of: the class of each proxy, [Q].
        camera_of: the camera of each proxy, [Q].
        temperature: of both softmaxes.
        momentum: share of a proxy that the update by a crop keeps.
    """

    def __init__(
        self,
        clusters: ClusterContrast,
        proxies: Tensor,
        class_of: Tensor,
        camera_of: Tensor,
        *,
        temperature: float = 0.07,
        momentum: float = 0.8,
    ) -> None:
        super().__init__()
        self.clusters, self._temperature, self._momentum = clusters, temperature, momentum
        self.register_buffer("proxies", proxies.clone())
        self.register_buffer("class_of", class_of, persistent=False)
        self.register_buffer("camera_of", camera_of, persistent=False)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings [N, dim] with the proxies `labels` [N]; in training also update the memory."""
        units = functional.normalize(embeddings.float())
        # A copy, because the update changes the proxies before the gradient is computed.
        logits = units @ self.proxies.clone().T / self._temperature
        across, within = self._across(logits, labels), self._within(logits, labels)
        loss = (self.clusters(embeddings, self.class_of[labels]) + across + within) / 2
        if self.training:
            renew(self.proxies, units.detach(), labels, self._momentum, "each")
        return loss

    def _across(self, logits: Tensor, labels: Tensor) -> Tensor:
        is_own = self.class_of == self.class_of[labels][:, None]
        others = logits.masked_fill(is_own, -torch.inf)
        hardest = others.topk(min(HARDEST, others.shape[1])).values.logsumexp(dim=1, keepdim=True)
        losses = torch.where(is_own, torch.logaddexp(logits, hardest) - logits, 0)
        return (losses.sum(dim=1) / is_own.sum(dim=1)).mean()

    def _within(self, logits: Tensor, labels: Tensor) -> Tensor:
        is_seen = self.camera_of == self.camera_of[labels][:, None]
        return functional.cross_entropy(logits.masked_fill(~is_seen, -torch.inf), labels)
