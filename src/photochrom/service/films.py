"""Uploaded films and the work on them: shots, frames, and one colouring after another."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fastapi import UploadFile

from photochrom.engine.reference import Reference
from photochrom.engine.video import Progress, VideoOptions
from photochrom.errors import MissingExtraError, PhotochromError
from photochrom.options.look import Look
from photochrom.photo.film_names import FILM_SUFFIXES
from photochrom.photo.temporary_folders import remove
from photochrom.photo.video import require_video
from photochrom.photo.video_codecs import choose_codec, target_suffix
from photochrom.service.film_jobs import (
    FilmDone,
    FilmFacts,
    FilmOrder,
    Shot,
    colour_film,
    examine_film,
    film_frame,
    find_shots,
    found_shots,
    load,
    reported,
)
from photochrom.service.limits import Limits
from photochrom.service.problem_details import Problem
from photochrom.service.sessions import Kept, Shelf
from photochrom.service.uploads import clean_name, named, save
from photochrom.service.worker_pool import Worker

WHAT = "film"
MOST_REFERENCES = 100  # of a film; each is reduced to a small copy


@dataclass(eq=False)
class Task:
    """Work on a film in a worker, from its request to its end.

    Attributes
    ----------
    folder : Path
        For what it writes; removed with it.
    work : Task
    problem : Problem, optional
        Why it failed.
    """

    folder: Path
    work: "asyncio.Task[None]" = field(init=False)
    problem: Problem | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.work.done()

    def end(self) -> None:
        """Stop the work and remove what it wrote."""
        self.work.cancel()
        self.work.add_done_callback(lambda _: remove(self.folder))


@dataclass(eq=False)
class Colouring(Task):
    """A film that is being coloured, or has been.

    Attributes
    ----------
    order : FilmOrder
    done : FilmDone, optional
        The result, once it is finished.
    """

    order: FilmOrder = field(kw_only=True)
    done: FilmDone | None = None

    @property
    def state(self) -> Literal["waiting", "running", "finished", "failed"]:
        """Where it stands."""
        if self.is_done:
            return "failed" if self.done is None else "finished"
        return "waiting" if self.progress is None else "running"

    @property
    def is_part(self) -> bool:
        """Whether it is for a part of the film."""
        return (self.order.options.start, self.order.options.stop) != (None, None)

    @property
    def progress(self) -> Progress | None:
        """How far it has come; None before it begins."""
        return reported(self.order.report)


@dataclass(eq=False)
class Film(Kept):
    """One film.

    Attributes
    ----------
    facts : FilmFacts
    colouring : Colouring, optional
        The newest.
    search : Task, optional
        For its shots.
    references : dict
        Colour references by their ids, the last MOST_REFERENCES.
    """

    facts: FilmFacts
    colouring: Colouring | None = None
    search: Task | None = None
    references: dict[str, Reference] = field(default_factory=dict)

    def lend(self, reference: Reference) -> str:
        """Keep a reference; return its id."""
        key = secrets.token_hex(16)
        self.references[key] = reference
        while len(self.references) > MOST_REFERENCES:
            del self.references[next(iter(self.references))]
        return key


class Films(Shelf[Film]):
    """All uploaded films. Used only from the event loop.

    Parameters
    ----------
    root : Path
        A private folder for this object's files.
    limits : Limits
    worker : Worker
        For short work.
    on_restart : callable
        Called whenever a process is replaced.
    """

    what = WHAT

    def __init__(
        self, root: Path, limits: Limits, worker: Worker, on_restart: Callable[[], None]
    ) -> None:
        super().__init__(root, limits.films, limits.session_seconds)
        self._megapixels, self._worker = limits.megapixels, worker
        alone = replace(limits, jobs=1, spare_jobs=0, job_seconds=limits.film_seconds)
        # Their processes start with the first film; finding shots needs no network.
        self._colourer = Worker(alone, on_restart, WHAT)
        self._searcher = Worker(alone, on_restart, WHAT, load)

    @property
    def pids(self) -> list[int]:
        """The running processes."""
        return self._colourer.pids + self._searcher.pids

    async def open(self, file: UploadFile) -> Film:
        """Store an uploaded film.

        Raises
        ------
        PhotochromError, Problem
            If the extra is missing, or it is not a film, or cannot be stored.
        """
        require_video()
        name = clean_name(file.filename)
        suffix = Path(name).suffix.lower()
        folder = self.new_folder()
        source = folder / f"film{suffix if suffix in FILM_SUFFIXES else ''}"
        try:
            await save(file, source)
            with named(name, source):
                facts = await self._worker.run(examine_film, source, self._megapixels)
            film = self.put(Film(folder, source, name, facts))
        except BaseException:
            remove(folder)
            raise
        self._colourer.wake()  # it loads while the film is looked at
        return film

    def colour(
        self, film: Film, method: str, look: Look, options: VideoOptions, suffix: str | None
    ) -> Colouring:
        """Begin to colour a film; an earlier colouring is ended and removed.

        Parameters
        ----------
        film : Film
        method : str
        look : Look
        options : VideoOptions
        suffix : str, optional
            Of the result; by default what suits the film and the codec.

        Raises
        ------
        InvalidValueError
            If a container cannot hold the codec.
        """
        codec = choose_codec(options.codec, Path(f"film{suffix}") if suffix else None)
        self.cancel(film)
        folder = self.new_folder()
        target = folder / f"coloured{suffix or target_suffix(codec, film.source)}"
        order = FilmOrder(film.source, target, method, look, options, folder / "report.json")
        colouring = Colouring(folder, order=order)
        film.colouring = colouring

        async def work() -> None:
            colouring.done = await self._colourer.run_later(colour_film, order)

        self._begin(film, colouring, work)
        return colouring

    def cancel(self, film: Film) -> None:
        """End the colouring of a film and remove what it wrote."""
        if film.colouring is not None:
            film.colouring.end()
            film.colouring = None

    def shots(self, film: Film) -> tuple[list[Shot], bool]:
        """Return the shots found so far and whether these are all; the first call begins.

        Raises
        ------
        Problem
            If the film cannot be read; 503 if that may pass.
        """
        if film.search is None:
            search = film.search = Task(self.new_folder())
            self._begin(
                film,
                search,
                lambda: self._searcher.run_later(find_shots, film.source, search.folder),
            )
        if (problem := film.search.problem) is not None:
            film.search.end()
            film.search = None  # the next call tries again: the disk may have been full
            raise problem
        is_done = film.search.is_done  # before the list is read
        return found_shots(film.search.folder), is_done

    async def frame(self, film: Film, seconds: float) -> bytes:
        """Return the upright frame at a time as a gray PNG.

        Raises
        ------
        PhotochromError, Problem
            If the film cannot be read, or has ended by then.
        """
        with named(film.name, film.source):
            return await self._worker.run(film_frame, film.source, seconds)

    def _begin(self, film: Film, task: Task, work: Callable[[], Awaitable[object]]) -> None:
        async def run() -> None:
            with self.hold(film.id):
                try:
                    with named(film.name, film.source, task.folder):
                        await work()
                except PhotochromError as error:
                    task.problem = Problem(422, str(error))
                except Problem as problem:
                    task.problem = problem

        task.work = asyncio.create_task(run())

    def may_go(self, kept: Film) -> bool:
        """Return whether a film may be removed for a new one: not while it is worked on."""
        return not kept.users

    def leave(self, kept: Film) -> None:
        """End what works on a film that is closed."""
        for task in (kept.colouring, kept.search):
            if task is not None:
                task.end()

    async def stop(self) -> None:
        """End all work and the processes."""
        films = list(self._open.values())
        for film in films:
            self._close(film)
        works = [task.work for f in films for task in (f.colouring, f.search) if task is not None]
        await asyncio.gather(*works, return_exceptions=True)
        self._colourer.stop()
        self._searcher.stop()


def taken_suffixes() -> list[str]:
    """Return the suffixes of films that the service takes: none without the extra."""
    try:
        require_video()
    except MissingExtraError:
        return []
    return sorted(FILM_SUFFIXES)
