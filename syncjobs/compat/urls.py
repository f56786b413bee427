"""Every seed's pages outside /api/, and `API` for what lies below it."""

from syncjobs.compat import seed_001

urlpatterns = seed_001.PAGES
API = seed_001.API
