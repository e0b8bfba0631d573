"""Servers on paper: arrivals, lengths, lanes, fair queues, balancers and autoscaling, in simulated time.

    Work ── arrivals ──▶ Balancer ──▶ Replica: Limits, FairQueue and Speed of the real server, simulated lanes
                            ▲                    │
                            └── Autoscaler       └──▶ Outcomes

`machine.py` says what a replica is made of, as `python -m loadtest capacity` measured it; `check.py` compares with a
real server.
"""
