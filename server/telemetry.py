"""What is recorded of a transcript: counts and log fields, all from its stage times."""

from inference.types import Transcript
from server import metrics


def count(transcript: Transcript) -> None:
    """Count what was transcribed; audio that was left out is not."""
    for time in transcript.stages:
        metrics.STAGE_SECONDS.labels(time.stage).observe(time.seconds)
    metrics.AUDIO_DURATION_SECONDS.observe(transcript.duration)
    metrics.AUDIO_SECONDS.inc(transcript.heard)
    metrics.COMPUTE_SECONDS.inc(transcript.lane_seconds)


def log_fields(transcript: Transcript) -> dict[str, object]:
    """What a request's log line says of its transcription; never the text."""
    return {
        "model": transcript.model,
        "duration": round(transcript.duration, 3),
        "clipped": transcript.clipped,
        "characters": len(transcript.text),
        **{f"{time.stage}_seconds": round(time.seconds, 4) for time in transcript.stages},
    }
