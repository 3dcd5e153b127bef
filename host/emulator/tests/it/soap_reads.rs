//! Queries and describes over SOAP, as partner and enterprise clients make them.

use forcepump_emulator::Options;
use forcepump_emulator::access::{Policy, UserAccess};

use serde_json::json;

use crate::partner::{ADMIN, soap};
use crate::support::Org;

async fn call(org: &Org, body: &str) -> (u16, String) {
    let session = org.emulator.credentials().access_token.clone();
    soap(org, "62.0", &session, body).await
}

/// The text of the first element of that name.
fn text<'a>(answer: &'a str, name: &str) -> &'a str {
    let open = format!("<{name}>");
    let from = answer.find(&open).unwrap_or_else(|| panic!("no {name} in {answer}")) + open.len();
    answer[from..].split('<').next().unwrap()
}

#[tokio::test]
async fn a_query_comes_in_pages_with_ids_twice() {
    let org = Org::with(Options { generate: vec![("Account".to_owned(), 4_500)], ..Options::default() }).await;
    let query = "<query xmlns=\"urn:partner.soap.sforce.com\"><queryString>SELECT Id, Name, CreatedDate FROM Account</queryString></query>";
    let (status, mut page) = call(&org, query).await;
    assert_eq!((status, text(&page, "size")), (200, "4500"));
    assert!(
        page.contains("<LimitInfoHeader><limitInfo><current>1</current><limit>100000</limit><type>API REQUESTS</type>")
    );
    assert!(text(&page, "sf:CreatedDate").ends_with('Z'));
    let (mut ids, mut sizes) = (std::collections::HashSet::new(), Vec::new());
    loop {
        let records: Vec<&str> = page.split("<records xsi:type=\"sf:sObject\">").skip(1).collect();
        sizes.push(records.len());
        for record in records {
            let id = text(record, "sf:Id");
            assert!(record.starts_with(&format!("<sf:type>Account</sf:type><sf:Id>{id}</sf:Id><sf:Id>{id}</sf:Id>")));
            assert!(ids.insert(id.to_owned()));
        }
        if text(&page, "done") == "true" {
            break;
        }
        let more =
            format!("<u:queryMore><u:queryLocator>{}</u:queryLocator></u:queryMore>", text(&page, "queryLocator"));
        page = call(&org, &more).await.1;
    }
    assert!(page.contains("<queryLocator xsi:nil=\"true\"/>"));
    assert_eq!((sizes, ids.len()), (vec![2_000, 2_000, 500], 4_500));
}

#[tokio::test]
async fn what_a_statement_can_hold_is_shown() {
    let org = Org::demo().await;
    let ask = async |soql: &str| call(&org, &format!("<query><queryString>{soql}</queryString></query>")).await.1;
    let counted = ask("SELECT COUNT() FROM Account").await;
    assert_eq!(text(&counted, "size"), org.rows("Account").to_string());
    assert!(!counted.contains("<records"));
    let nested = ask("SELECT Name, (SELECT LastName FROM Contacts), Owner.Name FROM Account LIMIT 50").await;
    assert!(nested.contains("<sf:Id xsi:nil=\"true\"/><sf:Name>"), "{nested}");
    assert!(nested.contains("<sf:Owner xsi:type=\"sf:sObject\"><sf:type>User</sf:type><sf:Id xsi:nil=\"true\"/>"));
    assert!(nested.contains("<sf:Contacts xsi:type=\"QueryResult\"><done>true</done><queryLocator xsi:nil=\"true\"/>"));
    let grouped = ask("SELECT Type, COUNT(Id) FROM Account GROUP BY Type").await;
    assert!(grouped.contains("<sf:type>AggregateResult</sf:type><sf:Id xsi:nil=\"true\"/>"), "{grouped}");
    let live = ask("SELECT COUNT() FROM Account WHERE IsDeleted = true").await;
    let all = "<queryAll><queryString>SELECT COUNT() FROM Account WHERE IsDeleted = true</queryString></queryAll>";
    assert_eq!((text(&live, "size"), text(&call(&org, all).await.1, "size")), ("0", "3"));
}

