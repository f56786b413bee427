from syncjobs.compat.seed_002_inspect import InspectCommand as Command

__all__ = ["Command"]
