"""Times as replies show them, to the millisecond."""

from inference.types import Segment


def shown_times(segment: Segment, duration: float) -> tuple[float, float]:
    """Return start and end in seconds; rounding carries neither behind the end of the audio."""
    return min(round(segment.start, 3), duration), min(round(segment.end, 3), duration)
