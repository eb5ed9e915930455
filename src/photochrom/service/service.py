"""The running service: its sessions, workers and counters, and the work behind its routes."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import numpy as np
from fastapi import FastAPI, UploadFile

from photochrom.engine.reference import Reference
from photochrom.photo.temporary_folders import remove, remove_left_behind
from photochrom.service.clients import CLIENT
from photochrom.service.counters import Metrics
from photochrom.service.films import Films
from photochrom.service.jobs import (
    Done,
    Order,
    Part,
    colour,
    crop,
    examine,
    original,
    restored_preview,
    set_reference,
    warm,
)
from photochrom.service.limits import Limits
from photochrom.service.previews import PreviewRequest, field, is_heavy, lowered_white, reduced
from photochrom.service.problem_details import Problem
from photochrom.service.schemas import CropBody, GuidanceBody, ResultBody
from photochrom.service.sessions import PREFIX, Session, Sessions, make_root
from photochrom.service.shared_slots import SharedSlots
from photochrom.service.turns import FairQueue
from photochrom.service.uploads import clean_name, named, save
from photochrom.service.worker_pool import Worker, check_wanted

T = TypeVar("T")
SWEEPS = 20  # sweeps in the time that a photograph is kept


class Service:
    """The state and operations that the routes use.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self.limits, self.metrics = limits, Metrics()
        self.worker = Worker(limits, self.metrics.restarts.inc)
        self.gate = FairQueue(limits.jobs, limits.queue, limits.spare_jobs)
        self.zips = SharedSlots(limits.zips, limits.zips_each)
        self._results = SharedSlots(limits.results)
        self._threads: anyio.CapacityLimiter
        self.sessions: Sessions
        self.films: Films

    @asynccontextmanager
    async def run(self, app: FastAPI) -> AsyncIterator[None]:
        """Create the folder and start the workers; clean up at the end."""
        await anyio.to_thread.run_sync(partial(remove_left_behind, prefix=PREFIX))
        root = make_root()
        tempfile.tempdir = str(root)  # for uploads and previews too
        self.sessions = Sessions(root, self.limits)
        self.films = Films(root, self.limits, self.worker, self.metrics.restarts.inc)
        self._threads = anyio.CapacityLimiter(self.limits.jobs)
        self.metrics.count_sessions(lambda: len(self.sessions))
        self.worker.start()
        sweeper = asyncio.create_task(self._sweep())
        try:
            await anyio.to_thread.run_sync(warm)
            yield
        finally:
            sweeper.cancel()
            await self.films.stop()
            self.worker.stop()
            tempfile.tempdir = None
            remove(root)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.limits.session_seconds / SWEEPS)
            self.sessions.sweep()
            self.films.sweep()

    async def open_photo(self, file: UploadFile) -> Session:
        """Store an uploaded photograph.

        Raises
        ------
        PhotoError, Problem
            If it is not a photograph, or cannot be stored.
        """
        name = clean_name(file.filename)
        folder = self.sessions.new_folder()
        source = folder / "photo"
        try:
            await save(file, source)
            with named(name, source):
                facts, preview = await self.worker.run(examine, source, self.limits.megapixels)
            return self.sessions.put(Session(folder, source, name, facts, preview))
        except BaseException:
            remove(folder)
            raise

    async def read_reference(self, file: UploadFile) -> Reference:
        """Read a colour reference; the file itself is not kept.

        Raises
        ------
        PhotochromError, Problem
            If it is not a photograph, has no colours, or cannot be stored.
        """
        name = clean_name(file.filename)
        folder = self.sessions.new_folder()
        source = folder / "reference"
        try:
            await save(file, source)
            with named(name, source):
                reference = await self.worker.run(set_reference, source, self.limits.megapixels)
        finally:
            remove(folder)
        return replace(reference, name=name)

    async def original(self, session: Session) -> bytes:
        """Return the original at preview size.

        Raises
        ------
        PhotoError, Problem
            If it cannot be read.
        """
        kept = session.drawn.get("original")
        if kept is None:
            with named(session.name, session.source):
                made = await self.worker.run(original, session.source, self.limits.megapixels)
            kept = session.drawn.keep("original", made)
        return kept

    async def crop(self, session: Session, body: CropBody, is_wanted: Callable[[], bool]) -> bytes:
        """Return a crop of a photograph at full size.

        Raises
        ------
        PhotochromError, Problem
            If the crop is not inside, or the request is superseded.
        """
        colours, restore, white = None, False, None
        if body.guidance is not None:
            request = await self.preview_request(session, body.guidance)
            colours = await self.draw(field, request, is_wanted=is_wanted)
            restore, white = body.guidance.restore, body.guidance.white_lightness
        part = Part(body.window, body.long_side_px, colours, restore, white)
        with named(session.name, session.source):
            return await self.worker.run_if(
                is_wanted, crop, session.source, self.limits.megapixels, part
            )

    async def preview_request(
        self, session: Session, body: GuidanceBody, long_side_px: int | None = None
    ) -> PreviewRequest:
        """Scale the guidance for a photograph to its proof, or to a smaller one.

        Raises
        ------
        InvalidValueError, Problem
            If the guidance is not valid.
        """
        guidance = body.to_guidance(session.reference, self.limits)
        preview = await self._restored_preview(session) if body.restore else session.preview
        if long_side_px is not None:
            preview = reduced(preview, long_side_px)
        scale = max(preview.shape) / max(session.facts.width, session.facts.height)
        if body.white_lightness is not None:
            preview = lowered_white(preview, body.white_lightness)
        look = replace(body.look, restore=False, white_lightness=None)  # both are already applied
        return PreviewRequest(preview, scale, body.method, look, guidance)

    async def _restored_preview(self, session: Session) -> np.ndarray:
        """Return the restored proof; it is computed once."""
        async with session.restoring:
            if session.restored is None:
                with named(session.name, session.source):
                    session.restored = await self.worker.run(
                        restored_preview, session.source, self.limits.megapixels
                    )
            return session.restored

    async def draw(
        self,
        work: Callable[..., T],
        request: PreviewRequest,
        *args: object,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> T:
        """Process a proof in its turn: in a thread, or in a worker if it is slow.

        Parameters
        ----------
        work : callable
            Called with the request and the arguments.
        request : PreviewRequest
        is_wanted : callable
            Called when the turn has come.

        Raises
        ------
        Problem
            503 if too much work is waiting, 409 if the request is superseded.
        PhotochromError
            If the work raises it.
        """
        if is_heavy(request):
            return await self.worker.run_if(is_wanted, work, request, *args)

        def wanted_work() -> T:
            check_wanted(is_wanted)
            return work(request, *args)

        return await self.think(wanted_work)

    async def think(self, work: Callable[[], T]) -> T:
        """Run fast work in a thread, in its turn.

        Raises
        ------
        Problem
            503 if too much work is waiting.
        """
        async with self.gate.turn():
            return await anyio.to_thread.run_sync(work, limiter=self._threads)

    @asynccontextmanager
    async def coloured(
        self,
        source: Path,
        name: str,
        reference: Reference | None,
        body: ResultBody,
        *,
        wait: bool,
        float_range: tuple[float, float] | None = None,
    ) -> AsyncIterator[Done]:
        """Colour a file at full size; the result is deleted when the context ends.

        Parameters
        ----------
        source : Path
        name : str
            The client's name for it.
        reference : Reference, optional
        body : ResultBody
        wait : bool
            Wait, no matter how much work is waiting.
        float_range : (black, white), optional
            Values of black and white in a floating-point file.

        Raises
        ------
        PhotochromError, Problem
            If it cannot be coloured.
        """
        guidance = body.guidance.to_guidance(reference, self.limits)
        folder = self.sessions.new_folder()
        order = Order(
            source,
            folder,
            body.guidance.method,
            body.guidance.look,
            guidance,
            body.format,
            body.quality,
            self.limits.megapixels,
            float_range,
            body.long_side_px,
        )
        run = self.worker.run_later if wait else self.worker.run
        try:
            async with self._result_place(is_counted=not wait):
                with named(name, source, folder):
                    done = await run(colour, order)
                yield done
        finally:
            remove(folder)

    @asynccontextmanager
    async def _result_place(self, is_counted: bool) -> AsyncIterator[None]:
        """Hold a slot for a result on the disk until it is sent; zips have their own."""
        if not is_counted:
            yield
            return
        task, given_up = asyncio.current_task(), []
        assert task is not None

        def give_up() -> None:
            given_up.append(task.cancel())

        place = self._results.take(CLIENT.get(), give_up)
        if place is None:
            raise Problem(503, "Too many results are being created and sent. Try again soon.")
        try:
            yield
        except asyncio.CancelledError:
            if not given_up:
                raise
            task.uncancel()
            raise Problem(
                503, "Other clients need the service as well. Try again in a second."
            ) from None
        finally:
            place.leave()
