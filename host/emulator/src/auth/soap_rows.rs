//! `undelete()` of SOAP: REST has no call that takes records out of the recycle bin.

use super::soap_xml::{elements, escape, unescape};
use super::tenant::Tenant;
use super::user::User;
use crate::data::edit::{Author, Edit};

/// Records in one call at most (SOAP API Developer Guide, "undelete()").
const MOST_RECORDS: usize = 200;

/// A result for each id of the call, in their order; one that fails keeps no other.
pub(super) fn undelete(tenant: &Tenant, user: &User, body: &str) -> String {
    let org = tenant.view(user);
    let author = Author { user: &user.id, at: org.clock().now() };
    let results: String = elements(body, "ids")
        .take(MOST_RECORDS)
        .map(|id| match org.edit(&Edit::Undelete { id: unescape(id.trim()) }, author) {
            Ok(id) => format!("<result><id>{id}</id><success>true</success></result>"),
            Err(error) => format!(
                "<result><errors><message>{}</message><statusCode>{}</statusCode></errors><id xsi:nil=\"true\"/>\
                 <success>false</success></result>",
                escape(&error.message),
                error.code
            ),
        })
        .collect();
    format!("<undeleteResponse>{results}</undeleteResponse>")
}
