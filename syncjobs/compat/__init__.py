"""The paths that seeds pinned with a system in them: thin views and commands, one module per seed."""
