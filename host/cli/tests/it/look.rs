//! `org` and `connection`: an org looked at from the terminal, and the way into it.

use crate::harness::{Bench, Org};

#[test]
fn objects_fields_limits_and_rows_are_shown() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let objects = bench.run(&["org", "objects", "opportun"]).ends(0);
    assert!(objects.stdout.contains("OpportunityContactRole") && !objects.stdout.contains("Contact \n"), "{objects:?}");
    assert!(!objects.stdout.contains("Campaign"), "{objects:?}");
    let none = bench.run(&["org", "objects", "nothing like it"]).ends(0);
    assert_eq!(none.stdout.trim_end(), "no such object");
    let custom = bench.run(&["org", "objects", "--custom", "--queryable", "--json"]).ends(0).json();
    let custom = custom["objects"].as_array().cloned().unwrap_or_default();
    assert!(!custom.is_empty() && custom.iter().all(|o| o["custom"] == true && o["queryable"] == true), "{custom:?}");

    let account = bench.run(&["org", "describe", "account"]).ends(0);
    assert!(account.stdout.starts_with("Account (Account)"), "{account:?}");
    assert!(
        account.stdout.contains("Decimal128(19, 2)") || account.stdout.contains("Decimal128(19, 0)"),
        "{account:?}"
    );
    assert!(account.stdout.contains("BillingAddress: compound address field"), "{account:?}");
    let fields = bench.run(&["org", "describe", "Account", "--json"]).ends(0).json();
    let field = |name: &str| {
        let found = fields["fields"].as_array().and_then(|fields| fields.iter().find(|field| field["name"] == name));
        found.cloned().unwrap_or_default()
    };
    assert_eq!(field("OwnerId")["reference_to"][0], "User");
    assert_eq!(field("Name")["arrow_type"], "Utf8");
    assert!(field("BillingAddress")["arrow_type"].is_null());
    assert_eq!(field("BillingAddress")["parts"][0], "BillingStreet");
    assert_eq!(field("BillingCity")["part_of"], "BillingAddress");

    let limits = bench.run(&["org", "limits"]).ends(0);
    assert!(limits.stdout.contains("DailyApiRequests") && limits.stdout.contains("100,000"), "{limits:?}");

    let soql = "SELECT Id, Name, Owner.Name FROM Account ORDER BY Name";
    let rows = bench.run(&["org", "query", soql, "-n", "3"]).ends(0);
    assert!(rows.stdout.contains("Owner.Name") && rows.stdout.contains("3 of 1,837 rows"), "{rows:?}");
    let many = bench.run(&["org", "query", soql, "-n", "4000", "--json"]).ends(0).json();
    assert_eq!(many["records"].as_array().map(Vec::len), Some(1_837));
    assert_eq!(many["columns"], serde_json::json!(["Id", "Name", "Owner.Name"]));
    let count = bench.run(&["org", "query", "SELECT COUNT() FROM Account"]).ends(0);
    assert_eq!(count.stdout.trim_end(), "1,837 rows");
}

#[test]
fn groups_of_fields_and_children_are_shown_whole() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let soql = "SELECT FIELDS(ALL) FROM Account WHERE Industry != null";
    let rows = bench.run(&["org", "query", soql, "-n", "2", "--json"]).ends(0).json();
    let columns = rows["columns"].as_array().map(Vec::len).unwrap_or_default();
    assert!(columns > 40 && rows["records"].as_array().map(Vec::len) == Some(2), "{columns} columns");
    let as_it_is = format!("{soql} LIMIT 3");
    let rows = bench.run(&["org", "query", &as_it_is, "--json"]).ends(0).json();
    assert!(rows["records"][0]["BillingAddress"].is_object(), "sent as it is: {rows}");

    let soql = "SELECT Name, (SELECT LastName, Email FROM Contacts) FROM Account WHERE Name IN ('3M', 'Accenture')";
    let shown = bench.run(&["org", "query", soql]).ends(0).stdout;
    assert!(shown.contains("\n\nContacts\n of ") && shown.contains("Ausman"), "{shown}");
    let all = bench.run(&["org", "query", "SELECT Id, (SELECT Id FROM Contacts) FROM Account", "-n", "9999", "--json"]);
    let all = all.ends(0).json();
    let children = |record: &serde_json::Value| record["Contacts"]["records"].as_array().map_or(0, Vec::len);
    let found: usize = all["records"].as_array().into_iter().flatten().map(children).sum();
    let expected = bench.run(&["org", "query", "SELECT COUNT() FROM Contact WHERE AccountId != null"]).ends(0).stdout;
    assert_eq!(format!("{found} rows"), expected.trim_end());
}

