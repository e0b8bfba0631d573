"""Grafana's JSON of the panels, by Grafana's own library."""

import json
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)

from deploy.grafana.panels import BAD, COLORS, FIGURES, GOOD, JOB, LINES, WARNING, Panel

FILE = Path(__file__).parent / "asr.json"

_SOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
_ACROSS = 24  # Grafana's grid
_FIGURE_HEIGHT, _LINES_HEIGHT, _LINES_WIDTH = 4, 8, 8


def as_json() -> str:
    """Return the dashboard as it is imported or provisioned, a line for each panel."""
    page = json.loads(json.dumps(_dashboard().build(), cls=JSONEncoder))
    panels = ",\n".join(json.dumps(panel, separators=(",", ":")) for panel in page.pop("panels"))
    return f'{json.dumps(page, separators=(",", ":"))[:-1]},"panels":[\n{panels}\n]}}\n'


def _dashboard() -> dashboard.Dashboard:
    page = (
        dashboard.Dashboard("Hindi speech recognition")
        .uid("asr")
        .tags([JOB])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("10s")
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("instance")
            .datasource(_SOURCE)
            .query(f'label_values(asr_lanes{{job="{JOB}"}}, instance)')
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)  # noqa: FBT003 - the library's own way
            .include_all(True)  # noqa: FBT003
            .all_value(".+")
            .current(VariableOption(selected=True, text="All", value="$__all"))
        )
    )
    for number, figure in enumerate(FIGURES, 1):
        page.with_panel(_figure(figure).id(number))
    for number, lines in enumerate(LINES, 1 + len(FIGURES)):
        page.with_panel(_lines(lines).id(number))
    return page


def _figure(panel: Panel) -> stat.Panel:
    steps = [Threshold(value=None, color=GOOD)]
    steps += [Threshold(value, color) for value, color in ((panel.warning, WARNING), (panel.bad, BAD)) if value]
    made = (
        stat.Panel()
        .title(panel.title)
        .description(panel.about)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .height(_FIGURE_HEIGHT)
        .span(_ACROSS // len(FIGURES))
        .graph_mode(BigValueGraphMode.AREA if panel.reading == "value" else BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND if panel.warning else BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE if panel.reading == "value" else BigValueTextMode.NAME)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    )
    for target in _targets(panel):
        made.with_target(target)
    return made


def _lines(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.about)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .min(0)
        .height(_LINES_HEIGHT)
        .span(_LINES_WIDTH)
        .fill_opacity(30 if panel.stacked else 0)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if panel.stacked else StackingMode.NONE))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)  # noqa: FBT003
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
    )
    for target in _targets(panel):
        made.with_target(target)
    if panel.stacked or not COLORS.keys().isdisjoint(panel.queries):
        for name, color in COLORS.items():
            made.override_by_name(name, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})])
    return made


def _targets(panel: Panel) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery()
        .expr(expression)
        .legend_format(legend)
        .ref_id(chr(ord("A") + index))
        .exemplar(panel.traced)
        for index, (legend, expression) in enumerate(panel.expressions().items())
    ]
