"""What runs the server elsewhere: rules, dashboards and manifests, and the programs that make them."""
