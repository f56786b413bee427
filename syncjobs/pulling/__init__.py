"""Pull: what remote systems hold, into the hub."""