#[tokio::test]
async fn a_page_is_as_large_as_its_options_say() {
    let org = Org::demo().await;
    let session = org.emulator.credentials().access_token.clone();
    let text_of = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:u=\"urn:enterprise.soap.sforce.com\"><e:Header>\
         <u:SessionHeader><u:sessionId>{session}</u:sessionId></u:SessionHeader><u:QueryOptions><u:batchSize>200</u:batchSize>\
         </u:QueryOptions></e:Header><e:Body><u:query><u:queryString>SELECT Id, Name FROM Account</u:queryString></u:query>\
         </e:Body></e:Envelope>"
    );
    let request =
        org.client.post(org.url("/services/Soap/c/62.0/00Dxx")).header("content-type", "text/xml; charset=UTF-8");
    let answer = request.body(text_of).send().await.unwrap().text().await.unwrap();
    // An enterprise client's records are typed, and have what was selected.
    assert_eq!(answer.matches("<records xsi:type=\"sf:Account\"><sf:Id>").count(), 200);
    assert!(
        answer.contains("xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"")
            && text(&answer, "queryLocator").ends_with("-200")
    );
}

#[tokio::test]
async fn describes_have_every_object_and_field() {
    let org = Org::demo().await;
    let global = org.json("/sobjects").await["sobjects"].as_array().unwrap().len();
    let (_, answer) = call(&org, "<describeGlobal/>").await;
    assert_eq!(answer.matches("<sobjects>").count(), global);
    let fields = org.json("/sobjects/Account/describe").await["fields"].as_array().unwrap().len();
    let (_, one) = call(&org, "<describeSObject><sObjectType>account</sObjectType></describeSObject>").await;
    assert_eq!(one.matches("<fields>").count(), fields);
    assert!(one.contains("<describeSObjectResponse><result><activateable>") && !one.contains("<urls>"));
    let two = "<describeSObjects><sObjectType>Account</sObjectType><sObjectType>Lead</sObjectType></describeSObjects>";
    assert_eq!(call(&org, two).await.1.matches("<result>").count(), 2);
    let (status, none) = call(&org, "<describeSObject><sObjectType>Nope</sObjectType></describeSObject>").await;
    assert_eq!((status, text(&none, "faultcode")), (500, "sf:INVALID_TYPE"));
    assert!(none.contains("<sf:InvalidSObjectFault xsi:type=\"sf:InvalidSObjectFault\">"));
}

#[tokio::test]
async fn faults_have_the_detail_of_their_call() {
    let org = Org::demo().await;
    let bad = "<query><queryString>SELECT Nope FROM Account</queryString></query>";
    let (status, field) = call(&org, bad).await;
    assert_eq!((status, text(&field, "sf:exceptionCode")), (500, "INVALID_FIELD"));
    assert!(field.contains("<sf:InvalidFieldFault ") && field.contains("<sf:row>1</sf:row><sf:column>8</sf:column>"));
    let (_, syntax) = call(&org, "<query><queryString>SELECT</queryString></query>").await;
    assert!(syntax.contains("<sf:MalformedQueryFault "), "{syntax}");
    let (_, locator) = call(&org, "<queryMore><queryLocator>01g000000000000AAA-2000</queryLocator></queryMore>").await;
    assert!(locator.contains("<sf:InvalidQueryLocatorFault ") && locator.contains("invalid query locator"));
    let (_, other) = call(&org, "<merge/>").await;
    assert!(text(&other, "faultstring").starts_with("INVALID_OPERATION: "));
    let (_, dead) = soap(&org, "62.0", "dead", bad).await;
    assert_eq!(text(&dead, "faultcode"), "sf:INVALID_SESSION_ID");
}

