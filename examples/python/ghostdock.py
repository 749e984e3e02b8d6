"""A client of the registry: the classes of the two API documents, made whole. Needs `requests` and nothing else.

    python3 examples/python/ghostdock.py http://localhost:5000 admin PASSWORD [rounds] [seconds between them]
"""

import sys
import time

import requests

TIMEOUT = 30  # seconds


class Refused(Exception):
    """The registry refused: with its status, its code for programs, and words for people."""

    def __init__(self, response):
        try:
            body = response.json()
        except ValueError:
            body = {}
        error = body.get("error", response.reason)
        # /v2 and /api/v1 have an object in `error`, the rest of /api a text.
        self.code, message = (error["code"], error["message"]) if isinstance(error, dict) else (error, body.get("message", ""))
        self.status = response.status_code
        self.retry_after = response.headers.get("Retry-After")
        super().__init__(f"{self.status} {self.code}: {message}")


class GhostDockClient:
    """The registry and its management API, in a session that a password opens."""

    def __init__(self, base_url, username, password):
        self.base_url = base_url.rstrip("/")
        self.session = requests.Session()
        self.authenticate(username, password)

    def request(self, method, path, **options):
        response = self.session.request(method, f"{self.base_url}{path}", timeout=TIMEOUT, **options)
        if not response.ok:
            raise Refused(response)
        return response

    def authenticate(self, username, password):
        token = self.request("POST", "/auth", json={"username": username, "password": password}).json()["token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def list_repositories(self, page_size=100):
        """Names, one page of the catalog after the other: the answer links to the next."""
        path = f"/v2/_catalog?n={page_size}"
        while path:
            response = self.request("GET", path)
            yield from response.json()["repositories"]
            path = response.links.get("next", {}).get("url")

    def get_tags(self, repository, page_size=100):
        path = f"/v2/{repository}/tags/list?n={page_size}"
        while path:
            response = self.request("GET", path)
            yield from response.json()["tags"]
            path = response.links.get("next", {}).get("url")

    def repository(self, name):
        return self.request("GET", f"/api/v1/repositories/{name}").json()

    def describe(self, name, **changes):
        return self.request("PUT", f"/api/v1/repositories/{name}", json=changes).json()

    def audit(self, **filters):
        return self.request("GET", "/api/v1/audit", params=filters).json()


class NSCRMonitor:
    """The monitoring API, with a username and a password or an access token in its place."""

    def __init__(self, base_url, username, password):
        self.base_url = base_url.rstrip("/")
        self.session = requests.Session()
        self.session.auth = (username, password)

    def get(self, path, **parameters):
        response = self.session.get(f"{self.base_url}{path}", params=parameters, timeout=TIMEOUT)
        if not response.ok:
            raise Refused(response)
        return response.json()

    def get_registry_state(self, **parameters):
        return self.get("/api/registry/state", **parameters)

    def get_health(self):
        return self.get("/api/registry/health")

    def monitor(self, rounds=None, interval=5):
        """Looks again and again, `rounds` times or for ever. What fails is told, and tried again the next time."""
        looked = 0
        while rounds is None or looked < rounds:
            if looked > 0:
                time.sleep(interval)
            looked += 1
            try:
                # limit=0: the summary without the lists of what there is.
                state = self.get_registry_state(limit=0)
                health = self.get_health()
                print(f"Repositories: {state['summary']['totalRepositories']}")
                print(f"Health: {health['status']}")
                print(f"Active Sessions: {state['activeSessions']['count']}", flush=True)
            except (Refused, requests.RequestException) as error:
                print(f"Error: {error}", file=sys.stderr, flush=True)


def main(base_url="http://localhost:5000", username="admin", password="", rounds="3", interval="5"):
    client = GhostDockClient(base_url, username, password)
    for name in client.list_repositories():
        print(f"{name}: {', '.join(client.get_tags(name))}")
        print(f"  {client.repository(name)['visibility']}")
    audit = client.audit(limit=5)
    print(f"{audit['total']} entries in the audit log")
    NSCRMonitor(base_url, username, password).monitor(int(rounds), float(interval))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.exit(f"The registry refused: {refused}")
