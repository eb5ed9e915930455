"""Methods that need a reference, taken from a folder or from the truth itself.

A method such as `welsh` is measured with a folder of references. The photograph is selected as for
a user who names a folder: the flagship finds the most similar one, and sees all pictures in gray.
The truth gives nothing away. What a perfect reference is worth, on the other hand, is measured by
wishing the photograph's own histogram.
"""

from pathlib import Path
from threading import Lock

import numpy as np

from photochrom.color.arrays import Floats
from photochrom.color.lab import lightness_to_luminance, linear_to_srgb
from photochrom.colorization.catalogue import load_method
from photochrom.engine.guidance import Guidance
from photochrom.engine.guided import apply_field
from photochrom.engine.reference import SMALL_PX, Reference, References
from photochrom.errors import DataError
from photochrom.photo.find import find_photos
from photochrom.photo.photo import Photo
from photochrom.photo.resize import resize
from photochrom.workbench.evaluation.benchmark import Engine
from photochrom.workbench.evaluation.compared_rows import Predict
from photochrom.workbench.evaluation.evaluation_pictures import Sample


class ReferenceMethod:
    """A method that requires a reference, and the folder from which it is selected.

    Raise DataError if the folder holds no photograph.

    Parameters
    ----------
    folder : Path
        Colour photographs, at any depth; none of those that are evaluated.
    """

    def __init__(self, colorizer: Engine, folder: Path) -> None:
        photos = find_photos(folder, recursive=True) if folder.is_dir() else []
        if not photos:
            raise DataError(f"{folder}: contains no colour photographs to use as references.")
        self.name, self.folder, self.photos = colorizer.info.name, folder, len(photos)
        self._colorizer, self._references = colorizer, References(folder, photos)
        self._judge = load_method("photochrom")
        self._lock = Lock()  # the folder is looked through once, by whoever comes first

    def __call__(self, sample: Sample) -> Floats:
        """Colour a photograph; see `photochrom.workbench.evaluation.compared_rows.Predict`."""
        with self._lock:
            reference = self._references.choose(sample.lightness, self._judge)
        gray = linear_to_srgb(lightness_to_luminance(sample.lightness)).clip(0, 1)
        guidance = Guidance(reference=reference)
        colouring = self._colorizer.colouring(Photo.from_array(gray), 0, guidance)
        return apply_field(colouring.field, sample.lightness)

    def note(self, row: str) -> str:
        """Return a note about the references of a row."""
        return (
            f"'{row}' borrows from the {self.photos} photographs of {self.folder.name}; the one "
            "that shows the like is found by their gray alone."
        )


def with_own_histogram(colorizer: Engine, vividness: float | None = None) -> Predict:
    """Colour each photograph with its own true histogram and mean chroma: a perfect reference."""
    centres = np.array(colorizer.info.centres, np.float32)

    def predict(sample: Sample) -> Floats:
        height, width = sample.lightness.shape
        scale = min(1.0, SMALL_PX / min(height, width))
        small = resize(sample.lab, max(1, round(height * scale)), max(1, round(width * scale)))
        histogram, chroma = Reference(small).histogram(centres)
        ab: Floats = colorizer.predict_ab(
            sample.lightness, histogram=histogram, chroma=chroma, vividness=vividness
        )
        return ab

    return predict
