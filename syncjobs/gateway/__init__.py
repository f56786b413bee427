"""A remote account's records as they are there, for whoever asks through the hub: under its limits, in its words."""
