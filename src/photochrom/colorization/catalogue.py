"""The catalogue of methods by name; the path of an .onnx file is a method too."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from photochrom.colorization.method import Method
from photochrom.errors import UnknownMethodError

WEIGHTS = Path(__file__).parent.parent / "weights"
PHOTOCHROM_SHA256 = "beb7abb6b73b148dcb0a8387adbb400a596ff4a90ee0f90fc5db3aaef9d4c071"


def _photochrom(device: str, threads: int) -> Method:
    from photochrom.colorization.network import NetworkMethod

    return NetworkMethod(WEIGHTS / "photochrom.onnx", PHOTOCHROM_SHA256, device, threads)


def _classic(method: str) -> Callable[[str, int], Method]:
    """Return a factory for a method without weights, which imports its module when called."""

    def make(device: str, threads: int) -> Method:
        made: Method = getattr(import_module(f"photochrom.colorization.{method}"), method.title())()
        return made

    return make


# name -> factory of (device, threads)
CATALOGUE: dict[str, Callable[[str, int], Method]] = {
    "gray": _classic("gray"),
    "levin": _classic("levin"),
    "photochrom": _photochrom,
    "rbf": _classic("rbf"),
    "transfer": _classic("transfer"),
    "welsh": _classic("welsh"),
}


_BEGUN: dict[tuple[str, str, int], Future[Method]] = {}


def begin_loading(name: str | Path, device: str = "cpu", threads: int = 0) -> None:
    """Load a method in a thread; the next `load_method` with the same arguments uses it.

    A network loads without the GIL, so the command imports the rest in the meantime.
    """
    words = str(name), device, threads
    if words not in _BEGUN:
        thread = ThreadPoolExecutor(1)
        _BEGUN[words] = thread.submit(_load, name, device, threads)
        thread.shutdown(wait=False)


def load_method(name: str | Path, device: str = "cpu", threads: int = 0) -> Method:
    """Load a method.

    Parameters
    ----------
    name : str or Path
        A name of the catalogue, or a path to an exported network (.onnx).
    device : str
        For networks: 'cpu', 'cuda', 'coreml' or 'directml'.
    threads : int
        For networks: threads per run; 0 leaves it to ONNX Runtime.

    Raises
    ------
    UnknownMethodError
        If there is no such method.
    WeightsError
        If the network's file cannot be used.
    """
    begun = _BEGUN.pop((str(name), device, threads), None)
    return _load(name, device, threads) if begun is None else begun.result()


def _load(name: str | Path, device: str, threads: int) -> Method:
    if Path(name).suffix == ".onnx":
        from photochrom.colorization.network import NetworkMethod

        return NetworkMethod(Path(name), None, device, threads)
    if str(name) not in CATALOGUE:
        close = get_close_matches(str(name), CATALOGUE, 1)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        raise UnknownMethodError(
            f"Unknown method '{name}'.{meant} "
            f"All: {', '.join(sorted(CATALOGUE))}, or a path to an .onnx file."
        )
    return CATALOGUE[str(name)](device, threads)
