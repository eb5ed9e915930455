"""The processes of a training: how many there are, and what they compute in."""

import inspect
import logging
from datetime import timedelta
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from photochrom.errors import InvalidValueError
from photochrom.workbench.training.machines import started_by_torchrun
from photochrom.workbench.training.precision import Precision, choose_precision


def as_started(nodes: int, devices: int | str) -> tuple[int, int | str]:
    """Return the numbers of machines and of devices, which torchrun decides if it started this.

    Raise InvalidValueError if the options disagree with torchrun.
    """
    begun = started_by_torchrun()
    if begun is None:
        return nodes, devices
    if nodes not in (1, begun[0]) or devices not in ("auto", begun[1]):
        raise InvalidValueError(
            f"torchrun started {begun[1]} processes on each of {begun[0]} machines, but --nodes is "
            f"{nodes} and --devices {devices}. Leave both out; torchrun decides."
        )
    return begun


def open_fabric(
    accelerator: str, devices: int | str, nodes: int, preferred: str, asked: str, lost_after: float
) -> tuple[Fabric, Precision]:
    """Return Fabric, for one process or several that share gradients, and the precision.

    Each of several processes keeps its own normalisation statistics, since only the first
    validates, and a critic sees two batches per step. Frozen parameters get no gradient.
    """
    made: dict[str, Any] = {"accelerator": accelerator, "devices": devices, "num_nodes": nodes}
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the precision is ours to say
    try:
        fabric = Fabric(**made)
        computing = choose_precision(preferred, fabric.device.type, asked)
        precision: Any = computing.name
        if isinstance(fabric.strategy, DDPStrategy):
            known = inspect.signature(DistributedDataParallel).parameters
            newer = "forward_sync_buffers" in known
            options: dict[str, Any] = {
                "find_unused_parameters": True,
                "forward_sync_buffers" if newer else "broadcast_buffers": False,
            }
            many = DDPStrategy(timeout=timedelta(seconds=lost_after), **options)
            return Fabric(**made, precision=precision, strategy=many), computing
        return Fabric(**made, precision=precision), computing
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidValueError(
            f"No such accelerator, number of devices, or precision: {error}"
        ) from error
