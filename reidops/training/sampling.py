"""Sample batches of P people with K crops each, as for batch-hard triplets (Hermans et al. 2017)."""

from collections.abc import Iterator

import numpy as np

from reidops.errors import ReidopsError


class IdentitySampler:
    """Sample batches of exactly P different people × K crops.

    An epoch:
    1. Each person's crops are shuffled and divided into groups of K. An incomplete last group is filled with random
       other crops of the person. A person with fewer than K crops has one group with repeated crops.
    2. A batch has one group of each of P people. People are drawn with a probability proportional to the number of
       their remaining groups.
    3. With `camids`, the crops of a person with several cameras are distributed camera by camera, so that each group
       has about the same number of crops of each camera.
    4. The number of batches is the number of groups // P, equal in every epoch. If fewer than P people have groups
       left, the batch is filled with new groups of other people. If a person has more groups than there are batches,
       the surplus groups are not used in this epoch.

    The batches of an epoch depend only on the seed and the epoch's number, so a resumed training gets the same batches.
    With several ranks, each rank draws the same batches and yields P / num_ranks people of each. The concatenated
    shares of all ranks equal the batch of a single rank.
    """

    def __init__(
        self,
        labels: np.ndarray,
        people_per_batch: int,
        crops_per_person: int,
        *,
        seed: int,
        camids: np.ndarray | None = None,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        """Create the sampler for the labels [N] of the training crops, any integers.

        Args:
            camids: cameras [N], to mix the cameras of a person; None = do not mix.

        Raises:
            ReidopsError: P or K is below 1, there are no crops, P exceeds the number of people, or P is not a multiple
                of the number of ranks.
        """
        self._people = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self._camids = np.zeros(len(labels), int) if camids is None else np.asarray(camids)
        self._p, self._k, self._seed, self.epoch = people_per_batch, crops_per_person, seed, 0
        _check(len(self._people), people_per_batch, crops_per_person, num_ranks)
        num_own = people_per_batch // num_ranks * crops_per_person
        self._own = slice(rank * num_own, (rank + 1) * num_own)

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return max(1, sum(_num_groups(crops, self._k) for crops in self._people) // self._p)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield this rank's share of each batch: indices into the labels, [P · K / num_ranks], grouped by person."""
        return (share for _, share in self.places())

    def places(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield this rank's share of each batch, and the place of its first item in the whole batch."""
        rng = np.random.default_rng([self._seed, self.epoch])
        groups = [_deal(crops, self._camids[crops], self._k, rng) for crops in self._people]
        for _ in range(len(self)):
            chosen = self._choose(np.array([len(g) for g in groups]), rng)
            yield self._own.start, np.concatenate([self._take(person, groups, rng) for person in chosen])[self._own]

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, which together with the seed determines the batches."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue with the epoch of `state`."""
        self.epoch = state["epoch"]

    def _choose(self, left: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return P different people, drawn by their number of remaining groups; others only if these are too few."""
        num_waiting = min(self._p, int((left > 0).sum()))
        chosen = (
            rng.choice(len(left), num_waiting, replace=False, p=left / left.sum()) if num_waiting else np.array([], int)
        )
        others = np.setdiff1d(np.arange(len(left)), chosen)
        return np.concatenate([chosen, rng.choice(others, self._p - num_waiting, replace=False)]).astype(int)

    def _take(self, person: int, groups: list[list[np.ndarray]], rng: np.random.Generator) -> np.ndarray:
        if not groups[person]:
            crops = self._people[person]
            return _deal(crops, self._camids[crops], self._k, rng)[0]
        return groups[person].pop()


def _deal(crops: np.ndarray, camids: np.ndarray, k: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return a person's crops, shuffled, in groups of k; the last group is filled with crops of the other groups."""
    shuffled = rng.permutation(len(crops))
    num_before = len(crops) // k * k
    pool, num_missing = shuffled[:num_before] if num_before else shuffled, -len(crops) % k
    filled = np.concatenate([shuffled, rng.choice(pool, num_missing, replace=num_missing > len(pool))])
    cameras, camera = np.unique(camids, return_inverse=True)
    if len(cameras) == 1:
        return list(crops[filled].reshape(-1, k))
    # Crops are sorted by camera and assigned to the groups in turn. A repeated crop is next to itself in this order, so
    # that its copies are in different groups.
    turn = np.argsort(shuffled)
    dealt = filled[np.lexsort([turn[filled], rng.permutation(len(cameras))[camera[filled]]])]
    return list(crops[dealt].reshape(k, -1).T)


def _num_groups(crops: np.ndarray, k: int) -> int:
    return -(-len(crops) // k)


def _check(num_people: int, p: int, k: int, num_ranks: int) -> None:
    if p < 1 or k < 1:
        raise ReidopsError(f"people_per_batch is {p} and crops_per_person {k}, both must be at least 1")
    if num_people == 0:
        raise ReidopsError(
            "the crops table has no row with split `train`; set download.train and run `dvc repro convert`"
        )
    if p > num_people:
        raise ReidopsError(
            f"people_per_batch is {p}, but the training split has {num_people} people; set train.people_per_batch to "
            f"at most {num_people}"
        )
    if p % num_ranks:
        raise ReidopsError(
            f"people_per_batch is {p}, which is not a multiple of the {num_ranks} ranks; set train.people_per_batch to "
            "a multiple"
        )
