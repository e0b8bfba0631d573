"""A real Prometheus, with the project's own configuration and rules; it looks more often than one in use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from loadtest.harness import REPOSITORY
from loadtest.harness.processes import PATIENCE, Program, wait_until

_CONFIGURATION = REPOSITORY / "deploy" / "prometheus" / "prometheus.yml"
_OFTEN = "1s"
_PAUSE = "4s"  # between two looks, and how long one may take: one that fails takes all series away


class Prometheus(Program):
    """One run of `prometheus`, an apt package; `with` waits until it answers, and ends it."""

    def __init__(self, targets: Sequence[tuple[str, int]], directory: Path, *, patient: bool = True) -> None:
        """Look at servers by host and port; without being `patient`, alerts fire at once, whatever their `for`."""
        configuration = yaml.safe_load(_CONFIGURATION.read_text(encoding="utf-8"))
        configuration["global"] = {"scrape_interval": _PAUSE, "scrape_timeout": _PAUSE, "evaluation_interval": _OFTEN}
        (job,) = configuration["scrape_configs"]
        job["static_configs"] = [{"targets": [f"{host}:{port}" for host, port in targets]}]
        for name in configuration["rule_files"]:
            (directory / name).write_text(_rules(name, patient=patient), encoding="utf-8")
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        arguments = [f"--config.file={file}", f"--storage.tsdb.path={directory / 'tsdb'}"]
        super().__init__(
            ["prometheus", *arguments, "--web.listen-address=127.0.0.1:{port}"], {}, directory / "prometheus.log"
        )

    def wait_ready(self) -> None:
        """Return when it answers; raise AssertionError where it does not."""
        wait_until(lambda: self.ask("vector(1)"), "Prometheus answers", pause=0.1)

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and values that an expression has now; nothing where Prometheus does not answer yet."""
        return [(each["metric"], float(each["value"][1])) for each in self._result("query", query=expression)]

    def ask_range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Return labels, and times with values, that an expression had between two times of the epoch, in seconds."""
        found = self._result("query_range", query=expression, start=start, end=end, step=step)
        return [(each["metric"], [(at, float(value)) for at, value in each["values"]]) for each in found]

    def _result(self, route: str, **asked: Any) -> list[Any]:
        try:
            reply = httpx.get(f"{self.url}/api/v1/{route}", params=asked, timeout=PATIENCE)
        except httpx.TransportError:
            return []
        if reply.status_code == 400:
            raise ValueError(f"{asked['query']}: {reply.json()['error']}")
        return list(reply.json()["data"]["result"]) if reply.status_code == 200 else []


def _rules(name: str, *, patient: bool) -> str:
    text = (_CONFIGURATION.parent / name).read_text(encoding="utf-8")
    if patient:
        return text
    found = yaml.safe_load(text)
    for group in found["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return str(yaml.safe_dump(found))
