"""A stage needs two files: `STAGES`, and the pipeline that reports its time. All else follows from those."""

import json
import subprocess
import sys

WITH_ANOTHER_STAGE = """
import json, sys
from inference import types
types.STAGES = {**types.STAGES, "punctuation": "Text to sentences."}
from prometheus_client import REGISTRY
from server import telemetry
from server.schemas import TranscriptionReply

stages = tuple(types.StageTime(stage, 0.0, 0.25) for stage in types.STAGES)
transcript = types.Transcript((types.Segment("नमस्ते", 0, 1),), "hi", "m", 1.0, 1.0, False, stages)
telemetry.count(transcript)
log = {}
telemetry.note(log, transcript)
json.dump({
    "reply": TranscriptionReply.of(transcript, "id").model_dump()["processing"],
    "schema": TranscriptionReply.model_json_schema()["$defs"]["Processing"]["properties"]["punctuation"],
    "log": log,
    "metric": REGISTRY.get_sample_value("asr_stage_seconds_sum", {"stage": "punctuation"}),
}, sys.stdout)
"""


def test_replies_logs_and_metrics_follow_the_list_of_stages():
    done = subprocess.run([sys.executable, "-c", WITH_ANOTHER_STAGE], capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)
    assert shown["reply"]["punctuation"] == 0.25
    assert shown["schema"]["description"] == "Text to sentences."
    assert shown["log"]["punctuation_seconds"] == 0.25
    assert shown["metric"] == 0.25
