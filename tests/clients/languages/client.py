"""Fetches a URL with urllib, or with requests if asked to. Prints the status, the body's digest and the body."""

import hashlib
import ssl
import sys
import urllib.error
import urllib.request

ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json, */*"}


def with_urllib(url):
    # The default, but as strict as Python 3.13 and later.
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        request = urllib.request.Request(url, headers=ACCEPT)
        answer = urllib.request.urlopen(request, timeout=30, context=context)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.read()


def with_requests(url):
    import requests

    answer = requests.get(url, headers=ACCEPT, timeout=30)
    return answer.status_code, answer.content


library, url = sys.argv[1:]
status, body = {"urllib": with_urllib, "requests": with_requests}[library](url)
print(status, "sha256:" + hashlib.sha256(body).hexdigest())
print(body.decode())
