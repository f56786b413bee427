"""Every seed's pages outside /api/, and `API` for what lies below it."""

from syncjobs.compat import seed_000_debug, seed_000_sync, seed_001, seed_003, signing_in

urlpatterns = [*signing_in.PAGES, *seed_000_debug.PAGES, *seed_000_sync.PAGES]
API = [*seed_001.API, *seed_003.API]
