"""Django settings: one file, read from the environment through `env.py`.

`MODE=embedded` (default) needs nothing but this machine; `MODE=production` refuses to start with a
default secret, a test engine or the embedded database. See `docs/` and `manage.py doctor`.
"""

from __future__ import annotations

import os
import socket
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from corsheaders.defaults import default_headers

from inference.egress import is_allow_entry
from inference.model_servers import ALLOWED as MODEL_SERVERS_ALLOWED
from inference.model_servers import is_model_server
from livestudio import env
from livestudio.common.log import logging_settings
from livestudio.content_security import CONTENT_SECURITY_POLICY as CONTENT_SECURITY_POLICY

BASE_DIR = Path(__file__).resolve().parent.parent
MODE = env.read_choice("MODE", ("embedded", "production"), "embedded")
IS_PRODUCTION = MODE == "production"
DEBUG = False

# --- where data lives ---------------------------------------------------------------------------
DATA_DIR = env.read_folder("DATA_DIR", BASE_DIR / "var")
RUNS_DIR = DATA_DIR / "runs"
RECORDINGS_DIR = DATA_DIR / "recordings"
CACHE_DIR = DATA_DIR / "cache"
MEDIA_ROOT = DATA_DIR / "media"
EXPORTS_DIR = DATA_DIR / "exports"

# --- secrets ------------------------------------------------------------------------------------
if IS_PRODUCTION:
    SECRET_KEY = env.read_text("SECRET_KEY")
    if len(SECRET_KEY) < 50:
        env.refuse(
            "SECRET_KEY", "…" if SECRET_KEY else "", "at least 50 random characters in production"
        )
    FIELD_KEYS = list(env.read_list("FIELD_KEYS"))
else:
    SECRET_KEY = env.read_or_create_secret(
        "SECRET_KEY", DATA_DIR / "secret_key", env.generate_secret_key
    )
    FIELD_KEYS = [
        key.strip()
        for key in env.read_or_create_secret(
            "FIELD_KEYS", DATA_DIR / "field_keys", env.generate_field_key
        ).split(",")
    ]
if not FIELD_KEYS or not all(env.is_field_key(key) for key in FIELD_KEYS):
    env.refuse(
        "FIELD_KEYS",
        "…" if FIELD_KEYS else "",
        "Fernet keys, comma-separated, newest first; make one with `python -c "
        '"from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"`',
    )

# --- addresses ----------------------------------------------------------------------------------
HOST = env.read_listener("HOST", "127.0.0.1")
PORT = env.read_integer("PORT", 8000, lowest=1, highest=65535)
_is_any_host = HOST in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
LOCAL_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(HOST, HOST)  # noqa: S104 - as above
# RFC 3986: an IPv6 address in a URL, and in the Host header, has brackets.
_local_host = f"[{LOCAL_ADDRESS}]" if ":" in LOCAL_ADDRESS else LOCAL_ADDRESS
# Where a runner on this machine dials in.
RUNNER_LINK_URL = f"ws://{_local_host}:{PORT}/ws/v1/runner/"

_default_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]", socket.gethostname().lower())
_default_hosts += () if _is_any_host else (_local_host,)
ALLOWED_HOSTS = list(env.read_hosts("ALLOWED_HOSTS", () if IS_PRODUCTION else _default_hosts))
if not ALLOWED_HOSTS or (IS_PRODUCTION and "*" in ALLOWED_HOSTS):
    env.refuse("ALLOWED_HOSTS", ",".join(ALLOWED_HOSTS), "the host names of this site, no `*`")

CORS_ALLOWED_ORIGINS = list(
    env.read_checked_list(
        "CORS_ALLOWED_ORIGINS",
        (),
        env.is_origin,
        "origins such as https://studio.example.org, comma-separated",
    )
)
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_HEADERS = (
    *default_headers,
    "idempotency-key",
    "if-match",
    "if-none-match",
    "x-device-id",
    "x-organization",
)
CORS_EXPOSE_HEADERS = ("etag", "idempotency-replayed", "location", "retry-after", "link")

# --- what users and the machine may do ----------------------------------------------------------
REGISTRATION = env.read_choice(
    "REGISTRATION", ("open", "invite", "closed"), "closed" if IS_PRODUCTION else "open"
)
# Each comes with the quotas of a plan of its own.
ORGANIZATIONS_PER_OWNER = env.read_integer(
    "ORGANIZATIONS_PER_OWNER", 20, lowest=1, highest=1_000_000
)
EMAIL_VERIFICATION = env.read_choice("EMAIL_VERIFICATION", ("off", "required"), "off")
LAUNCHER = env.read_choice(
    "LAUNCHER",
    tuple(
        name
        for name in ("local", "ray", "kubernetes")
        if (BASE_DIR / "inference" / "launchers" / f"{name}.py").is_file()
    ),
    "local",
)
TEST_ENGINES = env.read_flag("TEST_ENGINES")
if TEST_ENGINES and IS_PRODUCTION:
    env.refuse("TEST_ENGINES", "1", "nothing in production; the test engines are for measurements")
