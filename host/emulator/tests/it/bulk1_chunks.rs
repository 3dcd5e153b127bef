//! PK chunking in Bulk API 1.0: chunks and their states, what switches it off, what goes wrong with it.

use std::collections::HashSet;

use forcepump_emulator::Options;
use reqwest::Method;
use serde_json::json;

use crate::classic::{batches, refused};
use crate::support::Org;

#[tokio::test]
async fn chunks_hold_every_row_once() {
    let org = Org::demo().await;
    for header in ["chunkSize=500;", "true; chunkSize=500; parent="] {
        let job = org.open("Account", "CSV", Some(header)).await;
        let original = org.batch(&job, "SELECT Id FROM Account WHERE Name != 'no such name'").await;
        let first = batches(&org.classic_text(&format!("{job}/batch")).await);
        assert_eq!((first.len(), first[0].1.as_str()), (1, "InProgress"));
        // At the moment the original is not processed, all chunks are there, and none is at its end.
        let second = batches(&org.classic_text(&format!("{job}/batch")).await);
        assert_eq!((second.len(), second[0].1.as_str()), (5, "NotProcessed"));
        assert!(second[1..].iter().all(|(_, state, message)| state == "Queued" && message.is_empty()));
        let third = batches(&org.classic_text(&format!("{job}/batch")).await);
        let states: HashSet<&str> = third[1..].iter().map(|(_, state, _)| state.as_str()).collect();
        assert!(states.contains("Completed") && states.len() > 1, "{states:?}");

        let done = org.settle(&job).await;
        let left = org.classic(Method::GET, &format!("{original}/result")).send().await.unwrap();
        assert_eq!(refused(left, 400, "InvalidBatch").await, "Records not processed");
        let mut ids = Vec::new();
        for (id, state, _) in &done[1..] {
            assert_eq!(state, "Completed");
            for body in org.results(&format!("{job}/batch/{id}")).await {
                ids.extend(body.lines().skip(1).map(str::to_owned));
            }
        }
        assert_eq!(ids.len() as u64, org.rows("Account"));
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        let request = org.classic_text(&format!("{job}/batch/{}/request", done[1].0)).await;
        assert_eq!(
            request,
            "SELECT Id FROM Account WHERE Name != 'no such name' AND Id >= '001gK0000000001' AND Id < '001gK0000000085'"
        );
        let info = org.classic_json(&job).await;
        assert_eq!((&info["numberBatchesTotal"], &info["numberBatchesCompleted"]), (&4.into(), &4.into()));
        assert_eq!(info["numberRecordsProcessed"], org.rows("Account"));
    }
}

#[tokio::test]
async fn chunks_by_start_row_filter_and_clause() {
    let org = Org::demo().await;
    let start = "true; chunkSize=500; startRow=001gK0000000085";
    let job = org.open("Account", "CSV", Some(start)).await;
    org.batch(&job, "SELECT Id FROM Account").await;
    assert_eq!(org.settle(&job).await.len(), 4);
    let job = org.open("Account", "CSV", Some("chunkSize=500")).await;
    org.batch(&job, "SELECT Id FROM Account WHERE Name = '3M'").await;
    let done = org.settle(&job).await;
    let empty = org.results(&format!("{job}/batch/{}", done[2].0)).await;
    assert_eq!(empty, ["Records not found for this query"]);
    // These clauses switch chunking off.
    for soql in ["SELECT Id FROM Account ORDER BY Name", "SELECT Id FROM Account WHERE OwnerId != null"] {
        let job = org.open("Account", "CSV", Some("true; chunkSize=100")).await;
        org.batch(&job, soql).await;
        let done = org.settle(&job).await;
        assert_eq!((done.len(), done[0].1.as_str()), (1, "Completed"), "{soql}");
    }
    for (object, header) in [("Account", "chunkSize=250001"), ("Organization", "true"), ("Account", "maybe")] {
        let body = json!({"operation": "query", "object": object, "contentType": "CSV"});
        let call = org.classic(Method::POST, "/job").header("Sforce-Enable-PKChunking", header).json(&body);
        refused(call.send().await.unwrap(), 400, "InvalidJob").await;
    }
}

#[tokio::test]
async fn chunking_goes_wrong_on_purpose() {
    let faulty = |what: &str| format!("[[fault]]\non = {{ route = \"bulk1-batch\" }}\ndo = {{ {what} }}\n");
    for (what, states, message) in [
        (
            "kind = \"chunk-failed\", nth = 2",
            vec!["NotProcessed", "Completed", "Failed", "Completed", "Completed"],
            "QUERY_TIMEOUT: Your query request was running for too long.",
        ),
        ("kind = \"original-failed\", reason = \"gone wrong\"", vec!["Failed", "Completed", "Completed"], "gone wrong"),
        (
            "kind = \"empty-chunks\", count = 2",
            vec!["NotProcessed", "Completed", "Completed", "Completed", "Completed", "Completed", "Completed"],
            "",
        ),
        ("kind = \"large-chunk\"", vec!["NotProcessed", "Completed", "Completed", "Completed"], ""),
        (
            "kind = \"job-failed\"",
            vec!["Failed", "Completed", "Completed"],
            "InternalServerError : Retried more than 15 times",
        ),
    ] {
        let org = Org::faulty(&faulty(what)).await;
        let job = org.open("Account", "CSV", Some("chunkSize=500")).await;
        org.batch(&job, "SELECT Id FROM Account").await;
        let done = org.settle(&job).await;
        assert_eq!(done.iter().map(|(_, state, _)| state.as_str()).collect::<Vec<_>>(), states, "{what}");
        let said: String = done.iter().map(|(.., message)| message.as_str()).collect();
        assert_eq!(said, message, "{what}");
        if !states.contains(&"Failed") {
            let rows: u64 = org.emulator.classic_jobs()[0].batches.iter().map(|batch| batch.rows).sum();
            assert_eq!(rows, org.rows("Account"), "{what}");
        }
    }
    let org = Org::faulty(&faulty("kind = \"late-chunks\", looks = 3")).await;
    let job = org.open("Account", "CSV", Some("chunkSize=100")).await;
    org.batch(&job, "SELECT Id FROM Account").await;
    let mut seen = Vec::new();
    loop {
        let list = batches(&org.classic_text(&format!("{job}/batch")).await);
        seen.push(list.len());
        if list[0].1 == "NotProcessed" {
            break;
        }
        assert_eq!(list[0].1, "InProgress");
    }
    assert!(seen.len() == 5 && seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    assert_eq!(org.settle(&job).await.len(), 20);
}

#[tokio::test]
async fn jobs_go_by_time_too() {
    let org = Org::with(Options { job_ms: Some(0), ..Options::default() }).await;
    let job = org.open("Account", "CSV", Some("chunkSize=500")).await;
    org.batch(&job, "SELECT Id FROM Account").await;
    let list = batches(&org.classic_text(&format!("{job}/batch")).await);
    assert_eq!(list.iter().filter(|(_, state, _)| state == "Completed").count(), 4, "{list:?}");
}
