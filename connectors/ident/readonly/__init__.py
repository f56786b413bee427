"""Database engines of Django that read and do nothing else: for databases that belong to somebody else."""
