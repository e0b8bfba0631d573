"""`GET /docs`: Swagger UI, which a browser loads from a CDN, bit by bit the one that is named here."""

import base64
import hashlib

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_CDN = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.35.0"
_STYLE = (f"{_CDN}/swagger-ui.css", "sha384-WlYgdmXYOOBWL5apwjDEZwN+U3HmXSSu5R6V5aGxEcf7z+KuRNwBhoxKVN1i3D5I")
_BUNDLE = (f"{_CDN}/swagger-ui-bundle.js", "sha384-gjRm0bEPMeTmMh5jT2cHccIwCUZSTd8YC+j0d0sXw0MdGEfScduGpSyF3ZSSLkX9")
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true, persistAuthorization: false})'
_START_HASH = base64.b64encode(hashlib.sha256(_START.encode()).digest()).decode()
_PAGE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hindi speech recognition</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{_STYLE[0]}" integrity="{_STYLE[1]}" crossorigin="anonymous">
</head>
<body>
<div id="page"></div>
<script src="{_BUNDLE[0]}" integrity="{_BUNDLE[1]}" crossorigin="anonymous"></script>
<script>{_START}</script>
</body>
</html>
"""
_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {_BUNDLE[0]} 'sha256-{_START_HASH}'",
        f"style-src {_STYLE[0]} 'unsafe-inline'",  # Swagger UI writes styles
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs() -> HTMLResponse:
    """Show the OpenAPI document, with forms to try."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})
