from syncjobs.compat.seed_002_commands import IdentFieldsCommand as Command

__all__ = ["Command"]
