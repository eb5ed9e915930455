"""What decides on each node of a cluster whether it can take part in a run.

A node may have another photochrom than the command's machine, or none. Therefore this module is
sent to the nodes as it is here, and imports only what every Python and every Ray has.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.actor import ActorHandle


def refusal(version: str, places: tuple[str, ...]) -> str:
    """Return why this node cannot take part, or ''.

    Parameters
    ----------
    version : str
        Of photochrom on the command's machine.
    places : tuple of str
        Local folders that the node must see.
    """
    try:
        from photochrom._version import __version__ as here
    except ImportError:
        return (
            f"photochrom {version} with the extra 'cluster' is not installed there. Install the "
            "same on all nodes."
        )
    if here != version:
        return f"has photochrom {here}, this machine {version}. Install the same on all nodes."
    if missing := [place for place in places if not Path(place).exists()]:
        return (
            f"does not see {' and '.join(missing)}. Folders must be reached under the same path "
            "on all nodes; or name an address, such as s3://."
        )
    return ""


class Notes:
    """Keeps why nodes refused; an actor beside the command."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def add(self, node: str, said: str) -> None:
        """Note that a node refused."""
        self._said.setdefault(node, said)

    def all(self) -> dict[str, str]:
        """Return what each node said, by Ray's id."""
        return self._said


class Gate:
    """A `Colourer`, if its node can take part; an actor of Ray Data.

    Parameters
    ----------
    version, places :
        See `refusal`.
    work : bytes
        See `photochrom.engine.cluster_worker.Colourer`.
    notes : handle of an actor
        Is told why, if not; then this actor ends, and another comes on another node.
    """

    def __init__(
        self, version: str, places: tuple[str, ...], work: bytes, notes: "ActorHandle[Notes]"
    ) -> None:
        try:
            if said := refusal(version, places):
                raise RuntimeError(said)
            from photochrom.engine.cluster_worker import Colourer

            self._colourer = Colourer(work)
        except Exception as error:
            import ray

            if type(error).__name__ != "WorkerDiedError":  # a death says nothing about the node
                node = ray.get_runtime_context().get_node_id()
                ray.get(notes.add.remote(node, str(error) or type(error).__name__))
            raise

    def __call__(self, table: "pa.Table") -> "pa.Table":
        """See `photochrom.engine.cluster_worker.Colourer`."""
        return self._colourer(table)
