"""Dashboards, rules and manifests are what they say they are."""
