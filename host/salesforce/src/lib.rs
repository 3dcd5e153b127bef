//! Salesforce client: authentication, describe, SOQL, Bulk API 2.0.
