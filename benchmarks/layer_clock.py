"""A clock that tells which layer of nested calls takes the time."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any


class LayerClock:
    """Adds up the time of each layer, less the time of the layers that it calls.

    What the clock itself takes falls into the calls that it watches; `overhead` is taken off.
    """

    def __init__(self) -> None:
        """Start with nothing counted."""
        self._layers: dict[str, float] = {}
        self._calls: dict[str, int] = {}
        self._inner: dict[str, int] = {}
        self._stack: list[tuple[str, list[float]]] = []

    def watched(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with its time counted for `layer`."""
        layers, calls, inner, stack, clock = self._layers, self._calls, self._inner, self._stack, time.perf_counter
        layers.setdefault(layer, 0.0)
        calls.setdefault(layer, 0)
        inner.setdefault(layer, 0)

        @wraps(function)
        def timed(*positional: Any, **named: Any) -> Any:
            nested = [0.0]
            stack.append((layer, nested))
            start = clock()
            try:
                return function(*positional, **named)
            finally:
                elapsed = clock() - start
                stack.pop()
                layers[layer] += elapsed - nested[0]
                calls[layer] += 1
                if stack:
                    outer, taken = stack[-1]
                    taken[0] += elapsed
                    inner[outer] += 1

        return timed

    def reset(self) -> None:
        """Count from nothing again."""
        for counts in (self._layers, self._calls, self._inner):
            for layer in counts:
                counts[layer] = 0

    def microseconds(self, requests: int, overhead: "Overhead") -> dict[str, float]:
        """Time of each layer in a request."""
        return {
            layer: (taken - self._calls[layer] * overhead.own - self._inner[layer] * overhead.outer) / requests * 1e6
            for layer, taken in self._layers.items()
        }


class Overhead:
    """What the clock adds, in seconds a call: to the watched call (`own`) and to the one around it (`outer`)."""

    def __init__(self, calls: int = 20_000) -> None:
        """Measure it on functions that do nothing."""

        def nothing(_self: object, _argument: object) -> None:
            pass

        def plain() -> None:
            for _ in range(calls):
                nothing(None, None)

        clock = LayerClock()
        watched = clock.watched("inner", nothing)

        def nested() -> None:
            for _ in range(calls):
                watched(None, None)

        start = time.perf_counter()
        plain()
        bare = (time.perf_counter() - start) / calls
        clock.watched("outer", nested)()
        found = clock.microseconds(1, Overhead.none())
        self.own = max(0.0, found["inner"] / 1e6 / calls - bare)
        self.outer = max(0.0, found["outer"] / 1e6 / calls)

    @classmethod
    def none(cls) -> "Overhead":
        """No overhead at all."""
        overhead = object.__new__(cls)
        overhead.own = overhead.outer = 0.0
        return overhead