#[tokio::test]
async fn records_are_retrieved_and_sessions_ended() {
    let org = Org::demo().await;
    let id = org.query("SELECT Id FROM Account LIMIT 1").await["records"][0]["Id"].as_str().unwrap().to_owned();
    let wanted = format!(
        "<retrieve><fieldList>Id, Name</fieldList><sObjectType>Account</sObjectType><ids>{id}</ids><ids>001000000000000AAA</ids></retrieve>"
    );
    let (_, found) = call(&org, &wanted).await;
    assert!(found.contains(&format!("<result xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id>{id}</sf:Id>")));
    assert!(found.contains("</result><result xsi:nil=\"true\"/></retrieveResponse>"));
    let session = org.emulator.credentials().access_token.clone();
    let (_, ended) =
        call(&org, &format!("<invalidateSessions><sessionIds>{session}</sessionIds></invalidateSessions>")).await;
    assert!(ended.contains("<invalidateSessionsResponse><result><success>true</success>"));
    assert_eq!(text(&call(&org, "<describeGlobal/>").await.1, "sf:exceptionCode"), "INVALID_SESSION_ID");
}

#[tokio::test]
async fn limits_rights_and_hidden_fields_hold_here_too() {
    let hidden =
        UserAccess { username: ADMIN.to_owned(), hidden: vec!["Account.Phone".to_owned()], ..UserAccess::default() };
    let org = Org::with(Options { users: vec![hidden], daily_api_requests: 2, ..Options::default() }).await;
    let (_, phone) = call(&org, "<query><queryString>SELECT Phone FROM Account</queryString></query>").await;
    assert!(phone.contains("No such column 'Phone' on entity 'Account'"));
    assert_eq!(call(&org, "<describeGlobal/>").await.0, 200);
    let (_, out) = call(&org, "<describeGlobal/>").await;
    assert_eq!(text(&out, "faultstring"), "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.");

    let policy = Policy { api_enabled: false, ..Policy::default() };
    let closed = Org::with(Options { policy, ..Options::default() }).await;
    assert_eq!(text(&call(&closed, "<describeGlobal/>").await.1, "sf:exceptionCode"), "API_DISABLED_FOR_ORG");
}

#[tokio::test]
async fn partners_write_too() {
    let org = Org::demo().await;
    let before = org.rows("Account");
    let records = "<u:sObjects><s:type>Account</s:type><s:Name>A &amp; B</s:Name><s:NumberOfEmployees>7</s:NumberOfEmployees></u:sObjects>\
                   <u:sObjects><s:type>Account</s:type></u:sObjects>";
    let (status, made) = call(&org, &format!("<u:create>{records}</u:create>")).await;
    assert_eq!((status, made.matches("<success>true</success>").count()), (200, 1));
    assert!(made.contains("<errors><fields>Name</fields><message>Required fields are missing: [Name]</message>"));
    let id = text(&made, "id").to_owned();
    let changed = format!(
        "<update><sObjects><type>Account</type><fieldsToNull>NumberOfEmployees</fieldsToNull><Id>{id}</Id>\
                           <Phone>1</Phone></sObjects></update>"
    );
    assert!(
        call(&org, &changed).await.1.contains(&format!("<updateResponse><result><id>{id}</id><success>true</success>"))
    );
    let row = org.json(&format!("/sobjects/Account/{id}?fields=Name,Phone,NumberOfEmployees")).await;
    assert_eq!((&row["Name"], &row["Phone"]), (&json!("A & B"), &json!("1")));
    assert!(row["NumberOfEmployees"].is_null());
    let typed = "<create><sObjects xsi:type=\"u:Account\"><Name>Typed</Name></sObjects></create>";
    let typed = text(&call(&org, typed).await.1, "id").to_owned();
    assert_eq!(org.json(&format!("/sobjects/Account/{typed}?fields=Name")).await["Name"], "Typed");
    let upsert = "<upsert><externalIDFieldName>Email</externalIDFieldName><sObjects><type>Contact</type><LastName>L</LastName>\
                  <Email>s@x.example</Email></sObjects></upsert>";
    assert!(call(&org, upsert).await.1.contains("<created>true</created>"));
    assert!(call(&org, upsert).await.1.contains("<created>false</created>"));
    let (_, gone) = call(&org, &format!("<delete><ids>{id}</ids><ids>001000000000000AAA</ids></delete>")).await;
    assert!(
        gone.contains(&format!("<id>{id}</id><success>true</success>")) && gone.contains("INVALID_CROSS_REFERENCE_KEY")
    );
    assert_eq!(org.rows("Account"), before + 1);
}
