"""Divide the held-out people: for choosing the checkpoint and for fitting the gate, all of them for both or halves."""

from typing import Literal

import numpy as np
import pandas as pd

CheckpointPeople = Literal["all", "half"]


def choose_the_checkpoint(table: pd.DataFrame, checkpoint_people: CheckpointPeople) -> np.ndarray:
    """Return which rows of a crops table show people for choosing the checkpoint, bool [len(table)].

    With `half` these are every second person of split `val`, sorted by data set, scene and pid, so half of the people
    of each scene. The division depends only on the table.
    """
    is_held_out = (table["split"] == "val").to_numpy()
    if checkpoint_people == "all":
        return is_held_out
    people = (
        table.loc[is_held_out, ["dataset", "scene", "pid"]].sort_values(["dataset", "scene", "pid"])["pid"].unique()
    )
    return is_held_out & table["pid"].isin(people[::2]).to_numpy()


def fit_the_gate(table: pd.DataFrame, checkpoint_people: CheckpointPeople) -> np.ndarray:
    """Return which rows of a crops table show known held-out people for fitting the gate, bool [len(table)].

    With `half` these are the people who are not used for choosing the checkpoint, with `all` the same people.
    """
    is_known = ((table["split"] == "val") & (table["pid"] >= 0)).to_numpy()
    return is_known if checkpoint_people == "all" else is_known & ~choose_the_checkpoint(table, checkpoint_people)
