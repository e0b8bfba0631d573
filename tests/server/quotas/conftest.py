"""Counters of a machine, and of a real Redis."""

import pytest

from server.quotas.counters import Counters
from server.quotas.machine import MachineCounters
from server.quotas.redis import redis_counters
from tests.redis_server import redis_server


@pytest.fixture(params=["machine", pytest.param("redis", marks=pytest.mark.programs("redis-server"))])
def make_counters(request, tmp_path):
    """Makes counters as each worker makes its own, which count together."""
    if request.param == "machine":

        def make():
            machine = MachineCounters(lambda: tmp_path / "limits.sqlite")
            return Counters(machine, machine, machine)

        yield make
        return
    with redis_server(tmp_path) as (url, _):
        yield lambda: redis_counters(url, 30.0)
