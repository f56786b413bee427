from syncjobs.compat.seed_002_commands import SyncIdentCommand as Command

__all__ = ["Command"]