# Where the networks of filmed presenters run: in each broadcast's own worker, or in one model
# server per GPU for all of them.
FACE_NETWORKS = env.read_choice("FACE_NETWORKS", ("local", "server"), "local")
MODEL_SERVERS = env.read_checked_list(
    "MODEL_SERVERS", ("auto/musetalk/v1.5/kl",), is_model_server, MODEL_SERVERS_ALLOWED
)
# What encodes pictures; `auto`: NVENC where it really works, else x264.
VIDEO_ENCODER = env.read_choice("VIDEO_ENCODER", ("auto", "x264", "nvenc"), "auto")
# How many broadcasts of an organization run well at once here; more are warned of, not refused.
BROADCASTS_AT_ONCE = env.read_integer(
    "BROADCASTS_AT_ONCE", max(1, (os.cpu_count() or 1) * 3 // 2), lowest=1, highest=10_000
)
# What is deleted when; 0 = never.
RECORDING_KEEP_DAYS = env.read_integer("RECORDING_KEEP_DAYS", 0, lowest=0, highest=36_500)
RUN_FOLDER_KEEP_DAYS = env.read_integer("RUN_FOLDER_KEEP_DAYS", 7, lowest=0, highest=36_500)
CACHE_MAX_MIB = env.read_integer("CACHE_MAX_MIB", 4096, lowest=0, highest=1_000_000)
EGRESS_ALLOW = env.read_checked_list(
    "EGRESS_ALLOW",
    () if IS_PRODUCTION else ("loopback",),
    is_allow_entry,
    "`loopback`, `private`, IP addresses or networks (10.0.0.0/8), comma-separated",
)

# --- mail ---------------------------------------------------------------------------------------
_mail_server = env.read_mail_server("EMAIL_URL")
# `printed` by the web process, for the one person at an embedded site.
MAIL = "sent" if _mail_server else "off" if IS_PRODUCTION else "printed"
if EMAIL_VERIFICATION == "required" and MAIL == "off":
    # Accounts that wait for a mail that is never sent would be locked out.
    env.refuse("EMAIL_VERIFICATION", "required", "off, or set EMAIL_URL so that mail can be sent")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _mail_server else 'console'}.EmailBackend"
EMAIL_HOST = _mail_server.get("EMAIL_HOST", "localhost")
EMAIL_PORT = _mail_server.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _mail_server.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _mail_server.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_mail_server.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_mail_server.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.read_sender("EMAIL_FROM", "LiveStudio <livestudio@localhost>")
# Seconds that the link of a forgotten password is good for.
PASSWORD_RESET_TIMEOUT = 3600

# --- WebRTC -------------------------------------------------------------------------------------

ICE_SERVERS = env.read_ice_servers("ICE_SERVERS")
# Empty = every address of the machine; embedded adds loopback so that one machine is enough.
ICE_HOST_ADDRESSES = env.read_checked_list(
    "ICE_HOST_ADDRESSES", (), env.is_address, "IP addresses of this machine, comma-separated"
)
ICE_UDP_PORTS = env.read_port_range("ICE_UDP_PORTS")
ICE_PUBLIC_ADDRESS = env.read_text("ICE_PUBLIC_ADDRESS") or None
if ICE_PUBLIC_ADDRESS and not env.is_address(ICE_PUBLIC_ADDRESS):
    env.refuse("ICE_PUBLIC_ADDRESS", ICE_PUBLIC_ADDRESS, "one IP address")

