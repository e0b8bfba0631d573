"""The dashboard: `python -m deploy.grafana` writes asr.json from the table in `panels.py`, and draws it."""
