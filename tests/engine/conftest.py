"""Bins for the tests of what reads a distribution."""

import pytest

from photochrom.color.bins import zhang_bins


@pytest.fixture(scope="session")
def centres():
    return zhang_bins()
