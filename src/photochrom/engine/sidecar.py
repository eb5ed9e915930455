"""The sidecar: method, look and guidance for one photograph, as a JSON file beside it.

`photo-color.json` names method, weights, look and guidance. Colouring the same photograph from it
gives the same pixels on the same machine and versions, and the same within a level elsewhere.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, Self, Unpack

from photochrom._version import __version__
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.picture_types import FileOptions
from photochrom.engine.reference import Reference
from photochrom.errors import InvalidValueError, UnreadablePhotoError, UnwritablePhotoError
from photochrom.options.hint import HINT_SCHEMA, MOST_HINTS, Hint
from photochrom.options.look import Look
from photochrom.options.palette import MOST_COLOURS, Palette
from photochrom.options.ranges import (
    CANDIDATE,
    SATURATION,
    SEED,
    VIVIDNESS,
    WHITE_LIGHTNESS,
    WORKING_PX,
)
from photochrom.photo.addresses import beside, cleaned, folder_of, is_address, name_of
from photochrom.photo.given_files import read_given
from photochrom.photo.photo import Photo

MOST_BYTES = 64_000_000  # of a sidecar: the maximum of hints and points is far smaller
NUMBER_OR_NULL = {"type": ["number", "null"]}

SCHEMA: dict[str, object] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "photochrom sidecar",
    "type": "object",
    "required": ["photochrom", "method", "look", "wishes", "size"],
    "additionalProperties": False,
    "properties": {
        "photochrom": {"type": "string", "description": "The version that wrote it."},
        "method": {"type": "string"},
        "weights_sha256": {"type": "string"},
        "size": {
            "type": "array",
            "items": {"type": "integer"},
            "minItems": 2,
            "maxItems": 2,
            "description": "Width and height of the upright photo, which hints are measured in.",
        },
        "float_range": {
            "type": ["array", "null"],
            "items": {"type": "number"},
            "minItems": 2,
            "maxItems": 2,
            "description": "Black and white of a photo in floating point.",
        },
        "look": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "vividness": VIVIDNESS.schema | NUMBER_OR_NULL,
                "saturation": SATURATION.schema,
                "short_side_px": WORKING_PX.schema | {"type": ["integer", "null"]},
                "restore": {"type": "boolean"},
                "white_lightness": {
                    **(WHITE_LIGHTNESS.schema | NUMBER_OR_NULL),
                    "description": "L* that pure white is lowered to; it stays without.",
                },
            },
        },
        "wishes": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "hints": {"type": "array", "maxItems": MOST_HINTS, "items": HINT_SCHEMA},
                "reference": {
                    "type": ["object", "null"],
                    "required": ["file", "sha256"],
                    "properties": {"file": {"type": "string"}, "sha256": {"type": "string"}},
                },
                "palette": {
                    "type": ["array", "null"],
                    "maxItems": MOST_COLOURS,
                    "items": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
                },
                "candidate": CANDIDATE.schema,
                "seed": SEED.schema,
            },
        },
    },
}
# Errors that an untrusted table may cause.
STRANGE: tuple[type[Exception], ...] = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(OverflowError, RecursionError),
)


@dataclass(frozen=True)
class Sidecar:
    """The decisions for a photograph.

    Attributes
    ----------
    method, weights_sha256 : str
    look : Look
    guidance : Guidance
        In pixels of a photograph of `size`.
    size : (width, height)
        Of the upright photograph.
    float_range : (black, white), optional
        For a floating-point photograph.
    """

    method: str
    weights_sha256: str
    look: Look
    guidance: Guidance
    size: tuple[int, int]
    float_range: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        colorizer: Colorizer,
        guidance: Guidance,
        size: tuple[int, int],
        float_range: tuple[float, float] | None = None,
    ) -> Self:
        """Return the sidecar of a colorizer's result."""
        info = colorizer.info
        return cls(colorizer.name, info.weights_sha256, colorizer.look, guidance, size, float_range)

    def to_json(self) -> str:
        """Return the file's text, which follows `SCHEMA`."""
        table = {
            "photochrom": __version__,
            "method": self.method,
            "weights_sha256": self.weights_sha256,
            "size": list(self.size),
            "float_range": self.float_range and list(self.float_range),
            "look": self.look.to_table(),
            "wishes": self.guidance.to_table(),
        }
        return json.dumps(table, indent=2) + "\n"

    def colorizer(self, device: str = "cpu", threads: int = 0) -> Colorizer:
        """Return the colorizer.

        Raises
        ------
        UnknownMethodError, WeightsError
            If the method is not available.
        """
        return Colorizer(self.method, **asdict(self.look), device=device, threads=threads)

    def note(self, colorizer: Colorizer) -> str | None:
        """Return a note if the method's weights have changed."""
        now = colorizer.info.weights_sha256
        if self.weights_sha256 in {"", now}:
            return None
        return (
            f"The recipe was made with other weights of '{self.method}' "
            f"({self.weights_sha256[:16]}..., now {now[:16]}...): colours may differ."
        )

    def fit(
        self, source: str | Path | bytes | BinaryIO, **options: Unpack[FileOptions]
    ) -> Guidance:
        """Fit the guidance to a photograph, which is opened if there are hints.

        Parameters
        ----------
        source, options :
            See `Colorizer.colorize_file`.

        Raises
        ------
        PhotoError
            If it cannot be opened.
        InvalidValueError
            If its aspect ratio differs from that of the hints' photograph.
        """
        if not self.guidance.hints:
            return self.guidance
        opening: Any = {name: value for name, value in options.items() if name != "keep_time"}
        return self.guidance_for(Photo.open(source, **opening).upright_size)

    def guidance_for(self, size: tuple[int, int]) -> Guidance:
        """Fit the guidance to a copy of the photograph of another size.

        Raises
        ------
        InvalidValueError
            If there are hints and the copy has another aspect ratio.
        """
        across, down = size[0] / self.size[0], size[1] / self.size[1]
        if self.guidance.hints and abs(across / down - 1) > 0.01:
            raise InvalidValueError(
                f"The hints were made on {self.size[0]} x {self.size[1]} pixels; "
                f"this photograph has {size[0]} x {size[1]}, another aspect ratio."
            )
        return self.guidance if across == 1 else self.guidance.scaled(across)


