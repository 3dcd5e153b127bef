"""Logs in to the emulator with simple-salesforce in three ways, describes, queries, and prints what it counted as JSON.

simple-salesforce always speaks https to a Salesforce host; a session of our own sends what it would send there to the
emulator, and nothing anywhere else.
"""

import csv
import io
import json
import os
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceGeneralError

VERSION = "62.0"
SOQL = "SELECT Id, Name FROM Account"
ENVIRONMENT = os.environ
EMULATOR = urlsplit(ENVIRONMENT["SF_INSTANCE_URL"])


class ToEmulator(HTTPAdapter):
    """Replaces scheme and host of every request."""

    def send(self, request, **options):
        url = urlsplit(request.url)
        request.url = urlunsplit((EMULATOR.scheme, EMULATOR.netloc, url.path, url.query, ""))
        return super().send(request, **options)


def session():
    made = requests.Session()
    made.trust_env = False
    made.mount("https://", ToEmulator())
    made.mount("http://", ToEmulator())
    return made


by_soap = Salesforce(
    username=ENVIRONMENT["SF_USERNAME"],
    password=ENVIRONMENT["SF_PASSWORD"],
    security_token=ENVIRONMENT["SF_TOKEN"],
    version=VERSION,
    session=session(),
)
by_client = Salesforce(
    consumer_key=ENVIRONMENT["SF_CLIENT_ID"],
    consumer_secret=ENVIRONMENT["SF_CLIENT_SECRET"],
    domain="acme.my",
    version=VERSION,
    session=session(),
)

by_jwt = Salesforce(
    username=ENVIRONMENT["SF_USERNAME"],
    consumer_key=ENVIRONMENT["SF_CLIENT_ID"],
    privatekey_file=ENVIRONMENT["SF_PRIVATE_KEY_FILE"],
    version=VERSION,
    session=session(),
)

classic = by_soap.bulk.Account.query("SELECT Id, Name, CreatedDate FROM Account", wait=0)
deleted = by_soap.bulk.Account.query_all("SELECT Id FROM Account WHERE IsDeleted = true", wait=0)
try:
    by_soap.bulk.Account.query("SELECT Nope FROM Account", wait=0)
    refused = "not refused"
except SalesforceGeneralError as error:
    refused = str(error)

pages = by_soap.bulk2.Account.query(SOQL, max_records=500)
print(
    json.dumps(
        {
            "describe_fields": len(by_soap.Account.describe()["fields"]),
            "rest_query": len(by_soap.query_all(SOQL)["records"]),
            "bulk2_query": sum(len(list(csv.DictReader(io.StringIO(page)))) for page in pages),
            "bulk1_query": len(classic),
            "bulk1_ids": len({record["Id"] for record in classic}),
            "bulk1_milliseconds": all(isinstance(record["CreatedDate"], int) for record in classic),
            "bulk1_deleted": len(deleted),
            "bulk1_failure": refused,
            "jwt_count": by_jwt.query("SELECT COUNT() FROM Account")["totalSize"],
            "client_credentials_count": by_client.query("SELECT COUNT() FROM Account")["totalSize"],
        }
    )
)
