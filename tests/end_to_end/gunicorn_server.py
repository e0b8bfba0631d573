"""Where tests found the server before it went to `loadtest.harness`; the names that they import from here."""

from loadtest.harness import server
from loadtest.harness.processes import PATIENCE, in_background, paused, wait_until
from loadtest.harness.server import GENEROUS

__all__ = ["PATIENCE", "GunicornServer", "in_background", "paused", "wait_until"]


class GunicornServer(server.GunicornServer):
    """With limits that a busy machine does not reach."""

    def __init__(self, model, directory, settings):
        super().__init__(model, directory, GENEROUS | settings)
