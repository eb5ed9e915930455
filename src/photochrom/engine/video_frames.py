"""A picture of each shot of a film."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from photochrom.engine.shots import SmallFrame, Step, linked
from photochrom.engine.tiling import working_size
from photochrom.engine.video_colouring import limited_aspect
from photochrom.errors import InvalidValueError
from photochrom.photo.atomic import make_folder
from photochrom.photo.gray_png import write_gray
from photochrom.photo.video import VideoFacts, describe
from photochrom.photo.video_decoding import Decoder
from photochrom.photo.video_planes import gray_levels, small_lightness, upright

WORKING_PX, STRIDE = 192, 32  # enough to find cuts


def shots_of(facts: VideoFacts) -> Iterator[tuple[Step, int]]:
    """Yield the middle frame of each shot, and the timestamp at which its shot begins.

    At most one frame is held beside the current one, so a long shot's picture is taken from the
    frame at a power of two from its start.
    """
    width, height = facts.upright_size
    size = working_size(*limited_aspect(height, width), WORKING_PX, STRIDE)
    looks = (
        SmallFrame(frame, small_lightness(frame.luma, facts, size.height, size.width))
        for frame in Decoder(facts)
    )
    chosen: Step | None = None
    began = count = 0
    for step in linked(looks):
        if step.is_first:
            if chosen is not None:
                yield chosen, began
            chosen, began, count = step, step.frame.pts, 0
        count += 1
        if count & (count - 1) == 0 and not step.is_passing:
            chosen = step
    if chosen is not None:
        yield chosen, began


def frame_at(facts: VideoFacts, seconds: float) -> np.ndarray:
    """Return the gray levels of the upright frame at a time.

    Parameters
    ----------
    facts : VideoFacts
    seconds : float
        From the film's beginning; the first frame from there on counts.

    Returns
    -------
    uint8 or uint16 array, (h, w)

    Raises
    ------
    InvalidValueError
        If the film has ended by then.
    """
    frame = next(iter(Decoder(facts, facts.timestamp_at(seconds))), None)
    if frame is None:
        raise InvalidValueError(f"The film has no frame at {seconds:g} s or later.")
    return upright(gray_levels(frame.luma, facts), facts.rotation)


def write_frames(film: str | Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write a gray PNG of each shot.

    Parameters
    ----------
    film : str or Path
    folder : Path
        Made if it is missing.

    Yields
    ------
    (time, path)
        The picture's time, as `--hints` takes it.

    Raises
    ------
    PhotoError
        If the film cannot be read, or a picture not be written.
    """
    film = Path(film)
    facts = describe(film)
    make_folder(folder)
    for number, (step, _) in enumerate(shots_of(facts), start=1):
        at = spoken(facts.seconds_at(step.frame.pts))
        path = folder / f"{film.stem}-{number:04d}-{at.replace(':', 'm', 1)}s.png"
        write_gray(upright(gray_levels(step.frame.luma, facts), facts.rotation), path)
        yield at, path


def spoken(seconds: float) -> str:
    """Return a time as `--hints` takes it: '1:23.45'."""
    minutes = int(seconds // 60)
    return f"{minutes}:{seconds - 60 * minutes:05.2f}"
