import inspect
import subprocess
import sys

import numpy as np

import photochrom
from photochrom.colorization.catalogue import CATALOGUE


def test_the_public_face_is_what_it_is():
    expected = ["ColouredVideo", "Colorizer", "Comparison", "Hint", "Look", "Palette"]
    expected += ["PhotochromError", "Reading", "Reference", "Result", "Suggestion", "VideoOptions"]
    expected += ["colorize", "colorize_video", "errors", "methods", "read_cues"]
    assert sorted(photochrom.__all__) == sorted(expected)
    assert all(getattr(photochrom, name) is not None for name in expected)


def test_methods_are_described_by_name_by_a_plain_function():
    photochrom.colorize(np.zeros((8, 8), np.uint8), "gray")  # whatever was imported before
    assert inspect.isfunction(photochrom.methods)
    assert set(photochrom.methods()) == set(CATALOGUE)


def test_every_error_is_drawn_in_the_tree_and_is_also_a_built_in():
    kinds = [e for e in vars(photochrom.errors).values() if isinstance(e, type)]
    for kind in kinds:
        assert f"{kind.__name__} (" in photochrom.errors.__doc__ or kind.__name__ in (
            photochrom.errors.__doc__
        )
        assert issubclass(kind, photochrom.PhotochromError)
        if kind is not photochrom.PhotochromError:
            assert any(b.__module__ == "builtins" and b is not Exception for b in kind.__mro__[:-3])


def test_importing_photochrom_loads_nothing_heavy():
    heavy = "numpy", "pyvips", "onnxruntime", "torch", "rich", "cyclopts"
    code = f"import sys, photochrom; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]", loaded.stderr
