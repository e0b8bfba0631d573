"""The shapes of replies, as OpenAPI shows them."""

from pydantic import BaseModel, Field


class Processing(BaseModel):
    """Seconds spent in each stage."""

    queue: float = Field(description="Wait for a lane.")
    decode: float = Field(description="Container to 16 kHz mono, resampling included.")
    features: float = Field(description="Waveform to log-mel.")
    inference: float = Field(description="ONNX Runtime.")
    decoding: float = Field(description="CTC and vocabulary.")
    total: float = Field(description="From the last byte of the request to the text.")


class TranscriptionReply(BaseModel):
    """What `POST /transcribe` answers."""

    text: str
    language: str
    model: str
    duration: float = Field(description="Seconds of audio received.")
    clipped: bool = Field(description="Whether only the beginning was transcribed.")
    processing: Processing
    request_id: str


class Problem(BaseModel):
    """Every failure, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


class Health(BaseModel):
    """State of a worker."""

    status: str
