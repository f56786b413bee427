"""Environment variables → typed Django settings. Every secret may also be given as NAME_FILE."""

from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from crmsync import __version__, local_secrets, logs
from crmsync.environment import BASE_DIR, env

INSECURE_SECRET_KEY = "insecure-development-key-change-me"  # noqa: S105 - named so that the system checks find it

ENVIRONMENT = env  # how other apps read the variables that belong to them
VERSION = __version__

DEBUG = env.bool("DEBUG", default=False)
_local = local_secrets.load()
SECRET_KEY = env.secret("SECRET_KEY") or _local.get("SECRET_KEY") or INSECURE_SECRET_KEY
CREDENTIAL_KEYS: list[str] = env.secret_list("CREDENTIAL_KEYS") or [
    key for key in [_local.get("CREDENTIAL_KEYS", "")] if key
]
SITE_URL = env.url("SITE_URL")
# This machine's own names are always good: health checks of containers use them.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", default=[]), "localhost", "127.0.0.1", "[::1]"]
if SITE_URL:
    ALLOWED_HOSTS.append(str(urlsplit(SITE_URL).hostname))

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "csp",
    "crmsync",
    "contacts",
    "connectors",
    "syncjobs",
]

MIDDLEWARE = [
    "crmsync.middleware.RequestId",
    "crmsync.middleware.PermissionsPolicy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "crmsync.middleware.ContentSecurityPolicy",
    "crmsync.middleware.RequestGuard",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "crmsync.audit.actors.AuditedRequest",
    "crmsync.middleware.LoginBrake",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "crmsync.urls"
WSGI_APPLICATION = "crmsync.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.database()}
if env.text("MIRROR_DATABASE_URL"):
    # Where the mirrored tables go instead of schemas of the hub's own database.
    DATABASES["mirror"] = env.database("MIRROR_DATABASE_URL")
# A connector that reads a foreign database at run time brings the router that keeps our models away from it.
DATABASE_ROUTERS = [f"connectors.{path.parent.name}.router.Router" for path in BASE_DIR.glob("connectors/*/router.py")]

# Shared by all processes: the login brake counts in it.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "crmsync_cache"},
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ru", _("Russian"))]
# A connector brings the translations of its own words in its folder.
LOCALE_PATHS = [BASE_DIR / "locale", *sorted(BASE_DIR.glob("connectors/*/locale"))]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        # whitenoise serves compressed copies where it finds them; only the container image takes the time to make them.
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    },
}

