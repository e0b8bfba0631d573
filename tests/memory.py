"""How much memory a process takes while a test looks, whatever it had before."""

from pathlib import Path

from inference.process import give_memory_back

CAN_BE_TOLD = Path("/proc/self/clear_refs").exists()


class Taken:
    """What a process takes from here on: this one, unless another's id is given."""

    def __init__(self, pid="self"):
        self._status, forget = (Path(f"/proc/{pid}/{name}") for name in ("status", "clear_refs"))
        if pid == "self":
            give_memory_back()  # or what comes could lie where something has been
        if CAN_BE_TOLD:
            forget.write_text("5")  # the most there was is what there is, from now on
        self._before = self._most()

    @property
    def mebibytes(self):
        """The most that was resident at a time; 0 where the system does not say."""
        return self._most() - self._before

    def _most(self):
        if not CAN_BE_TOLD:
            return 0.0
        lines = self._status.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
