"""Code for remote systems: one folder each, on the shared base in connectors.core."""
