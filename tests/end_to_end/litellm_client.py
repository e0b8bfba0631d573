"""Runs with the Python of .venv-clients: litellm asks URL for CLIP in every way; for each a line of JSON on stdout."""

import asyncio
import json
import os
import sys
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices

import litellm
import openai

ANSWERS, sys.stdout = sys.stdout, sys.stderr  # litellm prints advice there when something fails
URL, CLIP = sys.argv[1], ("clip.wav", Path(sys.argv[2]).read_bytes())


def asked(wishes):
    """Arguments of one call."""
    return {"model": "openai/whisper-1", "file": CLIP, "api_base": URL, "api_key": "none", "max_retries": 0} | wishes


def waiting(wishes):
    reply = litellm.transcription(**asked(wishes))
    return list(reply) if wishes.get("stream") else reply


async def without_waiting(wishes):
    reply = await litellm.atranscription(**asked(wishes))
    return [event async for event in reply] if wishes.get("stream") else reply


def shown(reply):
    """What JSON can hold of a reply, or of a stream's events."""
    return [event.to_dict() for event in reply] if isinstance(reply, list) else reply.model_dump(exclude_none=True)


async def main():
    for line in sys.stdin:
        wishes = json.loads(line)
        for reply in (asyncio.to_thread(waiting, wishes), without_waiting(wishes)):
            try:
                answer = shown(await reply)
            except openai.APIStatusError as error:  # its own words before the dash are not always the same
                answer = {"error": type(error).__name__, "said": str(error).rpartition(" - ")[2]}
            print(json.dumps(answer, default=str), file=ANSWERS, flush=True)


asyncio.run(main())
