"""`GET /v1/models`: what can be asked for."""

from fastapi import APIRouter, HTTPException, Request

from inference.audio.containers import CONTAINERS
from inference.package import Package
from server.errors import UnknownModel
from server.routes.failures import failures
from server.schemas import AudioContainer, Model, Models
from server.transcription import Transcription

router = APIRouter(tags=["models"])


@router.get("/v1/models", responses=failures("/v1/models"))
async def models(request: Request) -> Models:
    """List the packages that are served."""
    transcription: Transcription = request.state.transcription
    return Models(
        data=[_model(package, transcription) for package in transcription.packages.values()],
        containers=[
            AudioContainer(name=each.name, codecs=each.codecs, known_by=each.known_by, decoder=each.decoder)
            for each in CONTAINERS
        ],
    )


# Its parameter is described by hand, since FastAPI would describe a failure of it too.
_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}


@router.get(
    "/v1/models/{name}",
    responses=failures("/v1/models/", _404="There is no such model"),
    openapi_extra={"parameters": [_NAME]},
)
async def model(request: Request) -> Model:
    """Describe the package of this name, or of an alias (`ASR_MODEL_ALIASES`)."""
    transcription: Transcription = request.state.transcription
    try:
        return _model(transcription.package(request.path_params["name"]), transcription)
    except UnknownModel as error:
        raise HTTPException(404, error.detail) from None


def _model(package: Package, transcription: Transcription) -> Model:
    return Model(
        id=package.name,
        created=transcription.written[package.name],
        owned_by=package.source,
        language=package.language,
        default=package.name == transcription.default,
        calibrated=sorted(package.confidence),
    )
