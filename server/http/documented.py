"""Authentication in the OpenAPI document, so that `/docs` has its *Authorize* button."""

from typing import Any

from server.http.access import Access

_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of this server, or a token of its issuer."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, for those who say so."},
}


def with_authentication(document: dict[str, Any], access: Access, *, required: bool) -> dict[str, Any]:
    """Write into a document what each of its operations asks of its caller; without a key, where none is required."""
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        if access.is_open(path):
            continue
        roles = [str(scope)] if (scope := access.scope_of(path)) else []
        for operation in operations.values():
            operation["security"] = [{name: roles} for name in _SCHEMES] + ([] if required else [{}])
    return document
