"""What every measurement and every end-to-end test stands on: one client, one server starter, one judge of outcomes.

It knows the server by HTTP and as a process only.
"""
