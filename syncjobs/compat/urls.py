"""Every seed's pages outside /api/, and `API` for what lies below it."""

from syncjobs.compat import seed_001, signing_in

urlpatterns = [*signing_in.PAGES]
API = seed_001.API
