"""HTML pages from Jinja templates; all values are escaped."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photochrom.extras import require


def render(template: Path, **values: object) -> str:
    """Fill in a template, which may extend or import others of its folder.

    Raise MissingExtraError if Jinja2 is not installed.
    """
    require("evaluate", "A page of HTML", "jinja2")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template.name).render(values)


def data_url(kind: str, content: bytes) -> str:
    """Return a file's content as a data URL, so that a page is self-contained."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def jpeg_url(rgb: NDArray[np.uint8]) -> str:
    """Return a picture as a data URL; see `data_url`."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=88, subsampling=0)
    return data_url("image/jpeg", file.getvalue())
