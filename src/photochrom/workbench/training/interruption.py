"""A request to stop: recorded when a signal arrives, and obeyed by all processes after a step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from lightning_fabric import Fabric


class StopRequest:
    """Whether SIGINT or SIGTERM was received: the step is finished and the run saved."""

    def __enter__(self) -> Self:
        self.asked = False
        self.previous = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self.asked

    def _ask(self, *_: object) -> None:
        self.asked = True


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Handle SIGTERM before the first step like Ctrl-C: unfinished files are removed."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def shared(
    fabric: Fabric, terms: dict[str, torch.Tensor], stopped: bool
) -> tuple[dict[str, float], bool]:
    """Return the means of a step's losses over all processes, and whether any should stop.

    One exchange for both: all log the same, and all stop at the same step.
    """
    if fabric.world_size == 1:
        return {name: float(term.detach()) for name, term in terms.items()}, stopped
    powers = [2 if name == "rmse" else 1 for name in terms]  # a mean of roots is no root of a mean
    values = [term.detach() ** power for term, power in zip(terms.values(), powers, strict=True)]
    values.append(torch.tensor(float(stopped)))
    summed: Any = fabric.all_reduce(
        torch.stack([v.to(fabric.device, torch.float32) for v in values]), reduce_op="sum"
    )
    *sums, asked = summed.tolist()
    means = [(s / fabric.world_size) ** (1 / p) for s, p in zip(sums, powers, strict=True)]
    return dict(zip(terms, means, strict=True)), asked > 0
