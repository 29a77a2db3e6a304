"""NASNet-A (4 @ 1056) of Zoph et al. 2018, the mobile size, for timm, built on the cells of timm's NASNet-A large.

Importing this module registers nasnetamobile.
"""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.nasnet import NASNetALarge
from torch import Tensor, nn

from reidops.embedding.published_network import config

_FIRST_CELLS, CELLS_PER_STAGE = (0, 6, 12), 4  # the large network has six cells per stage


class NASNetAMobile(NASNetALarge):
    """Four cells in each of three stages: maps of 1056 channels, reduced by 32."""

    def __init__(self, **options: Any) -> None:
        super().__init__(stem_size=32, num_features=1056, channel_multiplier=2, **options)
        for first in _FIRST_CELLS:
            for number in range(first + CELLS_PER_STAGE, first + 6):
                delattr(self, f"cell_{number}")

    def forward_features(self, images: Tensor) -> Tensor:
        """Return maps [N, 1056, H / 32, W / 32]. A cell takes the outputs of the two layers before it."""
        stem = self.conv0(images)
        before = self.cell_stem_0(stem)
        maps = self.cell_stem_1(stem, before)
        for stage, first in enumerate(_FIRST_CELLS):
            for number in range(first, first + CELLS_PER_STAGE):
                before, maps = maps, self.get_submodule(f"cell_{number}")(maps, before)
            if stage < 2:
                # The cell after a reduction takes the input of the reduction, not the output before it.
                before, maps = maps, self.get_submodule(f"reduction_cell_{stage}")(maps, before)
        return self.act(maps)


default_cfgs = generate_default_cfgs(
    {
        "nasnetamobile": config(first_conv="conv0.conv")
        | {"classifier": "last_linear", "mean": (0.5,) * 3, "std": (0.5,) * 3}
    }
)


@register_model
def nasnetamobile(pretrained: bool = False, **options: Any) -> nn.Module:
    """NASNet-A mobile."""
    return build_model_with_cfg(NASNetAMobile, "nasnetamobile", pretrained, **options)
