//! The values of a run's variables as the state keeps them: a run that goes on has those that it began with.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::{ShownVariable, Variables, soql};

/// One variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptVariable {
    name: String,
    origin: String,
    predefined: bool,
    value: KeptValue,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeptValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Variables {
    /// As they are to be kept.
    pub(crate) fn kept(&self) -> Vec<KeptVariable> {
        let kept = |shown: &ShownVariable| KeptVariable {
            name: shown.name.clone(),
            origin: shown.origin.clone(),
            predefined: shown.predefined,
            value: match self.values.get(&shown.name) {
                None | Some(Value::Null) => KeptValue::Null,
                Some(Value::Integer(value)) => KeptValue::Integer(*value),
                Some(Value::Real(value)) => KeptValue::Real(*value),
                Some(Value::Text(value)) => KeptValue::Text(value.clone()),
                Some(Value::Blob(value)) => KeptValue::Blob(value.clone()),
            },
        };
        self.shown.iter().map(kept).collect()
    }

    /// As they were kept.
    pub(crate) fn restored(kept: &[KeptVariable]) -> Self {
        let mut values = BTreeMap::new();
        let mut shown = Vec::with_capacity(kept.len());
        for KeptVariable { name, origin, predefined, value } in kept {
            let value = match value {
                KeptValue::Null => Value::Null,
                KeptValue::Integer(value) => Value::Integer(*value),
                KeptValue::Real(value) => Value::Real(*value),
                KeptValue::Text(value) => Value::Text(value.clone()),
                KeptValue::Blob(value) => Value::Blob(value.clone()),
            };
            let (text, predefined) = (soql::text(&value), *predefined);
            shown.push(ShownVariable { name: name.clone(), origin: origin.clone(), value: text, predefined });
            values.insert(name.clone(), value);
        }
        Self { values, shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_types() {
        let mut variables = Variables::default();
        let values = [Value::Null, Value::Integer(7), Value::Real(0.5), Value::Text("7".into()), Value::Blob(vec![1])];
        for (number, value) in values.into_iter().enumerate() {
            variables.add(&format!("v{number}"), value, "x", number == 0);
        }
        let text = serde_json::to_string(&variables.kept()).unwrap();
        let restored = Variables::restored(&serde_json::from_str::<Vec<KeptVariable>>(&text).unwrap());
        assert_eq!((restored.values, restored.shown), (variables.values, variables.shown));
    }
}
