"""Train on streamed pictures: data that is too large, or too remote, to be decoded first.

The bins, a palette, the classes and the validation pictures come from a sample at the stream's
beginning, which is decoded into memory. Pictures are taken as they come: sources are left out, but
not weighted. A streamed run that is resumed goes on with other pictures: the stream has no place to
go back to.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from photochrom.errors import DataError
from photochrom.workbench.datasets.batches import Batch, Batches, stacked
from photochrom.workbench.datasets.decoded_cache import PixelCache
from photochrom.workbench.datasets.streaming import decode_pictures, stream_pictures
from photochrom.workbench.training.recipe import Phase

SAMPLE = 2000  # pictures
SHORT_SIDE_PX = 192  # larger pictures are reduced to this
SHUFFLE_BUFFER = 1000


def sample_pixels(data: str | Path, report: Callable[[str], None]) -> PixelCache:
    """Decode the first pictures of a stream into memory; see `stream_pictures`.

    Raise DataError if there is no picture, or too many are damaged.
    """
    stream = stream_pictures(data, shuffle_buffer=1, report=report)
    decoded = list(islice(decode_pictures(stream, SHORT_SIDE_PX, report), SAMPLE))
    if not decoded:
        raise DataError(f"{data}: the stream holds no picture.")
    sizes = np.array([rgb.shape[:2] for _, rgb in decoded], np.int32)
    lengths = sizes.astype(np.int64).prod(1) * 3
    return PixelCache(
        np.concatenate([rgb.ravel() for _, rgb in decoded]),
        np.concatenate(([0], np.cumsum(lengths)[:-1])),
        sizes,
        *(np.array([getattr(p, name) for p, _ in decoded]) for name in ("source", "label", "key")),
    )


def _say(line: str) -> None:
    """Report damaged data, from any process."""
    print(line, file=sys.stderr, flush=True)


class StreamedBatches(IterableDataset[Batch]):
    """Endless batches of a stream; each rank and each loading worker reads its own share.

    Parameters
    ----------
    data : str or Path
        As `stream_pictures` takes it.
    held : frozenset of str
        Keys that are never trained on.
    phase_of : callable
        Step number -> Phase.
    """

    def __init__(
        self,
        data: str | Path,
        batches: Batches,
        held: frozenset[str],
        phase_of: Callable[[int], Phase],
        first: int,
        rank: int,
        ranks: int,
    ) -> None:
        self.data, self.batches, self.held, self.phase_of = data, batches, held, phase_of
        self.first, self.rank, self.ranks = first, rank, ranks

    def __iter__(self) -> Iterator[Batch]:
        """Return this worker's batches, in the order of the steps that it serves."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        random = np.random.default_rng((self.batches.seed, self.first, self.rank, worker))
        pictures = self._pictures(worker, workers)
        for step in count(self.first + worker, workers):
            phase = self.phase_of(step)
            wanted = islice(pictures, phase.batch // self.ranks)
            yield stacked(
                [self.batches.row(rgb, label, phase.size_px, random) for label, rgb in wanted]
            )

    def _pictures(self, worker: int, workers: int) -> Iterator[tuple[str, np.ndarray]]:
        for epoch in count(self.first):
            stream = stream_pictures(
                self.data,
                rank=self.rank,
                ranks=self.ranks,
                seed=self.batches.seed,
                epoch=epoch,
                shuffle_buffer=SHUFFLE_BUFFER,
                worker=worker,
                workers=workers,
                report=_say,
            )
            left_out = frozenset(self.batches.recipe.leave_out)
            kept = (p for p in stream if p.key not in self.held and p.source not in left_out)
            empty = True
            for picture, rgb in decode_pictures(kept, SHORT_SIDE_PX, _say):
                empty = False
                yield picture.label, rgb
            if empty:
                raise DataError(f"{self.data}: a worker's share of the stream holds no picture.")
