"""Who may ask, and how much: API keys, and a rate limit for each."""

import hashlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from pydantic import SecretStr

from landmarks.serving.problems import Problem

MOST_CLIENTS = 10_000
"""Clients whose use is remembered; the one that asked least recently is forgotten for a new one."""

_NAME = 8


class Keys:
    """The API keys; only their hashes are kept."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._hashes = [_hash(key.get_secret_value()) for key in keys]

    def name(self, given: str | None) -> str | None:
        """Return a short name of a valid key, fit for logs; None where no keys are asked for.

        Every key is compared, each in constant time, so that the time of a refusal tells nothing.

        Raises:
            Problem: no key, or one that is not valid.
        """
        if not self._hashes:
            return None
        asked = _hash(given or "")
        found = [one for one in self._hashes if hmac.compare_digest(one, asked)]
        if not found or not given:
            raise Problem(
                "no-key",
                "The request has no valid API key.",
                {"WWW-Authenticate": 'Bearer realm="landmarks"'},
            )
        return found[0][:_NAME]


class Rate:
    """A bucket of tokens for each client: a photo takes one, and they come back with time."""

    def __init__(
        self, per_minute: float | None, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = (per_minute or 0) / 60
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, client: str) -> None:
        """Let a client pass who has a token left.

        Raises:
            Problem: it has none.
        """
        if self._per_second and (tokens := self._tokens(client)) < 1:
            seconds = max(1, math.ceil((1 - tokens) / self._per_second))
            raise Problem(
                "rate-limit",
                f"More than {self._per_second * 60:g} photos a minute; "
                f"the next may come in {seconds} seconds.",
                {"Retry-After": str(seconds)},
            )

    def charge(self, client: str, photos: int) -> None:
        """Take a token for each photo; a request with many may leave the client in debt."""
        if self._per_second:
            self._buckets[client] = (self._tokens(client) - photos, self._clock())
            self._buckets.move_to_end(client)
            if len(self._buckets) > MOST_CLIENTS:
                self._buckets.popitem(last=False)

    def _tokens(self, client: str) -> float:
        now = self._clock()
        tokens, then = self._buckets.get(client, (float(self._burst), now))
        return min(self._burst, tokens + (now - then) * self._per_second)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
