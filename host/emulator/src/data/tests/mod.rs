//! The org, asked as clients ask.

use std::sync::LazyLock;

use serde_json::Value;

use super::*;

mod answers;
mod describes;
mod grouping;

const COMMA: CsvDialect = CsvDialect { delimiter: b',', crlf: false };

static DEMO: LazyLock<Org> =
    LazyLock::new(|| Org::open(&DataSource::Demo, &[], 1).unwrap_or_else(|error| panic!("{error}")));

fn demo() -> Org {
    DEMO.clone()
}

fn prepared(org: &Org, soql: &str, mode: QueryMode) -> Prepared {
    org.prepare(soql, mode).unwrap_or_else(|error| panic!("{soql}: {error}"))
}

fn csv(org: &Org, soql: &str) -> String {
    let found = prepared(org, soql, QueryMode::Bulk2);
    let mut out = Vec::new();
    found.csv_header(&COMMA, &mut out);
    found.csv_rows(0..found.total(), &COMMA, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn records(org: &Org, soql: &str) -> Vec<Value> {
    let found = prepared(org, soql, QueryMode::Rest);
    let mut out = Vec::new();
    found.json_rows(0..found.total(), "62.0", &mut out);
    out
}

fn refusal(org: &Org, soql: &str, mode: QueryMode) -> SoqlError {
    match org.prepare(soql, mode) {
        Ok(_) => panic!("not refused: {soql}"),
        Err(error) => error,
    }
}

fn count(org: &Org, soql: &str, mode: QueryMode) -> u64 {
    prepared(org, soql, mode).total()
}

#[test]
fn the_demo_org_has_its_tables_and_a_recycle_bin() {
    let org = demo();
    for (object, rows) in [
        ("Account", 1_837),
        ("Contact", 793),
        ("Opportunity", 5_009),
        ("Order_Line__c", 9_994),
        ("Empty__c", 0),
        ("User", 5),
    ] {
        assert_eq!(org.object_rows(object), Some(rows), "{object}");
        assert_eq!(count(&org, &format!("SELECT Id FROM {object}"), QueryMode::Bulk2), rows);
    }
    assert_eq!(count(&org, "SELECT Id FROM Account", QueryMode::Bulk2All), 1_840);
    assert_eq!(prepared(&org, "SELECT COUNT() FROM Account", QueryMode::Rest).count_only(), Some(1_837));
    assert_eq!(count(&org, "SELECT Id FROM Account WHERE IsDeleted = true", QueryMode::RestAll), 3);
    assert_eq!(org.object_rows("Nothing"), None);
}

#[test]
fn csv_has_the_dialect_of_bulk() {
    let org = demo();
    let text =
        csv(&org, "select id, NAME, annualrevenue, account.owner.name, isdeleted from ACCOUNT where name = '3m'");
    assert_eq!(
        text,
        "\"Id\",\"Name\",\"AnnualRevenue\",\"Owner.Name\",\"IsDeleted\"\n\"001gK0000000002QAA\",\"3M\",\"2.49E10\",\"Ada Admin\",\"false\"\n"
    );
    let text = csv(
        &org,
        "SELECT Account.Ext_Id__c, CreatedDate, CloseDate, Amount FROM Opportunity WHERE Ext_Id__c = 'CA-2016-152156'",
    );
    assert_eq!(text.lines().nth(1), Some("\"TICK-1U1-0\",\"2016-11-08T00:00:00.000Z\",\"2016-11-11\",\"993.9\""));
    let text = csv(
        &org,
        "SELECT Opportunity__r.Account.Name, Product__c FROM Order_Line__c WHERE Product__c LIKE '%\"%' LIMIT 1",
    );
    assert!(text.starts_with("\"Opportunity__r.Account.Name\",\"Product__c\"\n\""), "{text}");
    assert!(text.contains("\"\""), "{text}");
    let found = prepared(&org, "SELECT Id, Name FROM Account LIMIT 1", QueryMode::Bulk2);
    let mut out = Vec::new();
    found.csv_rows(0..9, &CsvDialect { delimiter: b';', crlf: true }, &mut out);
    assert_eq!(out, b"\"001gK0000000001QAA\";\"1&1\"\r\n");
}

#[test]
fn records_have_the_rest_shape() {
    let org = demo();
    let found = records(
        &org,
        "SELECT Id, Name, Account.Name, Account.Owner.Id, Amount, CreatedDate, IsWon FROM Opportunity WHERE Ext_Id__c = 'CA-2016-152156'",
    );
    let record = found.first().unwrap_or(&Value::Null);
    assert_eq!(record["attributes"]["type"], "Opportunity");
    assert_eq!(
        record["attributes"]["url"],
        format!("/services/data/v62.0/sobjects/Opportunity/{}", record["Id"].as_str().unwrap_or(""))
    );
    assert_eq!(record["Account"]["attributes"]["type"], "Account");
    assert_eq!(record["Account"]["Name"], "1&1");
    assert_eq!(record["Account"]["Owner"]["attributes"]["type"], "User");
    assert_eq!(record["Amount"], 993.9);
    assert_eq!(record["CreatedDate"], "2016-11-08T00:00:00.000+0000");
    assert_eq!(record["IsWon"], true);
    let keys: Vec<&String> = record.as_object().map(|record| record.keys().collect()).unwrap_or_default();
    assert_eq!(keys, ["attributes", "Id", "Name", "Account", "Amount", "CreatedDate", "IsWon"]);
    let orphan = records(&org, "SELECT Parent__r.Name, Account__r.Name FROM Awkward__c WHERE Case__c = 'no parent'");
    assert_eq!(
        orphan.first().map(|record| (&record["Parent__r"], &record["Account__r"])),
        Some((&Value::Null, &Value::Null))
    );
    let place = records(&org, "SELECT Place__c FROM Awkward__c WHERE Case__c = 'place'");
    assert_eq!(place[0]["Place__c"], serde_json::json!({"latitude": 37.7749295, "longitude": -122.4194155}));
}

#[test]
fn awkward_values_come_back_as_they_are() {
    let org = demo();
    let found = records(&org, "SELECT Text__c FROM Awkward__c WHERE Case__c = 'text'");
    let texts: Vec<&str> = found.iter().filter_map(|record| record["Text__c"].as_str()).collect();
    assert_eq!(texts, awkward::TEXTS);
    let numbers = csv(&org, "SELECT Whole__c, Money__c, Tiny__c FROM Awkward__c WHERE Case__c = 'number'");
    for shown in ["\"9.0E7\"", "\"1.6147805824397E13\"", "\"9999999.99\"", "\"1.0E-4\"", "\"1.0E18\""] {
        assert!(numbers.contains(shown), "{shown} in {numbers}");
    }
    let long = records(&org, "SELECT Long__c FROM Awkward__c WHERE Case__c = 'longest text'");
    assert_eq!(long[0]["Long__c"].as_str().map(|text| text.chars().count()), Some(131_072));
    assert_eq!(count(&org, "SELECT Id FROM Awkward__c WHERE Day__c < 1970-01-01", QueryMode::Rest), 2);
    let up = records(
        &org,
        "SELECT Parent__r.Parent__r.Parent__r.Parent__r.Parent__r.Text__c FROM Awkward__c WHERE Text__c = '6'",
    );
    assert_eq!(
        up[0].pointer("/Parent__r/Parent__r/Parent__r/Parent__r/Parent__r/Text__c").and_then(Value::as_str),
        Some("1")
    );
}

#[test]
fn generated_rows_depend_on_seed_and_row_only() {
    let generate = [("Account".to_owned(), 20_000), ("Contact".to_owned(), 5_000)];
    let org = Org::open(&DataSource::Demo, &generate, 7).unwrap_or_else(|error| panic!("{error}"));
    let again = Org::open(&DataSource::Demo, &generate, 7).unwrap_or_else(|error| panic!("{error}"));
    let other = Org::open(&DataSource::Demo, &generate, 8).unwrap_or_else(|error| panic!("{error}"));
    let soql = "SELECT Id, Name, Industry, AnnualRevenue, CreatedDate, SystemModstamp, ParentId, Parent.Name, Owner.Name FROM Account";
    let rows = |org: &Org, range: std::ops::Range<u64>| {
        let mut out = Vec::new();
        prepared(org, soql, QueryMode::Bulk2).csv_rows(range, &COMMA, &mut out);
        out
    };
    let whole = rows(&org, 0..20_000);
    assert_eq!(whole, [rows(&again, 0..7_001), rows(&again, 7_001..20_000)].concat());
    assert_ne!(whole, rows(&other, 0..20_000));
    assert_eq!(prepared(&org, soql, QueryMode::Bulk2).total(), 20_000);
    // What CSV shows is what the conditions see.
    let found = records(&org, "SELECT Id, Name, Account.Name, AccountId FROM Contact WHERE AccountId != null LIMIT 50");
    for record in found {
        let id = record["AccountId"].as_str().unwrap_or("");
        assert_eq!(
            records(&org, &format!("SELECT Name FROM Account WHERE Id = '{id}'"))[0]["Name"],
            record["Account"]["Name"]
        );
    }
    let orphans = count(&org, "SELECT Id FROM Contact WHERE AccountId = null", QueryMode::Rest);
    assert!((75..300).contains(&orphans), "{orphans} of 5000 have no parent");
    let crowded = count(&org, "SELECT Id FROM Contact WHERE AccountId <= '001gK000000000L'", QueryMode::Rest);
    assert!(crowded > 1_000, "{crowded} of 5000 belong to the first twenty accounts");
}

#[test]
fn a_folder_of_csv_files_is_an_org() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(
        folder.path().join("accounts.csv"),
        "Id,Name,NumberOfEmployees\n001000000000001AAA,\"A, \"\"B\"\"\",5\n001000000000002AAA,C,\n",
    )?;
    std::fs::write(
        folder.path().join("Machine__c.csv"),
        "Name,Serial__c,Weight__c,Bought__c,Account__r.Name\nM1,007,1.50,2024-01-31,C\nM2,008,,,\n",
    )?;
    let org = Org::open(&DataSource::Folder(folder.path().to_owned()), &[], 1)?;
    assert_eq!(
        csv(&org, "SELECT Id, Name FROM Account"),
        "\"Id\",\"Name\"\n\"001000000000001AAA\",\"A, \"\"B\"\"\"\n\"001000000000002AAA\",\"C\"\n"
    );
    assert_eq!(
        csv(&org, "SELECT Serial__c, Weight__c, Account__r.Id FROM Machine__c WHERE Bought__c = 2024-01-31")
            .lines()
            .nth(1),
        Some("\"007\",\"1.5\",\"001000000000002AAA\"")
    );
    for (file, text, words) in [
        ("Acount.csv", "Name\nx\n", "did you mean 'Account'?"),
        ("Contact.csv", "LastNme\nx\n", "has no field 'LastNme'; did you mean 'LastName'?"),
        (
            "Contact.csv",
            "LastName,Birthdate\nx,1.2.2000\n",
            "line 2: Birthdate is '1.2.2000', expected a date such as 2024-01-31",
        ),
        ("Contact.csv", "LastName,Email\nx\n", "line 2: 1 cells under 2 headers"),
    ] {
        let path = folder.path().join(file);
        std::fs::write(&path, text)?;
        let error = Org::open(&DataSource::Folder(folder.path().to_owned()), &[], 1)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains(words) && error.contains(file), "{error}");
        std::fs::remove_file(path)?;
    }
    Ok(())
}
