"""What the engine in Python gives, stored for the engine in the browser.

`scripts/make-vectors` writes the folder `vectors`; `test_vectors.py` checks that Python still gives
it, and `test_local_page.py` that the browser does, so that neither can drift unseen.
"""

import io
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from photochrom.color.difference import ciede2000
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.options.hint import Hint
from photochrom.options.palette import MOODS, Palette

FOLDER = Path(__file__).with_name("vectors")
ANSWERS = "answers.json"
# The look and the guidance of a case, as the page writes them.
PLAIN: dict[str, Any] = {
    "method": "photochrom",
    "vividness": None,
    "saturation": 1,
    "white_lightness": None,
    "hints": [],
    "palette": None,
    "mood": None,
    "reference": False,
    "candidate": 0,
    "seed": 0,
}


class Case(NamedTuple):
    """One colouring: of a picture in `pictures`, with wishes that differ from PLAIN."""

    name: str
    picture: str
    wishes: Mapping[str, Any] = MappingProxyType({})
    long_side_px: int | None = None

    @property
    def result(self) -> Path:
        """The stored result."""
        return FOLDER / f"{self.name}.png"


def scene(height: int, width: int) -> np.ndarray:
    """Return a gray picture of a sky, a sun, a house and a field with furrows; uint8."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    gray = 200 - 80 * y + 10 * np.sin(40 * x) * np.sin(31 * y)
    gray[(x - 0.3) ** 2 + (y - 0.3) ** 2 < 0.02] = 90
    gray[(abs(x - 0.7) < 0.12) & (abs(y - 0.4) < 0.2)] = 150
    gray[y > 0.6] = 70 + 60 * ((x * 9) % 1)[y > 0.6]
    return np.asarray(gray.clip(0, 255), np.uint8)


def toned(gray: np.ndarray) -> np.ndarray:
    """Return a sepia print of a gray picture."""
    share = gray[..., None] / 255
    return np.asarray((255 * share ** (0.85, 1.0, 1.2) * (1, 0.93, 0.8)).round(), np.uint8)


@cache
def pictures() -> dict[str, np.ndarray]:
    """Return the pictures by the names of their files."""
    colours = np.array([[170, 60, 50], [60, 110, 160], [210, 180, 90], [70, 120, 60]], np.uint8)
    tiles = np.arange(12).reshape(3, 4) * 7 % 4  # of four colours
    reference = colours[tiles].repeat(30, axis=0).repeat(30, axis=1)
    return {
        "small.png": scene(90, 120),  # enlarged for the network
        "upright.png": toned(scene(160, 112)),
        "strip.png": scene(60, 228),  # seen in tiles
        "large.png": scene(690, 920),  # reduced for the network
        "reference.png": reference,
    }


HINTS = {
    "near": Hint.point(56, 71, "#2c5fa8", 4),
    "thing": Hint.stroke([(25, 30), (45, 38)], "#a04030", 5, reach="thing"),
    "everywhere": Hint.point(84, 50, "#806020", 3, reach="whole"),
    "everywhere-too": Hint.point(10, 12, "#3070b0", 3, reach="whole"),
    "distance": Hint.point(100, 80, "#406a2c", 4, reach=0.3),
    "region": Hint.region([(8, 76), (40, 74), (44, 86), (9, 88)], "#5a9040"),
    "keep": Hint.stroke([(80, 8), (112, 12)], None, 6, keep=True),
    "gray": Hint.point(84, 40, None, 5, reach="thing"),
}


def hints(*names: str, scale: float = 1) -> dict[str, Any]:
    """Return the wish for hints."""
    return {"hints": [HINTS[name].scaled(scale).to_table() for name in names]}


CASES = (
    Case("plain", "small.png"),
    Case("near", "small.png", hints("near")),
    Case("thing", "small.png", hints("thing", "gray")),
    Case("distance", "small.png", hints("distance")),
    Case("everywhere", "small.png", hints("everywhere", "everywhere-too")),
    Case("all-hints", "small.png", hints(*HINTS)),
    Case("candidate", "small.png", {"candidate": 1}),
    Case("bold", "small.png", {"vividness": 0.9, "saturation": 0.7}),
    Case("palette", "small.png", {"palette": ["#204060", "#c0a060"], **hints("near")}),
    Case("mood", "small.png", {"mood": "autumn"}),
    Case("reference", "small.png", {"reference": True}),
    Case("white", "small.png", {"white_lightness": 92}),
    Case("toned", "upright.png", hints("near", "keep", "everywhere")),
    Case("strip", "strip.png", hints("thing", "everywhere")),
    Case("large", "large.png", hints("region", "keep", "everywhere", scale=920 / 120), 160),
)
SUGGESTED = {"x": 56, "y": 71, "radius": 4}
OUTLINED = {"x": 84, "y": 50}


@cache
def _colorizer(vividness: float | None, saturation: float, white: float | None) -> Colorizer:
    return Colorizer(vividness=vividness, saturation=saturation, white_lightness=white)


def file_of(name: str) -> bytes:
    """Return a picture as a PNG."""
    written = io.BytesIO()
    Image.fromarray(pictures()[name]).save(written, "PNG", optimize=True)
    return written.getvalue()


def coloured(case: Case) -> np.ndarray:
    """Return what the engine gives, uint8 (H, W, 3)."""
    wishes = {**PLAIN, **case.wishes}
    colours = wishes["palette"] or MOODS.get(wishes["mood"])
    guidance = Guidance.of(
        hints=wishes["hints"],
        reference=pictures()["reference.png"] if wishes["reference"] else None,
        palette=Palette.of(colours) if colours else None,
        candidate=wishes["candidate"],
    )
    look = (wishes["vividness"], wishes["saturation"], wishes["white_lightness"])
    done = _colorizer(*look).colorize_file(
        file_of(case.picture), format="png", guidance=guidance, long_side_px=case.long_side_px
    )
    return decoded(done.content)


def decoded(content: bytes) -> np.ndarray:
    """Decode a picture, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def answers() -> dict[str, Any]:
    """Return suggestions and an outline for the small picture."""
    colorizer, small = _colorizer(None, 1, None), pictures()["small.png"]
    found = colorizer.suggest(small, *SUGGESTED.values())
    outline = colorizer.outline(small, **OUTLINED)
    return {
        "suggestions": [
            {"colour": "#{:02x}{:02x}{:02x}".format(*s.rgb), "share": round(s.share, 4)}
            for s in found
        ],
        "outline": [[round(x, 3), round(y, 3)] for x, y in outline],
    }


def stored_answers() -> dict[str, Any]:
    """Return the stored suggestions and outline."""
    found: dict[str, Any] = json.loads((FOLDER / ANSWERS).read_text(encoding="utf-8"))
    return found


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean CIEDE2000 between two pictures, uint8 (H, W, 3)."""
    assert one.shape == other.shape
    return float(ciede2000(rgb_to_lab(one / 255), rgb_to_lab(other / 255)).mean())


def files() -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the folder's files."""
    for case in CASES:
        written = io.BytesIO()
        Image.fromarray(coloured(case)).save(written, "PNG", optimize=True)
        yield case.result.name, written.getvalue()
    yield ANSWERS, (json.dumps(answers(), indent=1) + "\n").encode()
