"""The HTTP service and the page: sessions, a guard, a worker process, nothing of colour itself."""
