"""Settings: every variable with its default, a good value and a bad one."""

from pathlib import Path

import pytest

from functions.settings import FailoverSettings, RetrainSettings, Settings, variables
from functions.variables import InvalidSettings, variables_of

LONG_KEY = "k" * 32
SECRET = "s3cret-value-that-nobody-may-see-anywhere"
PRODUCTION = {"ENVIRONMENT": "production", "API_KEY": LONG_KEY, "CORS_ORIGINS": "https://app.example.com"}

DEFAULTS = [
    ("ENVIRONMENT", "environment", "development"),
    ("API_KEY", "api_keys", ()),
    ("API_KEY_FILE", "api_key_file", None),
    ("CORS_ORIGINS", "cors_origins", ("*",)),
    ("LOG_LEVEL", "log_level", "INFO"),
    ("API_KEY_SECRET", "api_key_secrets", ()),
    ("MODEL_DIR", "model_dir", Path("models")),
    ("MODEL_URI", "model_uri", ""),
    ("MODEL_RELOAD_SECONDS", "model_reload_seconds", 60),
    ("MLFLOW_TRACKING_URI", "artifact_root", ""),
    ("HOST", "host", "127.0.0.1"),
    ("PORT", "port", 8000),
    ("WORKERS", "workers", 1),
    ("PROMETHEUS_MULTIPROC_DIR", "metrics_dir", None),
    ("RATE_LIMIT_PREDICT", "rate_limit_predict", 10),
    ("RATE_LIMIT_HEALTH", "rate_limit_health", 30),
    ("RATE_LIMIT_MODEL_INFO", "rate_limit_model_info", 20),
    ("RATE_LIMIT_AUTH_FAILURES", "rate_limit_auth_failures", 10),
    ("RATELIMIT_STORAGE_URI", "ratelimit_storage_uri", "memory://"),
    ("TRUSTED_PROXY_HOPS", "trusted_proxy_hops", 0),
    ("MAX_REQUEST_BYTES", "max_request_bytes", 32 * 1024 * 1024),
    ("MAX_BATCH_ROWS", "max_batch_rows", 100_000),
]

