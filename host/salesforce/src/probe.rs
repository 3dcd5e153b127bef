//! Looks at an org that cost one cheap request each: which APIs answer, how far the clocks are apart, which fields exist.

use http::Method;
use serde::Deserialize;

use crate::client::{Call, Client};
use crate::describe::check_name;
use crate::error::{Error, Result, same_code};
use crate::extract::Api;

/// A job id that no org gives out.
const NO_JOB: &str = "750000000000000AAA";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    qualified_api_name: String,
}

#[derive(Deserialize)]
struct Definitions {
    done: bool,
    #[serde(default)]
    records: Vec<Definition>,
}

impl Client {
    /// Asks the API for something small; the user may use it when that is answered.
    ///
    /// # Errors
    /// What the API said instead.
    pub async fn reach(&self, api: Api) -> Result<()> {
        let what = api.words();
        let call = match api {
            Api::Rest => {
                let mut call = Call::get(what, self.path("/query"));
                call.query.push(("q", "SELECT Id FROM Organization LIMIT 1".to_owned()));
                call
            }
            Api::Bulk2 => {
                let mut call = Call::get(what, self.path("/jobs/query"));
                call.query.push(("jobType", "V2Query".to_owned()));
                call
            }
            Api::Bulk1 => {
                let path = format!("/services/async/{}/job/{NO_JOB}", self.api_version());
                return match self.whole(&Call::new(Method::GET, what, path)).await {
                    Ok(_) => Ok(()),
                    Err(error) if is_no_such_job(&error) => Ok(()),
                    Err(error) => Err(error),
                };
            }
        };
        self.whole(&call).await.map(drop)
    }

    /// The names of all fields of an object, as the Tooling API's `FieldDefinition` lists them: those that field-level
    /// security hides in describe too, where the user may see the setup.
    ///
    /// # Errors
    /// When they cannot be read; then nothing is known of what is hidden.
    pub async fn defined_fields(&self, object: &str) -> Result<Vec<String>> {
        check_name(object)?;
        let what = format!("field definitions of {object}");
        let mut call = Call::get(what.clone(), self.path("/tooling/query"));
        let soql = format!(
            "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = '{object}'"
        );
        call.query.push(("q", soql));
        let answer: Definitions = self.json(&call).await?;
        if !answer.done {
            return Err(Error::protocol(what, "the answer is not whole (done = false)"));
        }
        Ok(answer.records.into_iter().map(|record| record.qualified_api_name).collect())
    }
}

/// The API looked for the job: it is there, and the user may use it.
fn is_no_such_job(error: &Error) -> bool {
    match error {
        Error::Api { status: 404, .. } => true,
        Error::Api { code, .. } => ["InvalidJob", "InvalidJobId"].iter().any(|known| same_code(known, code)),
        _ => false,
    }
}
