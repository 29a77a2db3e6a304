"""The section `tune` of params.yaml."""

from typing import Any, Literal

from pydantic import Field, field_validator

from reidops.errors import ReidopsError
from reidops.params import params_dataclass
from reidops.tracking.tuning.search_spaces import check_search
from stages.params.types import AboveZero, Count


@params_dataclass
class TuneParams:
    """The search for a tracker's constants. The tracker, its detections and its gate are those of the other stages."""

    trials: Count = Field(
        description="Number of sets of constants that are tried, on scenes that are not reported. 0: no search."
    )
    score: Literal["IDF1", "HOTA", "MOTA", "AssA"] = Field(
        description="Metric that the search maximizes, combined over the scenes."
    )
    sequences: tuple[str, ...] = Field(
        description="Scenes or sequences to search on. []: tested ones that neither train nor are tracked; if there "
        "are none, all that train and are not tracked."
    )
    search: dict[str, dict[str, Any]] = Field(
        description="Search space per tracker: a constant, gate or min_confidence with [least, most], with choices, or "
        "with one fixed value. reidops/tracking/tuning/search_spaces.py has the rest."
    )
    appearance: Literal["auto"] | bool = Field(
        description="Use the model's embeddings in the search. auto: only if no person of the scenes trained, because "
        "a search on training people trusts appearance too much."
    )
    timeout_s: AboveZero | None = Field(
        description="Time after which no trial starts, s. The result then depends on the machine. null: no limit."
    )
    seed: Count = Field(description="Seed of the search.")

    @field_validator("search")
    @classmethod
    def _check_search(cls, search: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            check_search(search)
        except ReidopsError as error:
            raise ValueError(str(error)) from None  # pydantic adds the name of the param to a ValueError
        return search
