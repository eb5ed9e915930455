"""The browser that the page of a study is opened in."""

from tests.service.browsing import browser  # noqa: F401
