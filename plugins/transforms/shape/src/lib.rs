//! Selects, renames, reorders and drops columns, and adds constant ones; never reads a byte of them.

mod config;
mod constant;
mod layout;

use forcepump_plugin_sdk::{
    Batch, Derived, Description, OpenRequest, Opened, Outcome, PluginError, Transform, export_transform,
};

/// Nothing is left to do once the layout is settled.
#[derive(Debug)]
pub struct Shape;

impl Transform for Shape {
    fn describe() -> Description {
        Description::new(
            "shape",
            env!("CARGO_PKG_VERSION"),
            "selects, renames and reorders columns and adds constant ones",
        )
        .config_schema(include_str!("../config.schema.json"))
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config = config::Config::parse(&request.config)?;
        Ok((Shape, Opened::new(layout::settle(&config, &request.input)?)))
    }

    fn process(&mut self, _batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        Ok(Derived::all([]).into())
    }
}

export_transform!(Shape);

#[cfg(test)]
mod tests {
    use super::*;
    use forcepump_plugin_sdk::testing::{Table, TransformRun};
    use serde_json::json;

    fn table() -> Table {
        Table::new()
            .text("Id", ["1", "2"])
            .text("Name", [Some("Ada"), None])
            .text("Account.Name", ["Acme", "Initech"])
            .text("Account.Phone", [None::<&str>, None])
            .int32("Age", [36, 41])
    }

    fn names(config: serde_json::Value) -> Vec<String> {
        let run = TransformRun::<Shape>::open(&config, &table().schema);
        run.map(|run| run.output_names().into_iter().map(str::to_owned).collect())
            .unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn problem(config: serde_json::Value) -> (String, String) {
        match TransformRun::<Shape>::open(&config, &table().schema) {
            Err(PluginError::Config(problems)) => (problems[0].pointer.clone(), problems[0].message.clone()),
            other => panic!("expected a config error, got {other:?}"),
        }
    }

    #[test]
    fn columns_come_out_in_the_order_of_the_list() {
        assert_eq!(names(json!({"columns": ["Age", "Id"]})), ["Age", "Id"]);
        assert_eq!(names(json!({})), ["Id", "Name", "Account.Name", "Account.Phone", "Age"]);
    }

    #[test]
    fn a_wildcard_stands_for_what_is_not_named_otherwise() {
        assert_eq!(
            names(json!({"columns": ["Age", "*", {"from": "Account.Name", "as": "account"}], "drop": ["Name"]})),
            ["Age", "Id", "Account.Phone", "account"]
        );
        assert_eq!(names(json!({"columns": ["Account.*", "Id"]})), ["Account.Name", "Account.Phone", "Id"]);
    }

    #[test]
    fn renaming_alone_keeps_everything() {
        assert_eq!(
            names(json!({"rename": {"Account.Name": "account"}, "drop": ["Account.Phone"]})),
            ["Id", "Name", "account", "Age"]
        );
    }

    #[test]
    fn constants_have_a_type_and_values_stay_with_their_rows() -> Result<(), PluginError> {
        let config = json!({"columns": [
            {"as": "source", "value": "salesforce"},
            {"from": "Name", "as": "who"},
            {"as": "rate", "value": "1.50", "type": "decimal"},
            {"as": "since", "value": "1969-07-20", "type": "date"},
            {"as": "nothing", "value": null}
        ]});
        let mut run = TransformRun::<Shape>::open(&config, &table().schema)?;
        let out = run.process(&table())?.table;
        assert_eq!(out.texts("who"), [Some("Ada".to_owned()), None]);
        assert_eq!(out.texts("source"), [Some("salesforce".to_owned()), Some("salesforce".to_owned())]);
        assert_eq!(out.texts("rate")[0].as_deref(), Some("1.50"));
        assert_eq!(out.texts("since")[1].as_deref(), Some("1969-07-20"));
        assert_eq!(out.texts("nothing"), [None, None]);
        assert!(run.opened.reads.is_empty());
        Ok(())
    }

    #[test]
    fn faults_are_named_with_their_place() {
        assert_eq!(
            problem(json!({"columns": ["Id", "Nmae"]})),
            ("/columns/1".to_owned(), "there is no column \"Nmae\"; did you mean \"Name\"?".to_owned())
        );
        let (pointer, message) = problem(json!({"columns": ["Id", {"from": "Name", "as": "id"}]}));
        assert_eq!(pointer, "/columns/1");
        assert!(message.contains("two columns are named \"id\""), "{message}");
        assert_eq!(problem(json!({"columns": [{"as": "x", "value": 1, "tpye": "int"}]})).0, "/columns/0/tpye");
        assert_eq!(problem(json!({"columns": [{"as": "x", "value": "soon", "type": "date"}]})).0, "/columns/0/value");
        assert_eq!(problem(json!({"rename": {"Nope": "x"}})).0, "/rename/Nope");
        assert_eq!(problem(json!({"columns": ["Id"], "rename": {"Name": "x"}})).0, "/rename/Name");
        assert_eq!(problem(json!({"drop": ["Missing"]})).0, "/drop/0");
    }
}
