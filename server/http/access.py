"""What each path asks of its caller: nothing, to be known, or a scope too."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.principal import Scope


@dataclass(frozen=True, slots=True)
class Access:
    """The one table of who may go where; a path that it does not have asks the caller to be known."""

    open: frozenset[str]
    """Paths for everybody, whole."""
    scopes: Mapping[str, Scope]
    """Beginnings of paths, and the scope that each asks for: a router may take more for its own than the very path."""

    def is_open(self, path: str) -> bool:
        """Whether the caller need not be known."""
        return path in self.open

    def scope_of(self, path: str) -> Scope | None:
        """Return the scope that a known caller needs; None where each may go."""
        return next((scope for beginning, scope in self.scopes.items() if path.startswith(beginning)), None)


DOCS = ("/docs", "/openapi.json")
MANAGEMENT = ("/metrics", *DOCS)
"""Beginnings of what is for operators, and can be shut away."""


def access_to(metrics: str, docs: str) -> Access:
    """Return the table where `/metrics` and the documents are `open` to everybody, or ask for a `scope`."""
    shut = {"/metrics": Scope.METRICS} if metrics == "scope" else {}
    shut |= dict.fromkeys(DOCS, Scope.ADMIN) if docs == "scope" else {}
    return Access(
        open=frozenset({"/healthz", "/readyz", *MANAGEMENT} - shut.keys()),
        scopes={"/transcribe": Scope.TRANSCRIBE, "/v1/audio/": Scope.TRANSCRIBE, **shut},
    )


ACCESS = access_to(metrics="scope", docs="open")