def check_place(path: Path) -> None:
    """Raise if a sidecar would replace another program's file.

    Raises
    ------
    UnwritablePhotoError
    """
    try:
        is_free = not (path.exists() or path.is_symlink())
    except OSError:  # writing it gives the error
        is_free = True
    is_ours = is_free or is_sidecar(path)
    if not is_ours:
        raise UnwritablePhotoError(
            f"{path}: exists and is not a sidecar of photochrom. Move it, or leave out the "
            "sidecar (--sidecar)."
        )


def is_sidecar(path: Path) -> bool:
    """Return whether there is a complete sidecar of photochrom."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return False
        table = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # RecursionError: deeply nested
        return False
    return isinstance(table, dict) and "photochrom" in table


def read_sidecar(source: Path | str) -> Sidecar:
    """Read a sidecar.

    Parameters
    ----------
    source : Path or str
        A path or an address.
        The reference is searched at its recorded path, then beside the sidecar.

    Raises
    ------
    InvalidValueError
        If it cannot be read, is not a sidecar, or its reference is missing or has changed.
    """
    # Imported late: most runs have no addresses.
    from photochrom.photo.storage import local_copy

    name = cleaned(str(source))
    with local_copy(source, MOST_BYTES) as path:
        try:
            table = json.loads(read_given(path, MOST_BYTES))
            return sidecar_of(table, folder_of(str(source)))
        except STRANGE as error:
            raise InvalidValueError(f"{name}: not a sidecar of photochrom ({error}).") from error


def sidecar_of(table: dict[str, Any], folder: str) -> Sidecar:
    """Return a sidecar from its table; see `read_sidecar`."""
    guidance, look = dict(table["wishes"]), dict(table["look"])
    unknown = look.keys() - {f.name for f in fields(Look)}
    if unknown:
        raise InvalidValueError(f"its look has unknown entries: {', '.join(sorted(unknown))}")
    colour_source = guidance.get("reference")
    palette = guidance.get("palette")
    width, height = (int(side) for side in table["size"])
    if min(width, height) < 1:
        raise InvalidValueError(f"its size must be at least 1 x 1; got {width} x {height}")
    black_white = table.get("float_range")
    return Sidecar(
        str(table["method"]),
        str(table.get("weights_sha256", "")),
        Look(**look),
        Guidance(
            tuple(Hint.from_table(hint) for hint in guidance.get("hints", ())),
            _reference(colour_source, folder) if colour_source else None,
            Palette.of(palette) if palette else None,
            int(guidance.get("candidate", 0)),
            int(guidance.get("seed", 0)),
        ),
        (width, height),
        (float(black_white[0]), float(black_white[1])) if black_white else None,
    )


def _reference(colour_source: dict[str, str], folder: str) -> Reference:
    """Open the recorded reference: at its recorded place, or beside the sidecar."""
    named = str(colour_source["file"])
    for place in (named, beside(f"{folder}/", name_of(named))):
        if is_address(place):
            with suppress(UnreadablePhotoError):
                return _unchanged(Reference.of(place), place, colour_source)
        elif Path(place).is_file():
            return _unchanged(Reference.of(place), place, colour_source)
    raise InvalidValueError(f"its reference {named} is missing")


def _unchanged(reference: Reference, place: str, colour_source: dict[str, str]) -> Reference:
    if reference.sha256 != colour_source["sha256"]:
        raise InvalidValueError(f"the reference {place} has changed")
    return reference
