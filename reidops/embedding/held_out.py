"""Which held-out training people choose the checkpoint, and which fit the gate: all of them both, or one half each."""

from typing import Literal

import numpy as np
import pandas as pd

CheckpointPeople = Literal["all", "half"]


def choose_the_checkpoint(table: pd.DataFrame, checkpoint_people: CheckpointPeople) -> np.ndarray:
    """Return which rows of a crops table show people who choose the checkpoint, bool [len(table)].

    Of `half`, it is every other one of the people of split `val`, by data set, scene and pid: half of each scene's
    people. The division depends on the table alone.
    """
    is_held_out = (table["split"] == "val").to_numpy()
    if checkpoint_people == "all":
        return is_held_out
    people = (
        table.loc[is_held_out, ["dataset", "scene", "pid"]].sort_values(["dataset", "scene", "pid"])["pid"].unique()
    )
    return is_held_out & table["pid"].isin(people[::2]).to_numpy()


def fit_the_gate(table: pd.DataFrame, checkpoint_people: CheckpointPeople) -> np.ndarray:
    """Return which rows of a crops table show known held-out people who fit the gate, bool [len(table)].

    Where `half` of the people choose the checkpoint, it is the others; where `all` do, it is the same people.
    """
    is_known = ((table["split"] == "val") & (table["pid"] >= 0)).to_numpy()
    return is_known if checkpoint_people == "all" else is_known & ~choose_the_checkpoint(table, checkpoint_people)
