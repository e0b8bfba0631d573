"""A real Redis of a test's own, where it is installed."""

from contextlib import contextmanager

from loadtest.harness.processes import Program, wait_until


@contextmanager
def redis_server(directory):
    """Its URL, and the process."""
    command = ["redis-server", "--bind", "127.0.0.1", "--port", "{port}", "--save", "", "--dir", str(directory)]
    program = Program(command, {}, directory / "redis.log")
    try:
        wait_until(lambda: "Ready to accept connections" in program.log.read_text(), "Redis listens")
        yield f"redis://127.0.0.1:{program.port}/0", program.process
    finally:
        program.process.kill()  # Redis writes its title over the mark by which its processes are found
        program.kill_all()
