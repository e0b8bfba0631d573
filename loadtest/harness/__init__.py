"""What every measurement and every end-to-end test stands on: one client, one server starter, one judge of outcomes.

It knows the server by HTTP and as a process only.
"""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CLIP_SECONDS = 5.0
"""Of most clips that are sent: what people say in one go."""
