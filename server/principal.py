"""Who calls, and what share of the machine is theirs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller, made once for each request before any of its body is read."""

    id: str
    """What shares and limits are kept by."""
    name: str
    """What logs call it."""
    weight: float = 1.0
    """Its share of the machine, relative to others'."""
    scopes: frozenset[str] = field(default_factory=frozenset)
    """What it may do."""
