"""Open files: the soft limit follows the connections that are allowed, as far as the hard one goes."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from server.http.descriptors import allow_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
allow_connections(100)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("hard", "soft", "warns"), [(1000, 456, False), (200, 200, True)])
def test_the_soft_limit(hard, soft, warns):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(hard)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == soft
    assert ("ulimit -n" in done.stderr) == warns