#[test]
fn what_cannot_be_asked_is_answered_with_the_way_out() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let object = bench.run(&["org", "describe", "Acount"]).ends(2);
    assert!(object.stderr.contains("did you mean Account?"), "{object:?}");
    let field = bench.run(&["org", "query", "SELECT Nothing FROM Account"]).ends(2);
    assert!(field.stderr.contains("INVALID_FIELD"), "{field:?}");
    let none = bench.run(&["org", "query", "SELECT Id FROM Account", "-n", "0"]).ends(2);
    assert!(none.stderr.contains("-n must be at least 1"), "{none:?}");
    let two = format!("{}\n[other]\nenvironment = \"demo\"\n", bench.read("connections.toml"));
    bench.write("connections.toml", &two);
    let which = bench.run(&["org", "limits"]).ends(2);
    assert!(which.stderr.contains("has: org, other") && which.stderr.contains("--connection org"), "{which:?}");
    bench.run(&["org", "limits", "--connection", "org"]).ends(0);
    let demo = bench.run(&["org", "--connection", "other", "query", "SELECT COUNT() FROM Contact"]).ends(0);
    assert_eq!(demo.stdout.trim_end(), "793 rows");
}

#[test]
fn a_connection_is_tried_and_its_secret_is_never_shown() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let who = org.emulator().credentials().clone();
    let tested = bench.run(&["connection", "test"]).ends(0);
    for text in ["org: logged in", &who.username, "DailyApiRequests: ", "the org offers up to 67.0"] {
        assert!(tested.stdout.contains(text), "{text}: {tested:?}");
    }
    let listed = bench.run(&["connection", "list"]).ends(0);
    assert!(listed.stdout.contains("client-credentials"), "{listed:?}");
    let shown = bench.run(&["connection", "show", "org"]).ends(0);
    assert!(shown.stdout.contains("env:FORCEPUMP_TEST_SECRET (there)"), "{shown:?}");
    let text = bench.read("connections.toml").replace("FORCEPUMP_TEST_SECRET", "NOT_THERE");
    bench.write(
        "connections.toml",
        &format!(
            "{text}[plain]\nurl = \"{}\"\nauth = \"access-token\"\naccess_token = \"{}\"\n",
            who.instance_url, who.access_token
        ),
    );
    let shown = bench.run(&["connection", "show", "org", "--json"]).ends(0).json();
    assert_eq!(shown["settings"][1]["found"], false, "{shown}");
    let listed = bench.run(&["connection", "list"]).ends(0);
    assert!(listed.stdout.contains("client_secret") && listed.stdout.contains("access_token"), "{listed:?}");
    let plain = bench.run(&["connection", "show", "plain"]).ends(0);
    assert!(plain.stdout.contains("(plain text, refused) (not found)"), "{plain:?}");
    for said in [&tested, &shown_text(&shown), &listed, &plain] {
        let said = format!("{said:?}");
        assert!(!said.contains(&who.client_secret) && !said.contains(&who.access_token), "{said}");
    }
    let refused = bench.run(&["connection", "test", "org"]).ends(2);
    assert!(refused.stderr.contains("NOT_THERE, which is not set"), "{refused:?}");
    let unknown = bench.run(&["connection", "test", "prod"]).ends(2);
    assert!(unknown.stderr.contains("it has: org, plain"), "{unknown:?}");
}

fn shown_text(value: &serde_json::Value) -> crate::harness::Ran {
    crate::harness::Ran { code: 0, stdout: value.to_string(), stderr: String::new() }
}
