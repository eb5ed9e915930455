import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from PIL import Image
from skimage import data
from tests.service.browsing import browser  # noqa: F401

from photochrom.colorization.method import MethodInfo

settings.register_profile("no-clock", deadline=None)  # laws must not fail on a busy machine
settings.load_profile("no-clock")


class Tint:
    """A small method: warm where dark, cold where light; it paints hints where they lie."""

    def __init__(self, accepts=("hints", "vividness"), short_side_px=None):
        self.info = MethodInfo("tint", "none", "none", accepts=accepts)
        self.short_side_px = short_side_px

    def predict_ab(self, lightness, *, hints=None, vividness=None):
        ab = np.zeros((*lightness.shape, 2), np.float32)
        strength = 20 if vividness is None else 40 * vividness
        ab[..., 1] = strength * (1 - lightness / 50)
        return ab if hints is None else np.where(hints.mask[..., None] > 0, hints.ab, ab)


def open_tint(name, short_side_px=None):
    return Tint(short_side_px=short_side_px)


@pytest.fixture(scope="session")
def photographs():
    """Name -> uint8 array (h, w, 3), from scikit-image's own samples."""
    whole = {"astronaut": data.astronaut(), "chelsea": data.chelsea(), "coffee": data.coffee()}
    return {name: np.ascontiguousarray(rgb[40:232:6, 80:320:6]) for name, rgb in whole.items()}


@pytest.fixture(scope="session")
def samples(photographs):
    from photochrom.workbench.evaluation.evaluation_pictures import make_sample

    return [make_sample(rgb, key=key) for key, rgb in photographs.items()]


@pytest.fixture(scope="session")
def folder(photographs, tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    for name, rgb in photographs.items():
        place = root / ("animals" if name == "chelsea" else "others")
        place.mkdir(exist_ok=True)
        Image.fromarray(rgb).save(place / f"{name}.png")
    return root


@pytest.fixture(scope="session")
def parquet(photographs, tmp_path_factory):
    rows = []
    for name, rgb in photographs.items():
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "PNG")
        source = "animals" if name == "chelsea" else "others"
        rows.append({"image": file.getvalue(), "key": name, "source": source})
    path = tmp_path_factory.mktemp("parquet") / "three.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture(scope="session")
def open_as():
    return open_tint


@pytest.fixture(scope="session")
def evaluation(parquet):
    from photochrom.workbench.evaluation.benchmark import Benchmark

    return Benchmark(
        parquet,
        ["tint"],
        vividnesses=(0, 0.5, 1),
        saturations=(0, 1, 2),
        hint_counts=(0, 5, 40),
        resamples=200,
        open_as=open_tint,
    ).run()


@pytest.fixture
def entries(evaluation):
    """The records of a run and of the references, on both evaluation sets."""
    from photochrom.workbench.evaluation import records
    from photochrom.workbench.evaluation.results import Evaluation

    small = Evaluation(evaluation.records, "cifar-test.parquet", resamples=20)
    tint = records.Entry("tinted", "a tint | two", 5_600_000, 42.4, 163_200, "photos", "a note")
    shown = [*records.with_scores(tint, evaluation), *records.with_scores(tint, small)]
    joined = {entry.name: entry for entry in shown[:4]}
    return [records.merge(joined[entry.name], entry) for entry in shown[4:]]
