"""Optional parts: how each is installed, said in one place, and asked for in one way."""

from importlib import util

from photochrom.errors import MissingExtraError

# No index has photochrom yet: an extra is installed from the folder of its source.
INSTALL = "pip install '.[{extra}]'"
# What a package is called where it is installed, if otherwise than where it is imported.
PACKAGES = {
    "PIL": "Pillow",
    "cv2": "opencv-python-headless",
    "prometheus_client": "prometheus-client",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}


def how_to_install(extra: str) -> str:
    """Return the sentence that says what to run for an extra, such as 'train'."""
    return f"Run: {INSTALL.format(extra=extra)} (in the folder of photochrom's source)"


def require(extra: str, what: str, *modules: str) -> None:
    """Refuse to go on without what an extra brings.

    Parameters
    ----------
    extra : str
        That brings it, such as 'train'.
    what : str
        What needs it: the beginning of the message, such as 'Training'.
    *modules : str
        What is imported, such as 'torch'.

    Raises
    ------
    MissingExtraError
        If any of them is not installed; it names each, and what to run.
    """
    missing = [PACKAGES.get(name, name) for name in modules if util.find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingExtraError(
            f"{what} needs {' and '.join(missing)}, which {verb} not installed. "
            f"{how_to_install(extra)}"
        )
