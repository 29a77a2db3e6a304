"""Batches of P people with K crops each, as batch-hard triplets need them (Hermans et al. 2017)."""

from collections.abc import Iterator

import numpy as np

from reidops.errors import ReidopsError


class IdentitySampler:
    """Deal every epoch's crops into batches of exactly P different people × K crops.

    An epoch:
    1. Each person's crops are shuffled and dealt into groups of K. A last group short of K is filled with other crops
       of that person, drawn at random; a person with fewer than K crops altogether gives one group in which crops
       repeat. So every crop of the training set is dealt once before any is dealt again.
    2. Batches take one group each of P people. Who comes is drawn at random, a person with more groups left the more
       often.
    3. Where `camids` are given, a person who was seen by several cameras is dealt like a hand of cards, camera after
       camera:
       each group gets of every camera its share of that person's crops, rounded up or down.
    4. The number of batches is the number of groups // P, the same in every epoch. When fewer than P people have groups
       left, the batch is filled with other people, who are dealt anew; when one person has more groups than there are
       batches, the surplus groups wait for another epoch.

    What an epoch draws depends on the seed and the epoch's number alone: a training that goes on in epoch 7 sees what
    it would have seen. With several ranks, each draws the same batches and yields its own P / num_ranks people of each:
    the ranks' shares, side by side, are the batch that one rank alone would yield.
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
        """Take the labels [N] of the training crops, any integers, and their cameras [N], where these are to be mixed.

        Raises:
            ReidopsError: P or K is below 1, there are no crops, P is larger than the number of people or no multiple of
                the number of ranks.
        """
        self._people = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self._camids = np.zeros(len(labels), int) if camids is None else np.asarray(camids)
        self._p, self._k, self._seed, self.epoch = people_per_batch, crops_per_person, seed, 0
        _check(len(self._people), people_per_batch, crops_per_person, num_ranks)
        num_own = people_per_batch // num_ranks * crops_per_person
        self._own = slice(rank * num_own, (rank + 1) * num_own)

    def __len__(self) -> int:
        """Return the number of batches, the same in every epoch."""
        return max(1, sum(_num_groups(crops, self._k) for crops in self._people) // self._p)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield this rank's share of the epoch's batches: indices into the labels, [P · K / num_ranks], a person's K
        side by side.
        """
        rng = np.random.default_rng([self._seed, self.epoch])
        groups = [_deal(crops, self._camids[crops], self._k, rng) for crops in self._people]
        for _ in range(len(self)):
            chosen = self._choose(np.array([len(g) for g in groups]), rng)
            yield np.concatenate([self._take(person, groups, rng) for person in chosen])[self._own]

    def state_dict(self) -> dict[str, int]:
        """Return what a resumed training needs: the epoch; the rest follows from the seed."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with the epoch of `state`."""
        self.epoch = state["epoch"]

    def _choose(self, left: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return P different people: drawn by the groups they have left, then, if those are too few, any others."""
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
    """Return a person's crops, shuffled, in groups of k; the last one is filled up with crops of the others."""
    shuffled = rng.permutation(len(crops))
    num_before = len(crops) // k * k
    pool, num_missing = shuffled[:num_before] if num_before else shuffled, -len(crops) % k
    filled = np.concatenate([shuffled, rng.choice(pool, num_missing, replace=num_missing > len(pool))])
    cameras, camera = np.unique(camids, return_inverse=True)
    if len(cameras) == 1:
        return list(crops[filled].reshape(-1, k))
    # Camera after camera, one crop to each group in turn. A crop that is there twice lies beside itself, so that its
    # next place is in another group.
    turn = np.argsort(shuffled)
    dealt = filled[np.lexsort([turn[filled], rng.permutation(len(cameras))[camera[filled]]])]
    return list(crops[dealt].reshape(k, -1).T)


def _num_groups(crops: np.ndarray, k: int) -> int:
    return -(-len(crops) // k)


def _check(num_people: int, p: int, k: int, num_ranks: int) -> None:
    if p < 1 or k < 1:
        raise ReidopsError(f"people_per_batch is {p} and crops_per_person {k}, both must be at least 1")
    if num_people == 0:
        raise ReidopsError("there is no training crop: the crops table has no row with split `train`")
    if p > num_people:
        raise ReidopsError(
            f"people_per_batch is {p}, but the training split has {num_people} people; set train.people_per_batch to "
            f"at most {num_people}"
        )
    if p % num_ranks:
        raise ReidopsError(
            f"people_per_batch is {p}, which {num_ranks} ranks cannot share evenly; set train.people_per_batch to a "
            f"multiple"
        )
