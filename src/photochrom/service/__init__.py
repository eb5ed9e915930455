"""The HTTP service and the web page: sessions, access checks and worker processes."""
