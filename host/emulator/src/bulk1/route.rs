//! From a path below `/services/async/NN.N` to the resource behind it.

use http::Method;

use crate::faults::RouteName;

/// What a path below the version names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    Jobs,
    Job(String),
    Batches(String),
    Batch { job: String, batch: String },
    Request { job: String, batch: String },
    Results { job: String, batch: String },
    Result { job: String, batch: String, result: String },
    Unknown,
}

impl Resource {
    pub(crate) fn parse(parts: &[&str]) -> Resource {
        let own = |text: &str| text.to_owned();
        match parts {
            ["job"] => Resource::Jobs,
            ["job", job] => Resource::Job(own(job)),
            ["job", job, "batch"] => Resource::Batches(own(job)),
            ["job", job, "batch", batch] => Resource::Batch { job: own(job), batch: own(batch) },
            ["job", job, "batch", batch, "request"] => Resource::Request { job: own(job), batch: own(batch) },
            ["job", job, "batch", batch, "result"] => Resource::Results { job: own(job), batch: own(batch) },
            ["job", job, "batch", batch, "result", result] => {
                Resource::Result { job: own(job), batch: own(batch), result: own(result) }
            }
            _ => Resource::Unknown,
        }
    }

    /// The name in fault scripts.
    pub(crate) fn name(&self, method: &Method) -> RouteName {
        let post = *method == Method::POST;
        match self {
            Resource::Jobs => RouteName::Bulk1Create,
            Resource::Job(_) if post => RouteName::Bulk1Close,
            Resource::Job(_) => RouteName::Bulk1Job,
            Resource::Batches(_) if post => RouteName::Bulk1Batch,
            Resource::Batches(_) => RouteName::Bulk1Batches,
            Resource::Batch { .. } => RouteName::Bulk1BatchInfo,
            Resource::Request { .. } => RouteName::Bulk1Request,
            Resource::Results { .. } => RouteName::Bulk1ResultList,
            Resource::Result { .. } => RouteName::Bulk1Results,
            Resource::Unknown => RouteName::Unknown,
        }
    }
}
