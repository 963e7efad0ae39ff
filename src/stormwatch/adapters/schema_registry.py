"""A schema registry with Confluent's HTTP interface: schemas by their numbers."""

import json
from base64 import b64encode
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from stormwatch.errors import RegistryUnavailable, SettingsError
from stormwatch.settings import Settings, variable

TIMEOUT_S = 5.0
"""As long one question may take; the batch waits meanwhile."""
_BYTES_MAX = 10_000_000
_NOT_THERE = 404
_REFUSED = (401, 403)


class SchemaRegistry:
    """Asks the registry of the settings. Keeps nothing: whoever asks keeps what is answered.

    Raises SettingsError for a `registry.url` that is no http or https address.
    """

    def __init__(self, settings: Settings) -> None:
        if urlsplit(settings.registry_url).scheme not in ("http", "https"):
            raise SettingsError(
                f"{variable('registry.url')} is {settings.registry_url!r}; it must be an address "
                "such as http://127.0.0.1:8081."
            )
        self._url = settings.registry_url.rstrip("/")
        self._headers = {"accept": "application/vnd.schemaregistry.v1+json"}
        if settings.registry_username:
            pair = f"{settings.registry_username}:{settings.registry_password}".encode()
            self._headers["authorization"] = f"Basic {b64encode(pair).decode()}"

    def schema(self, number: int) -> str | None:
        """The text of the schema; None where the registry answers that it has none.

        Raises RegistryUnavailable.
        """
        asked = f"{self._url}/schemas/ids/{number}"
        try:
            with urlopen(Request(asked, headers=self._headers), timeout=TIMEOUT_S) as answer:
                return str(json.loads(answer.read(_BYTES_MAX))["schema"])
        except HTTPError as error:
            if error.code == _NOT_THERE:
                return None
            how = "."
            if error.code in _REFUSED:
                how = (
                    f": correct {variable('registry.username')} and "
                    f"{variable('registry.password')}."
                )
            why = f"The schema registry {self._url} answers with {error.code}{how}"
            raise RegistryUnavailable(why) from error
        except (URLError, OSError, TimeoutError) as error:
            why = f"The schema registry {self._url} does not answer: {error}."
            raise RegistryUnavailable(why) from error
        except (ValueError, KeyError, TypeError) as error:
            why = f"{asked} is no schema of a registry: is {variable('registry.url')} right?"
            raise RegistryUnavailable(why) from error