# --- applications -------------------------------------------------------------------------------
ROOT_URLCONF = "livestudio.urls"
ASGI_APPLICATION = "livestudio.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "livestudio.common.daphne_config.DaphneConfig",  # first: it replaces runserver
    "livestudio.common.admin_config.StudioAdminConfig",
    "accounts",  # before Django's own: its createsuperuser gives an organization too
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "csp",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "livestudio",
    "metering.apps.MeteringConfig",
    "inference.apps.InferenceConfig",
    "webhooks",
    "avatars",
    "voices",
    "streams",
]
MIDDLEWARE = [
    "livestudio.common.headers.BrowserHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.scope.organization_scope",  # late: it knows who asks, and holds until the answer
    "metering.local_time.local_time",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before every app: the admin's own templates are extended here under their own names.
        "DIRS": [BASE_DIR / "livestudio" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- database, cache, channel layer -------------------------------------------------------------
DATABASE_URL = env.read_text("DATABASE_URL")


def _read_database() -> dict[str, Any]:
    if not DATABASE_URL:
        if IS_PRODUCTION:
            env.refuse("DATABASE_URL", "", "mysql://user:password@host:3306/name in production")
        return _sqlite(DATA_DIR / "livestudio.sqlite3")
    if DATABASE_URL.startswith("sqlite://") and not IS_PRODUCTION:
        return _sqlite(env.read_database_file("DATABASE_URL"))
    env.read_server("DATABASE_URL", ("mysql",), "mysql://user:password@host:3306/name", path=True)
    return {
        **environ.Env.db_url_config(DATABASE_URL),
        "ENGINE": "livestudio.common.mysql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "charset": "utf8mb4",
            "sql_mode": "STRICT_TRANS_TABLES",
            "isolation_level": "read committed",
            "init_command": "SET time_zone='+00:00'",
        },
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"},
    }


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            # A write lock taken at BEGIN waits its turn; one taken later fails at once.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


DATABASES = {"default": _read_database()}
# Requests that a web process answers at once; each may hold a connection to the database.
WEB_THREADS = env.read_integer("WEB_THREADS", 32, lowest=1, highest=500)

REDIS_URL = env.read_text("REDIS_URL")
if not REDIS_URL.startswith("unix://"):
    env.read_server("REDIS_URL", ("redis", "rediss"), "redis://host:6379/0", path=False)
if IS_PRODUCTION and not REDIS_URL:
    env.refuse("REDIS_URL", "", "redis://host:6379/0 in production")
CHANNEL_LAYERS: dict[str, dict[str, Any]]
CACHES: dict[str, dict[str, Any]]
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL], "prefix": "livestudio"},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "livestudio.common.cache.SharedRedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "livestudio",
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # Locks and counters live here: the default of 300 would throw them out.
            "OPTIONS": {"MAX_ENTRIES": 20_000},
        }
    }

# --- sign-in ------------------------------------------------------------------------------------
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator"},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
    {"NAME": "accounts.password_rules.EndSessionsValidator"},
]
REFRESH_TOKEN_LIFETIME = timedelta(days=14)
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "UPDATE_LAST_LOGIN": False,
    "SIGNING_KEY": SECRET_KEY,
}
LOGIN_URL = "admin:login"

# --- the API ------------------------------------------------------------------------------------
# Of one user; of one address that has not signed in (an audience may share one); of one address
# at the views that let it join a broadcast (each keeps a runner busy), and at those that check
# passwords.
REQUESTS_PER_MINUTE = {
    "user": 6000, "anonymous": 1200, "joining": 300, "sign_in": 60, "calendar": 30,
}  # fmt: skip
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.DeviceTokenAuthentication",
        "accounts.authentication.ApiKeyAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["livestudio.common.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "livestudio.common.pagination.OrderedCursorPagination",
    "DEFAULT_FILTER_BACKENDS": ["livestudio.common.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "livestudio.schema.OperationSchema",
    "DEFAULT_THROTTLE_CLASSES": ["livestudio.common.throttles.UserThrottle"],
    "EXCEPTION_HANDLER": "livestudio.common.api.handle_exception",
    "NUM_PROXIES": 1 if IS_PRODUCTION else 0,
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "LiveStudio",
    "DESCRIPTION": "Puts AI presenters on air.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    # Open to all: a token that is over must not close it, nor break the page that shows it.
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "BuildStateEnum": "avatars.models.Avatar.State",
        "UtteranceStateEnum": "streams.models.broadcast.UtteranceState",
        "ExpressionEnum": "inference.catalog.EXPRESSIONS",
        "GestureEnum": "inference.catalog.GESTURES",
        "CueKindEnum": "streams.models.rundown.CueKind",
        "OutputKindEnum": "streams.models.output.OutputKind",
        "PictureKindEnum": "streams.models.picture.PictureKind",
        "CornerEnum": "streams.models.show.Corner",
        "WebhookEventEnum": "accounts.event_types.NAMES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "livestudio.schema_answers.add_refusals",
    ],
}

# --- languages and time -------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "livestudio" / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# --- static files -------------------------------------------------------------------------------
STATIC_URL = "/static/"
# What `collectstatic` fills; served by every web process in production.
STATIC_ROOT = env.read_place("STATIC_ROOT", BASE_DIR / "livestudio" / "static_collected")
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
STATICFILES_DIRS = [("frontend", str(FRONTEND_DIST))] if FRONTEND_DIST.is_dir() else []
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
if (
    WHITENOISE_USE_FINDERS
):  # the folder may be missing then, which whitenoise warns of at each start
    warnings.filterwarnings("ignore", "No directory at: ", UserWarning)

# --- browser security ---------------------------------------------------------------------------
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_PRODUCTION
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "livestudio.common.api.csrf_failure"
if IS_PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # Probes come from inside the cluster, without TLS.
    SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# Who may read /metrics: addresses and networks.
METRICS_ALLOW = env.read_checked_list(
    "METRICS_ALLOW",
    ("127.0.0.1/32", "::1/128"),
    is_allow_entry,
    "IP addresses or networks, comma-separated",
)

LOGGING_CONFIG = "livestudio.common.log.configure"
LOGGING = logging_settings(as_json=IS_PRODUCTION)
