"""What stands between a connection and a route: identity, limits, admission, bodies, answers to failures."""
