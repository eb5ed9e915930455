"""Places that clients share: who has the most gives one up before anyone else is refused."""

from collections import Counter
from collections.abc import Callable


class SharedSlot:
    """One place that is taken; `leave` gives it back, once or more often."""

    def __init__(
        self, places: "SharedSlots", client: str, give_up: Callable[[], None] | None
    ) -> None:
        self.client, self.give_up = client, give_up
        self._places = places

    def leave(self) -> None:
        """Give the place back."""
        self._places.forget(self)


class SharedSlots:
    """So many places for all clients together. Used from the event loop alone.

    When all are taken, a client that has at least two fewer than the one with the most gets the
    newest place of that one: alone, a client may have them all, and yet it keeps out nobody.

    Parameters
    ----------
    count : int
    each : int, optional
        One client may have so many; as many as there are without it.
    """

    def __init__(self, count: int, each: int | None = None) -> None:
        self._count = count
        self._each = count if each is None else each
        self._taken: dict[SharedSlot, None] = {}  # in the order of their taking

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, client: str, give_up: Callable[[], None] | None = None) -> SharedSlot | None:
        """Take a place, if there is one.

        Parameters
        ----------
        client : str
        give_up : callable, optional
            Called when the place goes to another client; without it, it never does.

        Returns
        -------
        Place, or None
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
        """Take note that a place is free again."""
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
