"""Locust users and scenarios. They speak HTTP alone: clips and expected texts come from a folder."""
