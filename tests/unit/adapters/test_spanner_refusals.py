"""What Spanner's answers mean, by the answers themselves. No server."""

from typing import Any

import pytest

from stormwatch.errors import SchemaError, SettingsError, StoreUnavailable
from stormwatch.settings import Settings

session: Any = pytest.importorskip(
    "stormwatch.adapters.spanner.session", reason="pip install -r requirements/spanner.txt"
)
SETTINGS = Settings(store="spanner", spanner_project="mine", spanner_instance="here")


@pytest.mark.parametrize(("error", "kind", "words"), [
    (session.api.PermissionDenied("no"), StoreUnavailable, "roles/spanner.databaseUser"),
    (session.api.Unauthenticated("no"), StoreUnavailable, "roles/spanner.databaseUser"),
    (session.DefaultCredentialsError("no"), SettingsError, "auth application-default login"),
    (session.api.NotFound("Instance not found: here"), SchemaError, "instances create"),
    (session.api.NotFound("Database not found: main"), SchemaError, "schema apply"),
    (session.api.InvalidArgument("too large"), SchemaError, "value is too large"),
    (session.api.DeadlineExceeded("late"), StoreUnavailable, "See that it is reached"),
    (session.api.ServiceUnavailable("away"), StoreUnavailable, "See that it is reached"),
    (session.api.ResourceExhausted("full"), StoreUnavailable, "full"),
])  # fmt: skip
def test_each_answer_is_what_it_means_in_one_line(
    error: Exception, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as told, session.translated(SETTINGS, "write"):
        raise error
    assert "\n" not in str(told.value)
