"""Logs in with one of Microsoft's credentials and prints the claims of the token. The emulator's authority is
AZURE_AUTHORITY_HOST, its tenant AZURE_TENANT_ID."""

import base64
import json
import os
import re
import sys
import threading
import urllib.parse
import webbrowser
from html import unescape

import requests
from azure.identity import (
    AuthorizationCodeCredential,
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    DeviceCodeCredential,
    InteractiveBrowserCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from msal import PublicClientApplication

AZ = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
USER = "developer@sealock.localhost"
SCOPE = "https://management.azure.com/.default"


def environment(name):
    return os.environ[name]


def tenant():
    """The tenant, and the setting without which the SDK asks Microsoft about an authority that is not /adfs."""
    name = environment("AZURE_TENANT_ID")
    return {"tenant_id": name, "disable_instance_discovery": name != "adfs"}


def client():
    return {**tenant(), "client_id": environment("AZURE_CLIENT_ID")}


def click(url, fields):
    """Signs in on a page as a person does."""
    shown = requests.get(url, timeout=30)
    shown.raise_for_status()
    answer = requests.post(url, data={"username": USER, **fields}, allow_redirects=False, timeout=30)
    answer.raise_for_status()
    return answer


class Browser(webbrowser.BaseBrowser):
    """Clicks, and takes the code to the client."""

    def open(self, url, new=0, autoraise=True):
        threading.Thread(target=self.sign_in, args=(url,)).start()
        return True

    @staticmethod
    def sign_in(url):
        answer = click(url, {})
        if answer.status_code == 302:
            requests.get(answer.headers["location"], timeout=30)
            return
        action = unescape(re.search('action="([^"]+)"', answer.text)[1])
        found = re.findall('name="([^"]+)" value="([^"]*)"', answer.text)
        requests.post(action, data={name: unescape(value) for name, value in found}, timeout=30)


def device():
    def prompt(uri, code, _expires):
        assert "Signed in" in click(uri, {"user_code": code}).text

    return DeviceCodeCredential(**tenant(), prompt_callback=prompt)


def interactive():
    webbrowser.register("person", Browser, preferred=True)
    return InteractiveBrowserCredential(**tenant(), timeout=60)


def code():
    """A web application with a secret."""
    redirect = "http://localhost:9/"
    query = urllib.parse.urlencode(
        {
            "client_id": environment("AZURE_CLIENT_ID"),
            "response_type": "code",
            "redirect_uri": redirect,
            "scope": SCOPE,
        }
    )
    host = environment("AZURE_AUTHORITY_HOST")
    answer = click(f"{host}/{tenant()['tenant_id']}/oauth2/v2.0/authorize?{query}", {})
    answered = urllib.parse.parse_qs(urllib.parse.urlparse(answer.headers["location"]).query)
    return AuthorizationCodeCredential(
        **client(),
        authorization_code=answered["code"][0],
        redirect_uri=redirect,
        client_secret=environment("AZURE_CLIENT_SECRET"),
    )


class Refreshed:
    """MSAL, which gets a token for a password and then another one for the refresh token."""

    def get_token(self, scope):
        settings = tenant()
        authority = f"{environment('AZURE_AUTHORITY_HOST')}/{settings['tenant_id']}"
        discovery = {"instance_discovery": False} if settings["disable_instance_discovery"] else {}
        app = PublicClientApplication(AZ, authority=authority, **discovery)
        first = app.acquire_token_by_username_password(USER, "sealock-developer", scopes=[scope])
        assert "access_token" in first, first
        (account,) = app.get_accounts()
        assert app.acquire_token_silent([scope], account=account)["token_source"] == "cache"
        second = app.acquire_token_silent(["https://vault.azure.net/.default"], account=account)
        assert "access_token" in second, second
        self.token = second["access_token"]
        return self


CREDENTIALS = {
    "certificate": lambda: CertificateCredential(**client(), certificate_path=environment("CERTIFICATE")),
    "code": code,
    "default": DefaultAzureCredential,
    "device": device,
    "interactive": interactive,
    "managed-identity": ManagedIdentityCredential,
    "refresh": Refreshed,
    "secret": lambda: ClientSecretCredential(**client(), client_secret=environment("AZURE_CLIENT_SECRET")),
    "workload": lambda: WorkloadIdentityCredential(
        **client(), token_file_path=environment("AZURE_FEDERATED_TOKEN_FILE")
    ),
}

token = CREDENTIALS[sys.argv[1]]().get_token(SCOPE).token
payload = token.split(".")[1]
print(json.dumps(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))))
