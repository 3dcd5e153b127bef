//! Arrow schema and batches, canonical Salesforce types, the CSV dialect, row rejects.
