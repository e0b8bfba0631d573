"""`GET /v1/models`: what can be asked for."""

from fastapi import APIRouter, Request

from inference.audio.containers import CONTAINERS
from inference.package import MANIFEST
from server.schemas import AudioContainer, Model, Models
from server.transcription import Transcription

router = APIRouter(tags=["models"])


@router.get("/v1/models")
async def models(request: Request) -> Models:
    """List the packages that are served."""
    transcription: Transcription = request.state.transcription
    return Models(
        data=[
            Model(
                id=package.name,
                created=int((package.directory / MANIFEST).stat().st_mtime),
                owned_by=package.source,
                language=package.language,
                default=package.name == transcription.default,
            )
            for package in transcription.packages.values()
        ],
        containers=[
            AudioContainer(name=each.name, codecs=each.codecs, known_by=each.known_by, decoder=each.decoder)
            for each in CONTAINERS
        ],
    )
