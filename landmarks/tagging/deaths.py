"""Which shards end their workers: counted where a shard was really begun, and its machine lives on.

Ray's own count of retries does not tell. It counts each failed call to a worker, also the calls to
one on a machine that is gone until Ray notices so, and those that only waited behind a deadly shard
(HandlePushTaskReply in Ray's actor_task_submitter.cc; github.com/ray-project/ray/issues/39110).
So Ray is told to retry for ever, and workers ask here before they begin.
"""

from contextlib import suppress
from typing import Any


def ledger(most: int) -> Any:
    """Start a ledger beside the driver, with which it lives and ends; return Ray's handle of it.

    Args:
        most: deaths after which a shard is still begun anew.
    """
    import ray

    here = ray.get_runtime_context().get_node_id()
    options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
    return ray.remote(Ledger).options(scheduling_strategy=_only(here), **options).remote(most)


class Ledger:
    """Who has begun what, and not ended it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begun: dict[str, dict[str, str]] = {}

    def begin(self, shard: str, worker: str, machine: str) -> bool:
        """Note that a worker is about to look at a shard; return whether it may.

        Args:
            shard: its name.
            worker: says which process; a call may come twice.
            machine: the worker's, by Ray's name of its node.
        """
        begun = self._begun.setdefault(shard, {})
        if len(begun.keys() - {worker}) > self._most:
            lives = {one: _lives(one) for one in set(begun.values())}
            begun = {one: where for one, where in begun.items() if lives[where]}
            self._begun[shard] = begun
        if len(begun.keys() - {worker}) > self._most:
            return False
        begun[worker] = machine
        return True

    def end(self, shard: str, worker: str) -> None:
        """Note that the worker came through."""
        self._begun.get(shard, {}).pop(worker, None)

    def open(self) -> int:
        """Return how often a shard was begun and, as yet, not ended."""
        return sum(map(len, self._begun.values()))


def mine() -> tuple[str, str]:
    """Return the names of this worker and of its machine."""
    import ray

    here = ray.get_runtime_context()
    return here.get_worker_id(), here.get_node_id()


def _lives(machine: str) -> bool:
    """Return whether a machine still works: it has to do something, however late Ray notices."""
    import ray

    with suppress(ray.exceptions.RayError):
        ray.get(
            ray.remote(_nothing).options(num_cpus=0, scheduling_strategy=_only(machine)).remote()
        )
    return any(node["NodeID"] == machine and node["Alive"] for node in ray.nodes())


def _nothing() -> None:
    return None


def _only(machine: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(machine, soft=False)
