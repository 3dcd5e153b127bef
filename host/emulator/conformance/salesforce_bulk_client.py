"""Reads the same rows from the emulator's Bulk API 1.0 with salesforce-bulk in every form, and prints what it counted as JSON."""

import json
import os

from salesforce_bulk import BulkApiError, SalesforceBulk
from salesforce_bulk.salesforce_bulk import BulkBatchFailed

VERSION = "62.0"
SOQL = "SELECT Id, Name, CreatedDate FROM Account"
ENDPOINT = os.environ["SF_INSTANCE_URL"] + "/services/async/" + VERSION


def client(session):
    made = SalesforceBulk(sessionId=session, host="localhost", API_version=VERSION)
    # It would speak https to the host.
    made.endpoint = ENDPOINT
    return made


bulk = client(os.environ["SF_ACCESS_TOKEN"])


def wait(job, batch):
    while not bulk.is_batch_done(batch, job):
        pass


def read(job, batch):
    return b"".join(part.read() for part in bulk.get_all_results_for_query_batch(batch, job))


def whole(content_type, **more):
    """The bytes of a job of one batch; closed before the batch has run, as this client's own guide does it."""
    job = bulk.create_query_job("Account", contentType=content_type, **more)
    batch = bulk.query(job, SOQL)
    bulk.close_job(job)
    wait(job, batch)
    return read(job, batch)


def chunked(chunk_size):
    """The job's batches by state, and the ids in them."""
    job = bulk.create_query_job("Account", contentType="CSV", pk_chunking=chunk_size)
    bulk.query(job, "SELECT Id FROM Account")
    batches = bulk.get_batch_list(job)
    while any(batch["state"] in ("Queued", "InProgress") for batch in batches):
        batches = bulk.get_batch_list(job)
    done = [batch["id"] for batch in batches if batch["state"] == "Completed"]
    ids = [line for batch in done for line in read(job, batch).splitlines() if line.startswith(b'"001')]
    bulk.close_job(job)
    return [batch["state"] for batch in batches], ids


def refused(run):
    try:
        run()
    except (BulkApiError, BulkBatchFailed) as error:
        return str(error)
    return "not refused"


def bad_statement():
    job = bulk.create_query_job("Account", contentType="CSV")
    wait(job, bulk.query(job, "SELECT Nope FROM Account"))


states, ids = chunked(1000)
print(
    json.dumps(
        {
            "csv": whole("CSV").count(b'\n"001'),
            "serial": whole("CSV", concurrency="Serial").count(b'\n"001'),
            "json": len(json.loads(whole("JSON"))),
            "xml": whole("XML").count(b"<records "),
            "not_processed": states.count("NotProcessed"),
            "chunks": len(states),
            "chunked": len(ids),
            "chunked_ids": len(set(ids)),
            "bad_statement": refused(bad_statement),
            "dead_session": refused(lambda: client("dead").create_query_job("Account")),
            "ingest": refused(lambda: bulk.create_insert_job("Account", contentType="CSV")),
        }
    )
)
