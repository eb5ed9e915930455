"""Optional dependencies: how to install them, and the check that they are installed."""

from importlib import util

from photochrom.errors import MissingExtraError

# photochrom is on no package index yet: extras are installed from the source folder.
INSTALL = "pip install '.[{extra}]'"
# Import name -> distribution name, where the two differ.
PACKAGES = {
    "PIL": "Pillow",
    "cv2": "opencv-python-headless",
    "grpc": "grpcio",
    "prometheus_client": "prometheus-client",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}


def how_to_install(extra: str) -> str:
    """Return the sentence that tells how to install an extra, such as 'train'."""
    return f"Run: {INSTALL.format(extra=extra)} (in the folder of photochrom's source)"


def require(extra: str, what: str, *modules: str) -> None:
    """Raise MissingExtraError unless all modules of an extra are installed.

    Parameters
    ----------
    extra : str
        Name of the extra, such as 'train'.
    what : str
        What needs the modules, such as 'Training'; the message begins with it.
    *modules : str
        Modules to import, such as 'torch'.

    Raises
    ------
    MissingExtraError
        If any module is not installed. The message names each one and the command to run.
    """
    missing = [PACKAGES.get(name, name) for name in modules if util.find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingExtraError(
            f"{what} needs {' and '.join(missing)}, which {verb} not installed. "
            f"{how_to_install(extra)}"
        )