GOOD = [
    ("API_KEY", "one", "api_keys", ("one",)),
    ("API_KEY", "one, two ,,three", "api_keys", ("one", "two", "three")),
    (
        "CORS_ORIGINS",
        "https://a.example, https://b.example",
        "cors_origins",
        ("https://a.example", "https://b.example"),
    ),
    ("CORS_ORIGINS", "*", "cors_origins", ("*",)),
    *(
        ("CORS_ORIGINS", origin, "cors_origins", (origin,))
        for origin in (
            "http://localhost:3000",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
            "https://xn--bcher-kva.example",
            "https://iris-api-123456789012.europe-west1.run.app",
            "chrome-extension://abcdefghijklmnop",
        )
    ),
    ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("API_KEY_SECRET", "projects/p/secrets/s/versions/1", "api_key_secrets", ("projects/p/secrets/s/versions/1",)),
    ("MODEL_DIR", "/srv/models", "model_dir", Path("/srv/models")),
    ("MODEL_URI", "gs://b/models/champion.json", "bundle_uri", "gs://b/models/champion.json"),
    ("MODEL_URI", "/srv/models", "bundle_uri", "/srv/models"),
    ("MODEL_RELOAD_SECONDS", "0", "model_reload_seconds", 0),
    ("MLFLOW_TRACKING_URI", "gs://b/mlruns/", "artifact_root", "gs://b/mlruns/"),
    ("AIP_STORAGE_URI", "gs://vertex/1", "vertex_model_uri", "gs://vertex/1"),
    ("HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("HOST", "::1", "host", "::1"),
    ("PORT", " 9000 ", "port", 9000),
    ("PORT", "", "port", 8000),
    ("PORT", "  ", "port", 8000),
    ("WORKERS", "4", "workers", 4),
    ("PROMETHEUS_MULTIPROC_DIR", "/dev/shm/mine", "metrics_dir", Path("/dev/shm/mine")),
    ("RATE_LIMIT_PREDICT", "600", "rate_limit_predict", 600),
    ("RATE_LIMIT_HEALTH", "1", "rate_limit_health", 1),
    ("RATE_LIMIT_MODEL_INFO", "2", "rate_limit_model_info", 2),
    ("RATE_LIMIT_AUTH_FAILURES", "3", "rate_limit_auth_failures", 3),
    ("RATELIMIT_STORAGE_URI", "redis://localhost:6379", "ratelimit_storage_uri", "redis://localhost:6379"),
    ("RATELIMIT_STORAGE_URI", "rediss://h:6379/1", "ratelimit_storage_uri", "rediss://h:6379/1"),
    ("TRUSTED_PROXY_HOPS", "2", "trusted_proxy_hops", 2),
    ("MAX_REQUEST_BYTES", "1048576", "max_request_bytes", 1048576),
    ("MAX_BATCH_ROWS", "500", "max_batch_rows", 500),
    ("GOOGLE_CLOUD_PROJECT", "my-project", "project", "my-project"),
    ("AIP_HTTP_PORT", "8080", "port", 8080),
    ("AIP_HEALTH_ROUTE", "/v1/health", "health_route", "/v1/health"),
    ("AIP_PREDICT_ROUTE", "/v1/endpoints/7:predict", "predict_route", "/v1/endpoints/7:predict"),
]

BAD = [
    ("ENVIRONMENT", "prod", "'prod' is none of development, production"),
    ("API_KEY", "one,schlüssel", "1 of 2 keys hold other characters than printable ASCII"),
    ("API_KEY", "tab\tin-it", "printable ASCII"),
    ("API_KEY_SECRET", "mlops-api-key", "is no list of projects/"),
    ("MODEL_RELOAD_SECONDS", "-1", "is not between"),
    *(
        ("CORS_ORIGINS", f"https://good.example,{origin}", f"holds {origin!r}, which is no origin")
        for origin in (
            "app.example.com",
            "https://",
            "https://a.example/",
            "https://a.example/page",
            "https://a.example?x",
            "https://a.example:port",
            "https://a.example:443",
            "http://a.example:80",
            "https://A.example",
            "HTTPS://a.example",
            "https://*.example",
            "https://b\u00fccher.example",
            "https://user@a.example",
            "https://a.example https://b.example",
            "null",
        )
    ),
    ("LOG_LEVEL", "loud", "is none of"),
    ("HOST", "localhost", "is no IP address"),
    ("PORT", "http", "'http' is no whole number"),
    ("PORT", "0", "is not between 1 and 65535"),
    ("PORT", "65536", "is not between 1 and 65535"),
    ("WORKERS", "0", "is not between"),
    ("RATE_LIMIT_PREDICT", "0", "is not between"),
    ("RATE_LIMIT_HEALTH", "ten", "is no whole number"),
    ("RATE_LIMIT_MODEL_INFO", "-1", "is not between"),
    ("RATE_LIMIT_AUTH_FAILURES", "1.5", "is no whole number"),
    ("RATELIMIT_STORAGE_URI", "memcached://localhost", "is no memory://, redis:// or rediss:// address"),
    ("RATELIMIT_STORAGE_URI", "redis://localhost:port", "port"),
    ("TRUSTED_PROXY_HOPS", "-1", "is not between"),
    ("MAX_REQUEST_BYTES", "1", "is not between"),
    ("MAX_BATCH_ROWS", "0", "is not between"),
    ("AIP_HTTP_PORT", "x", "'x' is no whole number"),
    ("AIP_HEALTH_ROUTE", "health", "does not start with /"),
    ("AIP_PREDICT_ROUTE", "predict", "does not start with /"),
]


def faults_of(environ):
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environ(environ)
    return caught.value.faults


@pytest.mark.parametrize(("variable", "field", "default"), DEFAULTS, ids=[row[0] for row in DEFAULTS])
def test_variable_that_is_not_set_has_its_default(variable, field, default):
    assert variable in [known.name for known in variables()]
    assert getattr(Settings.from_environ({}), field) == default


@pytest.mark.parametrize(("variable", "text", "field", "value"), GOOD)
def test_variable_with_good_value_is_read(variable, text, field, value):
    assert getattr(Settings.from_environ({variable: text}), field) == value


@pytest.mark.parametrize(("variable", "text", "reason"), BAD)
def test_variable_with_bad_value_is_named_with_the_reason(variable, text, reason):
    (fault,) = faults_of({variable: text})
    assert fault.startswith(f"{variable}: ")
    assert reason in fault


def test_each_variable_is_in_the_tables_of_this_test():
    tested = {row[0] for row in DEFAULTS} | {row[0] for row in GOOD}
    assert {variable.name for variable in variables()} <= tested
    assert all(variable.meaning for variable in variables())


def test_several_bad_values_are_listed_in_one_message():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environ({"PORT": "x", "WORKERS": "y", "LOG_LEVEL": "z"})
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["LOG_LEVEL", "PORT", "WORKERS"]
    assert all(fault in str(caught.value) for fault in caught.value.faults)


def test_production_without_anything_lists_key_and_cors():
    key, cors = faults_of({"ENVIRONMENT": "production"})
    assert key.startswith("API_KEY: ")
    assert cors.startswith("CORS_ORIGINS: ")


def test_production_lists_its_faults_together_with_unreadable_values():
    found = faults_of({"ENVIRONMENT": "production", "API_KEY": f"short,{LONG_KEY}", "CORS_ORIGINS": "*", "PORT": "x"})
    assert [fault.split(":")[0] for fault in found] == ["PORT", "API_KEY", "CORS_ORIGINS"]
    assert "1 of 2 keys are shorter than 32" in found[1]


@pytest.mark.parametrize("origins", ["*", "https://a.example,*"])
def test_production_with_any_origin_is_refused(origins):
    (fault,) = faults_of(PRODUCTION | {"CORS_ORIGINS": origins})
    assert fault.startswith("CORS_ORIGINS: ")


@pytest.mark.parametrize(("variable", "text"), [("CORS_ORIGINS", "app.example.com"), ("API_KEY", ", ,")])
def test_what_production_needs_is_not_called_missing_where_it_is_wrong(variable, text):
    (fault,) = faults_of(PRODUCTION | {variable: text})
    assert fault.startswith(f"{variable}: ")
    assert "production needs" not in fault


def test_production_with_all_it_needs_starts():
    settings = Settings.from_environ(PRODUCTION)
    assert settings.production
    assert settings.authenticated
    assert settings.host == "0.0.0.0"


def test_production_keeps_a_given_host():
    assert Settings.from_environ(PRODUCTION | {"HOST": "127.0.0.1"}).host == "127.0.0.1"


def test_development_without_key_is_unauthenticated_and_local():
    settings = Settings.from_environ({})
    assert not settings.authenticated
    assert settings.host == "127.0.0.1"


def test_key_file_is_enough_in_production_and_read_when_keys_are_needed(tmp_path):
    file = tmp_path / "keys"
    file.write_text(LONG_KEY)
    settings = Settings.from_environ(PRODUCTION | {"API_KEY": "", "API_KEY_FILE": str(file)})
    assert settings.authenticated
    assert settings.api_keys == ()


UNACCEPTABLE = ["a-word", "k" * 31, LONG_KEY + "\u00e9"]


@pytest.mark.parametrize("key", UNACCEPTABLE)
def test_production_refuses_a_file_that_holds_no_key_but_such_as_it_does_not_accept(tmp_path, key):
    file = tmp_path / "keys"
    file.write_text(f"{key}\n", encoding="utf-8")
    (fault,) = faults_of(PRODUCTION | {"API_KEY": "", "API_KEY_FILE": str(file)})
    assert fault.startswith("API_KEY_FILE: ")
    assert "1 of 1 keys" in fault
    assert key not in fault


@pytest.mark.parametrize("key", UNACCEPTABLE)
def test_production_starts_with_a_file_whose_good_key_stands_beside_a_bad_one(tmp_path, key):
    file = tmp_path / "keys"
    file.write_text(f"{LONG_KEY}\n{key}\n", encoding="utf-8")
    assert Settings.from_environ(PRODUCTION | {"API_KEY": "", "API_KEY_FILE": str(file)}).authenticated


def test_versions_of_secrets_are_enough_in_production_and_read_later():
    versions = ("projects/p/secrets/mlops-api-key/versions/latest", "projects/p/secrets/mlops-api-key/versions/3")
    settings = Settings.from_environ(PRODUCTION | {"API_KEY": "", "API_KEY_SECRET": ",".join(versions)})
    assert settings.authenticated
    assert settings.api_key_secrets == versions


@pytest.mark.parametrize("text", [LONG_KEY, "projects/p/secrets/s", "projects/p/secrets/s/versions/1,other"])
def test_what_names_no_version_of_a_secret_is_refused_without_being_shown(text):
    (fault,) = faults_of({"API_KEY_SECRET": text})
    assert fault.startswith("API_KEY_SECRET: its value is no list of projects/")
    assert LONG_KEY not in fault


@pytest.mark.parametrize("name", ["MODEL_URI", "AIP_STORAGE_URI"])
@pytest.mark.parametrize(
    "uri", ["s3://bucket/models", "gs:///models", "https://host/models/champion.json", "gs://", "gs:///"]
)
def test_model_uri_of_another_kind_is_refused(name, uri):
    (fault,) = faults_of({name: uri})
    assert fault.startswith(f"{name}: {uri!r} is neither gs://")


def test_vertex_ais_model_is_taken_under_vertex_ai_only_and_gives_way_to_an_explicit_one():
    vertex = {"AIP_STORAGE_URI": "gs://vertex/1"}
    assert Settings.from_environ(vertex).bundle_uri == ""
    assert Settings.from_environ(vertex | {"AIP_HTTP_PORT": "8080"}).bundle_uri == "gs://vertex/1"
    explicit = vertex | {"AIP_HTTP_PORT": "8080", "MODEL_URI": "gs://b/models/champion.json"}
    assert Settings.from_environ(explicit).bundle_uri == "gs://b/models/champion.json"


@pytest.mark.parametrize(
    ("uri", "root"),
    [("gs://b/mlruns/", "gs://b/mlruns/"), ("mlruns", "mlruns"), ("sqlite:///mlflow.db", ""), ("https://mlflow", "")],
)
def test_stores_of_the_pipeline_that_hold_no_files_are_no_artifact_root(uri, root):
    assert Settings.from_environ({"MLFLOW_TRACKING_URI": uri}).artifact_root == root


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", b"\n \n"], ids=repr)
def test_key_file_that_can_not_be_read_yet_leaves_the_service_closed_and_starting(tmp_path, content):
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    assert Settings.from_environ({"API_KEY_FILE": str(file)}).authenticated
    assert Settings.from_environ(PRODUCTION | {"API_KEY": "", "API_KEY_FILE": str(file)}).authenticated


def test_key_list_without_a_key_is_refused_rather_than_served_unauthenticated():
    (fault,) = faults_of({"API_KEY": ", ,"})
    assert fault.startswith("API_KEY: ")


def test_secrets_stand_neither_in_repr_nor_in_messages(tmp_path):
    storage = f"redis://:{SECRET}@localhost:6379"
    settings = Settings.from_environ({"API_KEY": SECRET, "RATELIMIT_STORAGE_URI": storage})
    assert SECRET not in repr(settings)
    for bad in (f"http://:{SECRET}@h", f"redis://:{SECRET}@h:port", f"redis://:{SECRET}/@h"):
        with pytest.raises(InvalidSettings) as caught:
            Settings.from_environ(PRODUCTION | {"API_KEY": SECRET[:31], "RATELIMIT_STORAGE_URI": bad})
        assert SECRET[:31] not in str(caught.value) + repr(caught.value.faults)


def test_vertex_port_wins_over_port():
    settings = Settings.from_environ({"PORT": "9000", "AIP_HTTP_PORT": "8080"})
    assert settings.vertex_ai
    assert settings.port == 8080
    assert settings.host == "0.0.0.0"


def test_vertex_needs_neither_key_nor_origins_in_production():
    settings = Settings.from_environ({"ENVIRONMENT": "production", "AIP_HTTP_PORT": "8080"})
    assert not settings.authenticated
    assert settings.cors_origins == ()


def test_vertex_does_not_ask_for_a_key_that_is_set():
    assert not Settings.from_environ({"API_KEY": LONG_KEY, "AIP_HTTP_PORT": "8080"}).authenticated


def test_unknown_variables_are_ignored():
    assert Settings.from_environ({"PATH": "/bin", "SOMETHING": "else"}) == Settings.from_environ({})


RETRAIN = {"RETRAIN_TRIGGER": "projects/p/locations/europe-west1/triggers/train"}
FAILOVER = {
    "FAILOVER_URL": "https://iris.example.com",
    "FAILOVER_PROBE_TOKEN": SECRET,
    "FAILOVER_PROXY": "projects/p/global/targetHttpsProxies/front",
    "FAILOVER_PRIMARY_URL_MAP": "projects/p/global/urlMaps/primary",
    "FAILOVER_FALLBACK_URL_MAP": "projects/p/global/urlMaps/fallback",
    "FAILOVER_VM_BACKEND": "projects/p/global/backendServices/vm",
    "FAILOVER_STATE_URI": "gs://bucket/failover/state.json",
}

FUNCTIONS_GOOD = [
    (
        RETRAIN,
        "RETRAIN_TRIGGER",
        "projects/p/locations/global/triggers/1-2",
        "trigger",
        "projects/p/locations/global/triggers/1-2",
    ),
    (RETRAIN, "RETRAIN_PREFIX", "", "prefix", "data/"),
    (RETRAIN, "RETRAIN_PREFIX", "incoming/daily/", "prefix", "incoming/daily/"),
    (RETRAIN, "RETRAIN_PREFIX", "my-models/", "prefix", "my-models/"),
    (FAILOVER, "FAILOVER_URL", "http://203.0.113.7/", "url", "http://203.0.113.7"),
    (FAILOVER, "FAILOVER_PROBE_TOKEN", "abc-123", "probe_token", "abc-123"),
    (
        FAILOVER,
        "FAILOVER_PROXY",
        "projects/p/global/targetHttpProxies/front",
        "proxy",
        "projects/p/global/targetHttpProxies/front",
    ),
    (
        FAILOVER,
        "FAILOVER_PRIMARY_URL_MAP",
        "projects/p/global/urlMaps/a",
        "primary_url_map",
        "projects/p/global/urlMaps/a",
    ),
    (
        FAILOVER,
        "FAILOVER_FALLBACK_URL_MAP",
        "projects/p/global/urlMaps/b",
        "fallback_url_map",
        "projects/p/global/urlMaps/b",
    ),
    (
        FAILOVER,
        "FAILOVER_VM_BACKEND",
        "projects/p/global/backendServices/b",
        "vm_backend",
        "projects/p/global/backendServices/b",
    ),
    (FAILOVER, "FAILOVER_STATE_URI", "gs://bucket/state.json", "state_uri", "gs://bucket/state.json"),
    (FAILOVER, "FAILOVER_ACTIVE_BACKEND", "", "pinned", False),
    (FAILOVER, "FAILOVER_ACTIVE_BACKEND", "vm", "pinned", True),
    (FAILOVER, "FAILOVER_ACTIVE_BACKEND", "cloud_run", "pinned", True),
    (FAILOVER, "FAILOVER_FAILBACK", "", "automatic_failback", False),
    (FAILOVER, "FAILOVER_FAILBACK", "automatic", "automatic_failback", True),
]

FUNCTIONS_BAD = [
    (RETRAIN, "RETRAIN_TRIGGER", "train", "is no projects/P/locations/R/triggers/ID"),
    (RETRAIN, "RETRAIN_TRIGGER", "", "is not set; the Cloud Build trigger"),
    (RETRAIN, "RETRAIN_PREFIX", "data", "is no folder such as data/"),
    (RETRAIN, "RETRAIN_PREFIX", "/", "is no folder such as data/"),
    (RETRAIN, "RETRAIN_PREFIX", "models/", "a build would start itself"),
    (RETRAIN, "RETRAIN_PREFIX", "models/iris/", "a build would start itself"),
    (RETRAIN, "RETRAIN_PREFIX", "mlruns/", "a build would start itself"),
    (FAILOVER, "FAILOVER_URL", "iris.example.com", "is no https://HOST or http://HOST"),
    (FAILOVER, "FAILOVER_URL", "ftp://iris.example.com", "is no https://HOST or http://HOST"),
    (FAILOVER, "FAILOVER_URL", "https://iris.example.com/health", "is no https://HOST or http://HOST"),
    (FAILOVER, "FAILOVER_PROBE_TOKEN", "a b", "holds other characters"),
    (FAILOVER, "FAILOVER_PROXY", "front", "is no projects/P/global/targetHttpsProxies/NAME"),
    (FAILOVER, "FAILOVER_PRIMARY_URL_MAP", "projects/p/urlMaps/a", "is no projects/P/global/urlMaps/NAME"),
    (FAILOVER, "FAILOVER_FALLBACK_URL_MAP", "projects/p/global/urlMaps/a/b", "is no projects/P/global/urlMaps/NAME"),
    (FAILOVER, "FAILOVER_VM_BACKEND", "vm", "is no projects/P/global/backendServices/NAME"),
    (FAILOVER, "FAILOVER_STATE_URI", "gs://bucket", "is no gs://BUCKET/PATH"),
    (FAILOVER, "FAILOVER_STATE_URI", "gs://bucket/failover/", "is no gs://BUCKET/PATH"),
    (FAILOVER, "FAILOVER_ACTIVE_BACKEND", "run", "is none of auto, cloud_run, vm"),
    (FAILOVER, "FAILOVER_FAILBACK", "auto", "is none of manual, automatic"),
]


def settings_of(base):
    return RetrainSettings if base is RETRAIN else FailoverSettings


@pytest.mark.parametrize(("base", "variable", "text", "field", "value"), FUNCTIONS_GOOD)
def test_variable_of_a_function_with_good_value_is_read(base, variable, text, field, value):
    assert getattr(settings_of(base).from_environ(base | {variable: text}), field) == value


@pytest.mark.parametrize(("base", "variable", "text", "reason"), FUNCTIONS_BAD)
def test_variable_of_a_function_with_bad_value_is_named_with_the_reason(base, variable, text, reason):
    with pytest.raises(InvalidSettings) as caught:
        settings_of(base).from_environ(base | {variable: text})
    (fault,) = caught.value.faults
    assert fault.startswith(f"{variable}: ")
    assert reason in fault


@pytest.mark.parametrize("base", [RETRAIN, FAILOVER], ids=["retrain", "fail_over"])
def test_each_variable_of_a_function_is_in_the_tables_of_this_test(base):
    names = {variable.name for variable in variables_of(settings_of(base))}
    assert names == {row[1] for row in FUNCTIONS_GOOD if row[0] is base}
    assert names == {row[1] for row in FUNCTIONS_BAD if row[0] is base}


def test_missing_variables_of_a_function_are_listed_with_the_bad_ones():
    with pytest.raises(InvalidSettings) as caught:
        FailoverSettings.from_environ({"FAILOVER_FAILBACK": "never"})
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["FAILOVER_FAILBACK", *FAILOVER]


def test_probe_token_stands_neither_in_repr_nor_in_messages():
    assert SECRET not in repr(FailoverSettings.from_environ(FAILOVER))
    with pytest.raises(InvalidSettings) as caught:
        FailoverSettings.from_environ(FAILOVER | {"FAILOVER_PROBE_TOKEN": f"{SECRET} x"})
    assert SECRET not in str(caught.value)
