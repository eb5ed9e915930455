"""Slots shared by clients: the client with the most gives one up before another is refused."""

from collections import Counter
from collections.abc import Callable


class SharedSlot:
    """A slot in use; `leave` releases it and may be called more than once."""

    def __init__(
        self, places: "SharedSlots", client: str, give_up: Callable[[], None] | None
    ) -> None:
        self.client, self.give_up = client, give_up
        self._places = places

    def leave(self) -> None:
        """Release the slot."""
        self._places.forget(self)


class SharedSlots:
    """A number of slots for all clients together. Used only from the event loop.

    When all are taken, a client that has at least two fewer than the one with the most gets the
    newest slot of that one. So a single client can use all slots without excluding others.

    Parameters
    ----------
    count : int
    each : int, optional
        Maximum for one client; `count` if not given.
    """

    def __init__(self, count: int, each: int | None = None) -> None:
        self._count = count
        self._each = count if each is None else each
        self._taken: dict[SharedSlot, None] = {}  # in the order in which they were taken

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, client: str, give_up: Callable[[], None] | None = None) -> SharedSlot | None:
        """Take a slot, if there is one.

        Parameters
        ----------
        client : str
        give_up : callable, optional
            Called when the slot is given to another client; without it, the slot is never given.

        Returns
        -------
        SharedSlot or None
            None if the client has its share.
        """
        held = Counter(place.client for place in self._taken)
        if held[client] >= self._each:
            return None
        if len(self._taken) >= self._count and not self._make_room(held, client):
            return None
        place = SharedSlot(self, client, give_up)
        self._taken[place] = None
        return place

    def forget(self, place: SharedSlot) -> None:
        """Mark a slot as free again."""
        self._taken.pop(place, None)

    def _make_room(self, held: Counter[str], client: str) -> bool:
        for most, count in held.most_common():
            if count <= held[client] + 1:
                return False
            for place in reversed(self._taken):
                if place.client == most and place.give_up is not None:
                    place.leave()
                    place.give_up()
                    return True
        return False
