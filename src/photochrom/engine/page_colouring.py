"""Colour the pages of an opened photo with one method.

Photo -> L (small) -> method -> ab (small) -> guided to full size -> joined, page by page.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from photochrom._version import __version__
from photochrom.colorization.catalogue import load_method
from photochrom.colorization.method import Hints, MethodInfo, Request
from photochrom.engine.conditioning import condition
from photochrom.engine.guidance import Guidance
from photochrom.engine.guided import apply_field
from photochrom.engine.highlights import toned_down_photo
from photochrom.engine.prediction import Colouring, predict_colours
from photochrom.engine.reference import References
from photochrom.engine.restore import opencv, restored_photo
from photochrom.engine.result import Findings
from photochrom.engine.tiling import WorkingSize, working_size
from photochrom.errors import ShapeError
from photochrom.options.look import Look
from photochrom.photo.descreen import descreened
from photochrom.photo.join import Tally, join
from photochrom.photo.metadata.xmp import Marker
from photochrom.photo.photo import Photo
from photochrom.photo.resize import resize
from photochrom.photo.write import ColourPage

PLAIN = Guidance()


class PageColorizer:
    """One method and one look, applied to photos that are already open.

    Parameters are those of `photochrom.engine.colorize.Colorizer`.
    """

    def __init__(
        self,
        method: str | Path = "photochrom",
        *,
        vividness: float | None = None,
        saturation: float = 1.0,
        short_side_px: int | None = None,
        restore: bool = False,
        white_lightness: float | None = None,
        device: str = "cpu",
        threads: int = 0,
    ) -> None:
        self._place = device, threads
        self.name = str(method)
        self.look = Look(vividness, saturation, short_side_px, restore, white_lightness)
        if restore:
            opencv()  # a missing extra is reported before any work
        self.method = load_method(method, device, threads)

    def __reduce__(self) -> "tuple[partial[Self], tuple[()]]":
        """Pickle the arguments: the receiving process opens the network itself."""
        device, threads = self._place
        look = asdict(self.look)
        return partial(type(self), self.name, **look, device=device, threads=threads), ()

    @property
    def info(self) -> MethodInfo:
        """The description of the method."""
        return self.method.info

    def marker(self, guidance: Guidance = PLAIN, **written: object) -> Marker:
        """Return the marker of files coloured by this colorizer.

        `written` has other options, such as `quality`; None values are omitted.
        """
        recipe_of = {"method": self.info.name, **self.look.to_table()}
        recipe_of |= {name: value for name, value in written.items() if value is not None}
        if guidance != PLAIN:
            recipe_of["wishes"] = guidance.to_table()
        recipe = hashlib.sha256(json.dumps(recipe_of, sort_keys=True).encode()).hexdigest()[:16]
        return Marker(self.info.name, __version__, self.info.weights_sha256, recipe)

    def predict_ab(
        self,
        lightness: np.ndarray,
        *,
        hints: Hints | None = None,
        histogram: np.ndarray | None = None,
        chroma: float | None = None,
        vividness: float | None = None,
        saturation: float | None = None,
    ) -> np.ndarray:
        """Return the colours of a lightness, at its own size.

        Parameters
        ----------
        lightness : float array, (h, w)
            L* in [0, 100].
        hints : Hints, optional
            At the same size.
        histogram : float array, (Q,), optional
            Target share of each of the method's bins.
        chroma : float, optional
            Target mean chroma, ab units.
        vividness, saturation : float, optional
            Override the colorizer's values.

        Returns
        -------
        float32 array, (h, w, 2)
            ab, not yet bounded by the gamut.

        Raises
        ------
        ShapeError, InvalidValueError, MethodOutputError
            If an input, or what the method returns, is wrong.
        """
        if lightness.ndim != 2 or 0 in lightness.shape:
            raise ShapeError(f"lightness must have shape (h, w); got {lightness.shape}.")
        size = self.working_size(*lightness.shape)
        small = resize(lightness[..., None].astype(np.float32), size.height, size.width)[..., 0]
        request = Request(
            small,
            hints=hints and _small_hints(hints, size),
            histogram=histogram,
            chroma=chroma,
            vividness=self.look.vividness if vividness is None else vividness,
        )
        saturation = self.look.saturation if saturation is None else saturation
        colouring = predict_colours(self.method, request, size, saturation)
        ab = apply_field(colouring.field, lightness)
        if hints is None:
            return ab
        decided = hints.mask[..., None]
        return np.asarray(ab + (hints.ab - ab) * decided, np.float32)

    def colouring(self, photo: Photo, page: int = 0, guidance: Guidance = PLAIN) -> Colouring:
        """Predict the colours of one upright page of a photo.

        Parameters
        ----------
        photo : Photo
        page : int
            From 0.
        guidance : Guidance
            In pixels of that page, upright.

        Returns
        -------
        Colouring
        """
        return self._colour_small(photo, page, guidance, self.small(photo, page))

    def _colour_small(
        self, photo: Photo, page: int, guidance: Guidance, small: tuple[np.ndarray, WorkingSize]
    ) -> Colouring:
        lightness, size = small
        upright = photo.headers[page].upright_size
        conditioning = condition(self.method, lightness, upright, guidance, self.look.vividness)
        return predict_colours(
            self.method,
            conditioning.request,
            size,
            self.look.saturation,
            overlays=conditioning.overlays,
            spots=conditioning.spots,
        )

    def restored(self, photo: Photo) -> tuple[Photo, tuple[str, ...]]:
        """Return a photo as it will be coloured, restored or toned down if requested."""
        notes: tuple[str, ...] = ()
        if photo.reading.descreen:
            photo, notes = descreened(photo)
        if self.look.restore:
            photo, more = restored_photo(photo)
            notes += more
        if self.look.white_lightness is not None:
            photo, more = toned_down_photo(photo, self.look.white_lightness)
            notes += more
        return photo, notes

    def working_size(self, height: int, width: int) -> WorkingSize:
        """Return the working size for a picture size."""
        short_side = self.look.short_side_px or self.info.short_side_px
        return working_size(height, width, short_side, self.info.stride)

    def small(self, photo: Photo, page: int) -> tuple[np.ndarray, WorkingSize]:
        """Return the lightness of a page at the working size, and that size."""
        width, height = photo.headers[page].upright_size
        size = self.working_size(height, width)
        return photo.small_lightness(size.width, size.height, page), size

    def choose_reference(self, photo: Photo, guidance: Guidance) -> tuple[Guidance, list[str]]:
        """Choose the folder's reference that is most similar to a photo, with a note."""
        if not isinstance(guidance.reference, References):
            return guidance, []
        judge = self.method if self.info.centres else load_method("photochrom")
        reference = guidance.reference.choose(self.small(photo, 0)[0], judge)
        return replace(guidance, reference=reference), [f"reference: {reference.name}"]

    def pages(
        self,
        photo: Photo,
        sixteen_bit: bool,
        guidance: Guidance = PLAIN,
        findings: Findings | None = None,
    ) -> Iterator[ColourPage]:
        """Yield each page joined with its colours; None leaves a gray page as it is.

        Lazy, since a join holds memory and an open file, and a TIFF may have a thousand pages.
        """
        as_it_is = photo.is_gray and not photo.has_other_lightness
        if self.info.name == "gray" and as_it_is and not guidance.hints:
            yield from (None for _ in photo.headers)
            return
        for page, header in enumerate(photo.headers):
            page_guidance = guidance if page == 0 else replace(guidance, hints=())
            small = self.small(photo, page)
            colouring = self._colour_small(photo, page, page_guidance, small)
            stored = colouring.field.stored(header.orientation, *header.upright_size)
            stored = replace(stored, overlays=(*stored.overlays, *photo.lost_places(page)))
            tally = None
            if findings is not None and self.info.name != "gray":
                tally = Tally()
                findings.tallies.append(tally)
                if page == 0:
                    findings.confidence, findings.lightness = colouring.confidence, small[0]
            yield join(photo.tone(page), stored, sixteen_bit=sixteen_bit, tally=tally)


def _small_hints(hints: Hints, size: WorkingSize) -> Hints:
    """Resize hints to the working size: partly hinted pixels count, colours are averaged."""
    weighted = hints.ab * hints.mask[..., None]
    planes = np.concatenate((weighted, hints.mask[..., None]), axis=-1).astype(np.float32)
    small = resize(planes, size.height, size.width)
    share = small[..., 2]
    mask = share > min(0.25, 0.5 * float(share.max(initial=0)))
    ab = small[..., :2] / np.maximum(share, 1e-6)[..., None]
    return Hints(ab * mask[..., None], mask.astype(np.float32))
