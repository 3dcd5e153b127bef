//! A local Salesforce, written from the published wire facts.
