//! Describe, cache, and types of queries.

use std::time::Duration;

use arrow_schema::DataType;
use forcepump_salesforce::{ClientOptions, ErrorKind, Select, resolve};

use crate::server::{Answer, Seen, Server, options};

fn field(name: &str, kind: &str, more: &str) -> String {
    format!(r#"{{"name":"{name}","type":"{kind}","nillable":true,"length":18{more}}}"#)
}

fn object(name: &str, fields: &[String]) -> Answer {
    let body = format!(r#"{{"name":"{name}","queryable":true,"fields":[{}]}}"#, fields.join(","));
    Answer::json(200, body).with("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
}

fn reference(name: &str, relationship: &str, to: &str) -> String {
    let pointing = to.contains(',');
    let more = format!(r#","relationshipName":"{relationship}","referenceTo":[{to}],"namePointing":{pointing}"#);
    field(name, "reference", &more)
}

/// Paths are compared without case, as Salesforce does.
fn org(seen: &Seen, _: usize) -> Answer {
    let seen = &Seen { path: seen.path.to_ascii_lowercase(), ..seen.clone() };
    let id = field("Id", "id", "");
    if seen.is("GET", "/sobjects/contact/describe") {
        return object(
            "Contact",
            &[
                id,
                reference("AccountId", "Account", r#""Account""#),
                reference("OwnerId", "Owner", r#""Group","User""#),
                field("MailingStreet", "textarea", r#","compoundFieldName":"MailingAddress""#),
                field("MailingCity", "string", r#","compoundFieldName":"MailingAddress""#),
                field("MailingAddress", "address", ""),
                field("Photo__c", "base64", ""),
                field("Budget__c", "currency", r#","precision":18,"scale":2"#),
                field("Odd", "junctionidlist", ""),
                field("acme__Tier__c", "picklist", r#","custom":true"#),
                field("Site__Latitude__s", "double", r#","custom":true,"compoundFieldName":"Site__c""#),
                field("Site__c", "location", r#","custom":true"#),
            ],
        );
    }
    if seen.is("GET", "/sobjects/account/describe") {
        return object("Account", &[id, field("Name", "string", ""), reference("ParentId", "Parent", r#""Account""#)]);
    }
    if seen.is("GET", "/sobjects/name/describe") {
        return object("Name", &[id, field("Name", "string", "")]);
    }
    if seen.is("GET", "/sobjects/user/describe") {
        let part = |name: &str| field(name, "string", r#","compoundFieldName":"Address""#);
        return object(
            "User",
            &[id, field("Username", "string", ""), part("City"), part("Country"), field("Address", "address", "")],
        );
    }
    if seen.is("GET", "/sobjects/group/describe") {
        return object("Group", &[id, field("Related", "boolean", "")]);
    }
    if seen.is("GET", "/sobjects") {
        return Answer::json(200, r#"{"sobjects":[{"name":"Account"},{"name":"Contact"}]}"#);
    }
    Answer::error(404, "NOT_FOUND", "The requested resource does not exist")
}

#[tokio::test]
async fn every_readable_field_and_what_is_left_out() {
    let server = Server::start(org).await;
    let none: [&str; 0] = [];
    let select = Select::from_fields("contact", &none, Some("Id != null")).unwrap();
    let query = resolve(&server.client(), &select).await.unwrap();
    assert_eq!(
        query.soql,
        "SELECT Id, AccountId, OwnerId, MailingStreet, MailingCity, Budget__c, acme__Tier__c, Site__Latitude__s FROM Contact WHERE Id != null"
    );
    let skipped: Vec<_> = query.skipped.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(skipped, ["MailingAddress", "Photo__c", "Odd", "Site__c"]);
    assert!(query.expanded.is_empty(), "nothing was named");
    assert!(query.skipped[0].reason.contains("MailingCity"));
    assert_eq!(query.schema.field(5).data_type(), &DataType::Decimal128(19, 2));
    assert!(!query.schema.field(0).is_nullable() && query.schema.field(1).is_nullable());
}

#[tokio::test]
async fn parents_have_types_and_canonical_names() {
    let server = Server::start(org).await;
    let soql = "SELECT id, account.parent.NAME, Account.Id, owner.name, Owner.Username, Contact.AccountId FROM Contact";
    let mut query = resolve(&server.client(), &Select::parse(soql).unwrap()).await.unwrap();
    let names: Vec<_> = query.schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["Id", "Account.Parent.Name", "Account.Id", "Owner.Name", "Owner.Username", "AccountId"]);
    assert!(query.schema.field(2).is_nullable(), "a parent may be missing");
    query.keep_columns(&[0, 3]);
    assert_eq!(query.soql, "SELECT Id, Owner.Name FROM Contact");
    assert_eq!(query.schema.fields().len(), 2);
}

#[tokio::test]
async fn compounds_become_their_parts_also_those_of_parents() {
    let server = Server::start(org).await;
    let soql = "SELECT Id, mailingaddress, MailingCity, owner.ADDRESS, Site__c FROM Contact";
    let query = resolve(&server.client(), &Select::parse(soql).unwrap()).await.unwrap();
    assert_eq!(
        query.soql,
        "SELECT Id, MailingStreet, MailingCity, Owner.City, Owner.Country, Site__Latitude__s FROM Contact"
    );
    let expanded: Vec<_> = query.expanded.iter().map(|e| (e.name.as_str(), e.into.join(" "))).collect();
    let expected = [
        ("MailingAddress", "MailingStreet MailingCity".to_owned()),
        ("Owner.Address", "Owner.City Owner.Country".to_owned()),
        ("Site__c", "Site__Latitude__s".to_owned()),
    ];
    assert_eq!(expanded, expected);
}

#[tokio::test]
async fn groups_are_filled_in_and_named_fields_stay_where_they_are() {
    let server = Server::start(org).await;
    let table = [
        ("SELECT FIELDS(CUSTOM) FROM Contact", "acme__Tier__c, Site__Latitude__s"),
        ("SELECT Site__Latitude__s, FIELDS(CUSTOM), acme__tier__c FROM Contact", "Site__Latitude__s, acme__Tier__c"),
        (
            "SELECT Owner.Name, FIELDS(STANDARD) FROM Contact",
            "Owner.Name, Id, AccountId, OwnerId, MailingStreet, MailingCity, Budget__c",
        ),
    ];
    for (soql, expected) in table {
        let query = resolve(&server.client(), &Select::parse(soql).unwrap()).await.unwrap();
        assert_eq!(query.soql, format!("SELECT {expected} FROM Contact"), "{soql}");
    }
    let all = Select::from_fields("Contact", &["FIELDS(ALL)"], None).unwrap();
    let all = resolve(&server.client(), &all).await.unwrap();
    let none: [&str; 0] = [];
    let every = resolve(&server.client(), &Select::from_fields("Contact", &none, None).unwrap()).await.unwrap();
    assert_eq!((all.soql, all.skipped), (every.soql, every.skipped));
    assert_eq!(all.expanded[0].name, "FIELDS(ALL)");
    let error = resolve(&server.client(), &Select::parse("SELECT FIELDS(CUSTOM) FROM Account").unwrap()).await;
    assert!(error.unwrap_err().to_string().contains("FIELDS(CUSTOM) stands for no field"));
}

#[tokio::test]
async fn what_the_user_sees_is_told_with_the_parents_that_are_read() {
    let server = Server::start(org).await;
    let query = Select::parse("SELECT Id, Owner.Username FROM Contact").unwrap();
    let query = resolve(&server.client(), &query).await.unwrap();
    let seen = |object: &str| query.visible.iter().filter(|v| v.object == object).count();
    assert_eq!((seen("Contact"), seen("User")), (12, 1));
    let error = resolve(&server.client(), &Select::parse("SELECT Id, Sender.Name FROM Contact").unwrap()).await;
    assert!(matches!(error.unwrap_err(), forcepump_salesforce::Error::NoField { field, .. } if field == "SenderId"));
}

#[tokio::test]
async fn slips_are_named_with_the_way_out() {
    let server = Server::start(org).await;
    let client = server.client();
    let table = [
        ("SELECT Budgt__c FROM Contact", "did you mean Budget__c?"),
        ("SELECT Photo__c FROM Contact", "sobjects/Contact/ID/Photo__c"),
        ("SELECT Tier__c FROM Contact", "did you mean acme__Tier__c?"),
        ("SELECT AccountId.Name FROM Contact", "the parent is called Account"),
        ("SELECT Acount.Name FROM Contact", "did you mean Account?"),
        ("SELECT Account FROM Contact", "name one of its fields"),
        ("SELECT Account.Nmae FROM Contact", "did you mean Name?"),
        ("SELECT Id, Contact.Id FROM Contact", "twice"),
        ("SELECT Id FROM Contct", "did you mean Contact?"),
    ];
    for (soql, expected) in table {
        let error = resolve(&client, &Select::parse(soql).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{soql}: {error}");
        assert_eq!(error.kind(), ErrorKind::Query, "{soql}");
    }
}

#[tokio::test]
async fn a_describe_is_asked_for_once_and_then_only_if_changed() {
    let server = Server::start(|seen, before| match before {
        0 => org(seen, before),
        _ => Answer::json(304, "").without("content-type"),
    })
    .await;
    let fresh = server.client();
    fresh.describe("Account").await.unwrap();
    fresh.describe("account").await.unwrap();
    assert_eq!(fresh.calls_used(), 1);

    let server = Server::start(|seen, before| match before {
        0 => org(seen, before),
        _ => Answer::json(304, "").without("content-type"),
    })
    .await;
    let stale = server.client_with(ClientOptions { describe_ttl: Duration::ZERO, ..options() });
    stale.describe("Account").await.unwrap();
    assert_eq!(stale.describe("Account").await.unwrap().fields.len(), 3);
    let asked = server.seen().last().unwrap().headers.get("if-modified-since").cloned();
    assert_eq!(asked.unwrap(), "Wed, 21 Oct 2015 07:28:00 GMT");
}

#[tokio::test]
async fn a_version_that_the_org_does_not_offer_is_named() {
    let server = Server::start(|seen, _| match seen {
        s if s.path == "/services/data/" => {
            Answer::json(200, r#"[{"label":"Spring","version":"9.0"},{"label":"Winter","version":"60.0"}]"#)
        }
        _ => Answer::error(404, "NOT_FOUND", "The requested resource does not exist"),
    })
    .await;
    let error = server.client().describe("Account").await.unwrap_err();
    assert_eq!(error.to_string(), "api_version 62.0 is not offered by the org; its newest is 60.0");
}
