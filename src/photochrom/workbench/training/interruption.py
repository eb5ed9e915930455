"""A request to stop: noted when the signal comes, obeyed between two steps by all processes."""

import signal
from typing import Any, Self

import torch
from lightning_fabric import Fabric


class StopRequest:
    """True once SIGINT or SIGTERM has asked to stop: the step is finished and the run saved."""

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


def is_stopped(fabric: Fabric, here: bool) -> bool:
    """Return whether any process was asked to stop, so that all stop at the same step."""
    if fabric.world_size == 1:
        return here
    asked: Any = fabric.all_reduce(torch.tensor(float(here), device=fabric.device), reduce_op="sum")
    return bool(asked)
