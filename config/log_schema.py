"""The one schema of log lines: every field that one may have, for docs/logs.md and for tests that hold lines to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LogField:
    """One field of a JSON line."""

    kind: str
    """A type of JSON: `string`, `integer`, `number`, `boolean`, `strings`."""
    meaning: str
    optional: bool = True
    """Whether there are lines without it; where it is there it may be null only if `nullable`."""
    nullable: bool = False


ANY_LINE: Mapping[str, LogField] = {
    "timestamp": LogField("string", "RFC 3339, to the microsecond, with the offset.", optional=False),
    "level": LogField("string", "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.", optional=False),
    "message": LogField("string", "What happened; what varies stands in fields where it is ours.", optional=False),
    "process": LogField("integer", "Id of the process that writes: the master's or a worker's.", optional=False),
    "request_id": LogField(
        "string", "The request's: of `X-Request-ID`, in the request where it is there and in the reply."
    ),
    "trace_id": LogField("string", "Where requests are traced: 32 hexadecimal digits."),
    "span_id": LogField("string", "The request's own span: 16 hexadecimal digits."),
    "exception": LogField("string", "A traceback; values of variables are not in it."),
}
"""What any line may say."""

REQUESTS: Mapping[str, LogField] = {
    "method": LogField("string", "Of HTTP."),
    "path": LogField("string", "Without the query."),
    "status": LogField("integer", "As sent; 499 for a client gone before its answer."),
    "seconds": LogField("number", "From the head of the request to the last byte of the answer."),
    "client": LogField("string", "Who calls: name of a key, `sub` of a token, or address.", nullable=True),
    "problem": LogField("string", "What went wrong, as the reply's `type` ends ([api.md](api.md#failures))."),
    "key": LogField("string", "Public id of a key that was not taken; `reason` says why."),
    "failed": LogField(
        "integer", "The status that was due when something failed after 200; 499 where the client had gone."
    ),
    "sample": LogField("number", "`ASR_ACCESS_LOG_SAMPLE`, below 1: this line stands for 1 ÷ sample of them."),
    "model": LogField("string", "Name of the package; also of `lane ready`."),
    "duration": LogField("number", "Seconds of audio received."),
    "heard": LogField("number", "Seconds of it that were transcribed; of a stream that ended early, those it told."),
    "clipped": LogField("boolean", "Whether only the beginning was."),
    "segments": LogField("integer", "Of the answer."),
    "characters": LogField("integer", "Of the text; the text itself is in no line."),
    "…_seconds": LogField(
        "number", "Time in a stage: `queue_seconds`, `decode_seconds` and so on (`processing` in the reply)."
    ),
}
"""What the line `request` says, of which each request has one."""

OTHERS: Mapping[str, LogField] = {
    "peer": LogField("string", "Address of a connection that was turned away, or cut off.", nullable=True),
    "pid": LogField("integer", "Id of a lane or a decoder, which write no lines themselves.", nullable=True),
    "cause": LogField("string", "Why a lane restarts, as in `asr_lane_restarts`."),
    "exit_code": LogField("integer", "How it ended; -9 for SIGKILL.", nullable=True),
    "retry_seconds": LogField("number", "Until a lane is started again."),
    "canary_seconds": LogField("number", "What a new lane took for its canary clip."),
    "prepared_graph": LogField("boolean", "Whether it uses the graph made for this machine."),
    "precision": LogField("string", "In which it computes."),
    "error": LogField("string", "What was raised."),
    "reason": LogField("string", "Why something is as it is, in words."),
    "file": LogField("string", "A path."),
    "worker": LogField("integer", "Process id of a worker."),
    "key_ids": LogField("strings", "Ids of an issuer's keys."),
}
"""What single lines say."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "strings": (list,),
}
_STAGE = "_seconds"


def faults(line: Mapping[str, Any]) -> list[str]:
    """Say in sentences what of a line is not as the schema has it."""
    known = {**ANY_LINE, **REQUESTS, **OTHERS}
    found = [f"{name} is missing" for name, field in known.items() if not field.optional and name not in line]
    for name, value in line.items():
        field = known.get(name) or (known["…_seconds"] if name.endswith(_STAGE) else None)
        if field is None:
            found.append(f"{name} is not in the schema")
        elif value is None:
            found += [] if field.nullable else [f"{name} is null"]
        elif not isinstance(value, _TYPES[field.kind]) or (isinstance(value, bool) and field.kind != "boolean"):
            found.append(f"{name} is no {field.kind}: {value!r}")
    return found
