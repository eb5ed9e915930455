"""All methods by name; a path to an .onnx file is a method too."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from photochrom.errors import UnknownMethodError
from photochrom.methods.gray import Gray
from photochrom.methods.method import Method

WEIGHTS = Path(__file__).parent.parent / "weights"
PHOTOCHROM_SHA256 = "9414b40253994feb21384c483c81f3d015ede2f3680df2693ad50594075aa37a"


def _photochrom(device: str, threads: int) -> Method:
    from photochrom.methods.network import NetworkMethod

    return NetworkMethod(WEIGHTS / "photochrom.onnx", PHOTOCHROM_SHA256, device, threads)


# name -> how it is made from (device, threads)
CATALOGUE: dict[str, Callable[[str, int], Method]] = {
    "gray": lambda device, threads: Gray(),
    "photochrom": _photochrom,
}


def load_method(name: str | Path, device: str = "cpu", threads: int = 0) -> Method:
    """Make a method ready.

    Parameters
    ----------
    name : str or Path
        A name of the catalogue, or a path to an exported network (.onnx).
    device : str
        For networks: 'cpu', 'cuda', 'coreml' or 'directml'.
    threads : int
        For networks: threads of one run; 0 leaves it to ONNX Runtime.

    Returns
    -------
    Method

    Raises
    ------
    UnknownMethodError
        If there is no such method.
    WeightsError
        If the network's file cannot be used.
    """
    if Path(name).suffix == ".onnx":
        from photochrom.methods.network import NetworkMethod

        return NetworkMethod(Path(name), None, device, threads)
    if str(name) not in CATALOGUE:
        close = get_close_matches(str(name), CATALOGUE, 1)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        raise UnknownMethodError(
            f"Unknown method '{name}'.{meant} "
            f"All: {', '.join(sorted(CATALOGUE))}, or a path to an .onnx file."
        )
    return CATALOGUE[str(name)](device, threads)
