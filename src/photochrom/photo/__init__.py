"""Pictures on disk: the only room that imports pyvips."""

import pyvips

# libvips remembers what it read by the file's name; the file may have changed since.
pyvips.cache_set_max(0)
