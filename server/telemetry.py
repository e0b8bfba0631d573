"""What is recorded of a transcript: counts, log fields and spans, all from its stage times."""

from inference.types import Transcript
from server import metrics, tracing


def count(transcript: Transcript) -> None:
    """Count a clip; audio that was left out is not."""
    for time in transcript.stages:
        metrics.STAGE_SECONDS.labels(time.stage).observe(time.seconds)
    metrics.AUDIO_DURATION_SECONDS.observe(transcript.duration)
    metrics.AUDIO_SECONDS.inc(transcript.heard)
    metrics.COMPUTE_SECONDS.inc(transcript.lane_seconds)
    tracing.record_clip(transcript)


def count_window(transcript: Transcript, seconds: float) -> None:
    """Count a window of a recording, which tells so many seconds of it; how long it waited says nothing of others."""
    for time in transcript.stages:
        if time.stage != "queue":
            metrics.STAGE_SECONDS.labels(time.stage).observe(time.seconds)
    metrics.AUDIO_SECONDS.inc(seconds)
    metrics.COMPUTE_SECONDS.inc(transcript.lane_seconds)


def count_recording(transcript: Transcript) -> None:
    """Count a recording, whose windows are counted already."""
    for stage in ("queue", "decode"):
        metrics.STAGE_SECONDS.labels(stage).observe(transcript.seconds(stage))
    metrics.AUDIO_DURATION_SECONDS.observe(transcript.duration)


def note(log_fields: dict[str, object], transcript: Transcript) -> None:
    """Say in a request's log line, and in its span, what it was about; never the text."""
    about: dict[str, float] = {
        "duration": round(transcript.duration, 3),
        "heard": round(transcript.heard, 3),
        "clipped": transcript.clipped,
        "segments": len(transcript.segments),
        "characters": len(transcript.text),
    }
    tracing.describe(about)
    log_fields.update(about, **{f"{time.stage}_seconds": round(time.seconds, 4) for time in transcript.stages})


def note_model(log_fields: dict[str, object], name: str) -> None:
    """Say which package a request is for, whatever becomes of it."""
    tracing.describe({"model": name})
    log_fields["model"] = name


def note_broken_off(log_fields: dict[str, object], heard: float) -> None:
    """Say of an answer that ended early what is known: its text of so many seconds was given away."""
    about: dict[str, float] = {"heard": round(heard, 3)}
    tracing.describe(about)
    log_fields.update(about)