# --- People and programs that log in
LOGIN_REDIRECT_URL = "/admin/"
LOGIN_URL = "/admin/login/"
AUTHENTICATION_BACKENDS = ["crmsync.authentication.EmailOrUsernameBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
JWT_SECRET = env.secret("JWT_SECRET")
SUPABASE_JWT_SECRET = env.secret("SUPABASE_JWT_SECRET")
SUPABASE_DEFAULT_ROLE = env.str("SUPABASE_DEFAULT_ROLE", default="operator")
DEBUG_SECRET = env.secret("DEBUG_SECRET")

# --- HTTPS and headers
HTTPS = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/?$", r"^metrics/?$"]  # containers ask over plain HTTP in their own network
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [SITE_URL] if SITE_URL else []
CSRF_FAILURE_VIEW = "crmsync.errors.csrf_failure"
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # bulk actions of the admin tick many rows

# --- The hub
PHONE_REGION = env.str("PHONE_REGION", default="RU")
SYNC_BATCH_SIZE = env.int("SYNC_BATCH_SIZE", default=100)
SYNC_DEFAULT_INTERVAL_MINUTES = env.int("SYNC_DEFAULT_INTERVAL_MINUTES", default=5)
# Of the clinic's route, where it is made by itself.
SYNC_INTERVAL_MINUTES = env.int("SYNC_INTERVAL_MINUTES", default=2)
SYNC_DEEP_TIMES = env.str("SYNC_DEEP_TIMES", default="08:00, 20:00")
# What a process that died had sent may still be under way for so long: until then its records are let alone.
SYNC_SETTLE_SECONDS = env.float("SYNC_SETTLE_SECONDS", default=10.0)
SYNC_MAX_ATTEMPTS = env.int("SYNC_MAX_ATTEMPTS", default=5)
HTTP_TIMEOUT = env.float("HTTP_TIMEOUT", default=30.0)
TOKEN_REFRESH_INTERVAL = env.duration("TOKEN_REFRESH_INTERVAL", default=3600.0, least=60.0)
TRAFFIC_FLUSH_SECONDS = 5.0  # what a process that is killed may lose of the counts of its requests; 0: when asked only
METRICS_TOKEN = env.secret("METRICS_TOKEN")
ALLOW_PRIVATE_HOSTS = env.list("ALLOW_PRIVATE_HOSTS", default=[])
WORKERS = env.int("WORKERS", default=2)

# --- Alerts
EMAIL_URL = env.secret("EMAIL_URL")
globals().update({k: v for k, v in env.mail("EMAIL_URL").items() if k.startswith("EMAIL_")})
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="crmsync@localhost")
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
ALERT_WEBHOOK_URL = env.secret("ALERT_WEBHOOK_URL")
ALERT_LANGUAGE = env.str("ALERT_LANGUAGE", default="en")
ALERT_REPEAT_HOURS = env.int("ALERT_REPEAT_HOURS", default=24)
ALERT_FAILED_LEAST = env.int("ALERT_FAILED_LEAST", default=20)
ALERT_FAILED_PERCENT = env.int("ALERT_FAILED_PERCENT", default=10)
ALERT_QUEUE_MINUTES = env.int("ALERT_QUEUE_MINUTES", default=60)

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "crmsync.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["crmsync.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": ["crmsync.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "crmsync.pagination.DefaultCursorPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_THROTTLE_RATES": {"login_email": "10/min", "login_address": "60/min"},
    "EXCEPTION_HANDLER": "crmsync.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": TRUSTED_PROXIES,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "crmsync",
    "DESCRIPTION": "One list of contacts, kept in step across systems.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "syncjobs.api.webhooks_schema.add_webhooks",
        "crmsync.openapi.add_refusals",
        "crmsync.openapi.tell_open_operations",
        "crmsync.openapi.name_objects",
    ],
    "ENUM_NAME_OVERRIDES": {},
}

UNFOLD = {
    "SITE_TITLE": "crmsync",
    "SITE_HEADER": "crmsync",
    "SITE_SYMBOL": "sync_alt",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "crmsync.navigation.icon"}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_URL": None,  # there is no other site to return to
    "SHOW_LANGUAGES": True,
    "ENVIRONMENT": "crmsync.navigation.environment",
    "DASHBOARD_CALLBACK": "crmsync.dashboard.fill",
    "STYLES": ["crmsync.navigation.stylesheet"],
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": "crmsync.navigation.sidebar"},
    "COMMAND": {"search_callback": "contacts.admin_search.find"},
    "LOGIN": {"form": "crmsync.forms.LoginForm", "redirect_after": "/admin/"},
}

# A task may wait behind a full queue before its own time starts, and `retry` counts that wait too: with a queue as long
# as there are workers it must exceed twice the timeout, or tasks run twice.
# A bulk job of a remote system may keep a push waiting for an hour; should its worker be lost meanwhile, the next tick
# notices within a minute and does not wait for `retry`.
_TASK_SECONDS = 4000
Q_CLUSTER = {
    "name": "crmsync",
    "label": _("Background tasks"),
    "orm": "default",
    "broker_class": "crmsync.broker.SkipLockedORM",
    "cache": "process",
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "bulk": 1,
    "timeout": _TASK_SECONDS,
    "retry": 2 * _TASK_SECONDS + 60,
    "max_attempts": 3,
    "ack_failures": False,
    "catch_up": False,
    "save_limit": 0,  # every result is kept; crmsync.tasks.purge deletes old ones daily
    "poll": 0.2,
    "guard_cycle": 0.5,
    "recycle": 200,
    "max_rss": 400_000,
}

LOG_DIR = env.str("LOG_DIR", default="")
LOGGING = logs.configure(
    env.str("LOG_LEVEL", default="INFO").upper(),
    as_json=env.str("LOG_FORMAT", default="json") == "json",
    folder=Path(LOG_DIR) if LOG_DIR else None,
)
SILENCED_SYSTEM_CHECKS: list[str] = []
