"""`python -m deploy.grafana` writes asr.json; `--picture FILE` draws the panels of a server under load instead."""

import argparse
import sys
from pathlib import Path

from deploy.grafana.dashboard import FILE, as_json
from loadtest.harness.subject import add_subject, chosen_subject


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="of a server and a Prometheus that are started")
    add_subject(parser)
    options = parser.parse_args()
    if options.picture:
        from deploy.grafana.picture import draw  # late: it takes matplotlib

        draw(chosen_subject(options), options.picture)
    else:
        FILE.write_text(as_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
