"""Pictures on disk; the only package that imports pyvips."""

import pyvips

# libvips caches by file name; the file may have changed since.
pyvips.cache_set_max(0)
