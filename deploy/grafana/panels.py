"""What the dashboard shows, in the order of reading: figures for the first ten seconds, then lines that say why.

Colours of figures change where an alert of deploy/prometheus/alerts.yml would be near.
"""

from dataclasses import dataclass, field
from string import Template

JOB = "asr"
"""What deploy/prometheus/prometheus.yml calls the server."""
GOOD, WARNING, BAD = "#56a64b", "#ff9830", "#e02f44"
COLORS = {"served": GOOD, "ready": GOOD, "refused": WARNING, "down": BAD, "failed": BAD}
"""Of lines that have the same meaning wherever they are seen."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A figure, or lines over time."""

    title: str
    unit: str
    """As Grafana names it."""
    queries: dict[str, str]
    """PromQL by legend; `{{label}}` stands for a label's value, an empty legend for the panel's title."""
    about: str
    warning: float | None = None
    """Value from which a figure is orange; None where no value is bad."""
    bad: float | None = None
    """Value from which a figure is red."""
    reading: str = "value"
    """Of a figure: `value`, or `name` where the legend is what is to be read."""
    stacked: bool = field(default=False, kw_only=True)
    """Whether lines add up to something."""
    traced: bool = field(default=False, kw_only=True)
    """Whether lines are of a histogram with exemplars, which lead to traces."""

    def expressions(self, instance: str = "$instance", interval: str = "$__rate_interval") -> dict[str, str]:
        """PromQL by legend, `instance` a regular expression; what is given unless told otherwise Grafana fills in."""
        here = f'job="{JOB}",instance=~"{instance}"'
        audio = f'{here},route=~"/transcribe|/v1/audio/.+"'
        known = {"here": here, "audio": audio, "interval": interval}
        return {legend or self.title: Template(query).substitute(known) for legend, query in self.queries.items()}


def _quantile(quantile: float, buckets: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[$interval])))"


_SERVED = 'asr_http_request_seconds_bucket{$audio,outcome="served"}'

FIGURES = (
    Panel(
        "Alerts",
        "none",
        {"": f'count(ALERTS{{job="{JOB}",alertstate="firing"}}) or vector(0)'},
        "Alerts that fire. docs/runbook.md says of each what to look at and what to do.",
        1,
        2,
    ),
    Panel(
        "Served",
        "reqps",
        {"": 'sum(rate(asr_http_request_seconds_count{$audio,outcome="served"}[$interval]))'},
        "Requests answered with a transcript, a second.",
    ),
    Panel(
        "Refused, failed",
        "percentunit",
        {
            "": '(sum(rate(asr_rejected_requests_total{$here,reason=~"overloaded|bytes|storage"}[$interval])) + ('
            'sum(rate(asr_http_requests_total{$audio,status=~"50[0-5]"}[$interval])) or vector(0))) / '
            "sum(rate(asr_http_requests_total{$audio}[$interval]))"
        },
        "Share of requests without an answer for want of room or by the server's fault; limits of callers left out.",
        0.01,
        0.05,
    ),
    Panel("p95", "s", {"": _quantile(0.95, _SERVED)}, "Of served requests, from head to last byte.", 5, 15),
    Panel(
        "Wait now",
        "s",
        {"": "max(asr_current_wait_seconds{$here})"},
        "What a request would wait that came now, behind all others. Above ASR_MAX_QUEUE_SECONDS it is refused.",
        2,
        8,
    ),
    Panel(
        "Lanes down",
        "none",
        {"": 'sum(asr_lanes{$here,state="down"})'},
        "A lane that died is back within seconds.",
        1,
        2,
    ),
    Panel(
        "Memory",
        "percentunit",
        {"": "max(sum by (instance) (asr_memory_bytes{$here}) / on (instance) asr_memory_limit_bytes{$here})"},
        "What processes hold for themselves, of what the server may use; the fullest server's.",
        0.7,
        0.85,
    ),
    Panel(
        "Precision",
        "none",
        {"{{precision}}": "max by (precision) (asr_precision{$here})"},
        "In which lanes compute. Two at a time: a lane fell back, or replicas differ.",
        reading="name",
    ),
)

LINES = (
    Panel(
        "Requests by outcome",
        "reqps",
        {"{{outcome}}": "sum by (outcome) (rate(asr_http_request_seconds_count{$audio}[$interval]))"},
        "refused: no room, or a limit of the caller. rejected: the caller's fault. failed: the server's. gone: left.",
        stacked=True,
    ),
    Panel(
        "Time of served requests",
        "s",
        {"p50": _quantile(0.5, _SERVED), "p95": _quantile(0.95, _SERVED)},
        "From the head of a request to the last byte of its answer. Dots are requests that were traced (docs/logs.md).",
        traced=True,
    ),
    Panel(
        "Wait for a lane",
        "s",
        {
            "now, predicted": "max(asr_current_wait_seconds{$here})",
            "p95 predicted on admission": _quantile(0.95, "asr_predicted_wait_seconds_bucket{$here}"),
            "p95 real": _quantile(0.95, 'asr_stage_seconds_bucket{$here,stage="queue"}'),
        },
        "Where real and predicted part, the measured speed is wrong: is another load on this machine?",
    ),
    Panel(
        "Refused before any work, by reason",
        "reqps",
        {
            "{{reason}}": "sum by (reason) (rate(asr_rejected_requests_total{$here}[$interval])) > 0",
            "limits of callers": "sum(rate(asr_limited_requests_total{$here}[$interval]))",
        },
        "overloaded: too few lanes. bytes, storage: no room for bodies. The others: see docs/metrics.md.",
        stacked=True,
    ),
    Panel(
        "Lanes",
        "none",
        {
            "ready": 'sum(asr_lanes{$here,state="ready"})',
            "down": 'sum(asr_lanes{$here,state="down"})',
            "at work": "sum(rate(asr_compute_seconds_total{$here}[$interval]))",
        },
        "At work: lane seconds a second. Near the number of lanes, requests begin to wait.",
    ),
    Panel(
        "Time of a clip, by stage",
        "s",
        {
            "{{stage}}": 'sum by (stage) (rate(asr_stage_seconds_sum{$here,stage!="queue"}[$interval]))'
            ' / scalar(sum(rate(asr_stage_seconds_count{$here,stage="features"}[$interval])))'
        },
        "Mean over clips and windows; waiting is another panel's.",
        stacked=True,
    ),
    Panel(
        "Real-time factor, canary",
        "none",
        {
            "{{model}}": "max by (model) (asr_real_time_factor{$here})",
            "{{model}}, canary": "max by (model) (asr_canary_seconds{$here}) / 2",
        },
        "Lane seconds for a second of audio, the slowest worker's; and for a second of the canary, which a lane hears"
        " when it starts. They rise where processors are shared or throttled.",
    ),
    Panel(
        "Memory",
        "decbytes",
        {"{{process}}": "sum by (process) (asr_memory_bytes{$here})"},
        "What processes hold for themselves. The weights, which all lanes map, come once beside it.",
    ),
    Panel(
        "Lanes started again, warnings",
        "none",
        {
            "{{cause}}": "sum by (cause) (increase(asr_lane_restarts_total{$here}[15m])) > 0",
            "warnings": "sum(asr_warnings{$here})",
        },
        "In the last 15 minutes, by cause. Warnings are sentences in /readyz.",
    ),
)
