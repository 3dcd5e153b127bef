//! Which column a field of a record is: the dotted names of the schema as a tree of parents and fields.

use arrow_schema::Schema;

/// A record, or a parent within it: the fields that are asked of it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Path of the parent with a dot at its end; empty for the record itself.
    path: String,
    children: Vec<Child>,
}

/// A field, or a parent, or both when names are the same.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    /// The column of the field of that name.
    pub(super) column: Option<usize>,
    /// The parent of that name.
    pub(super) parent: Option<Node>,
}

impl Node {
    /// The tree of a schema's columns.
    pub(super) fn of(schema: &Schema) -> Self {
        let mut root = Self::default();
        for (column, field) in schema.fields().iter().enumerate() {
            let segments: Vec<&str> = field.name().split('.').collect();
            root.add(&segments, column);
        }
        root
    }

    fn add(&mut self, segments: &[&str], column: usize) {
        let Some((name, rest)) = segments.split_first() else { return };
        let place = self.children.iter().position(|child| child.name.eq_ignore_ascii_case(name));
        let place = place.unwrap_or_else(|| {
            self.children.push(Child { name: (*name).to_owned(), column: None, parent: None });
            self.children.len() - 1
        });
        let path = format!("{}{name}.", self.path);
        let child = &mut self.children[place];
        if rest.is_empty() {
            child.column = Some(column);
        } else {
            child.parent.get_or_insert_with(|| Self { path, children: Vec::new() }).add(rest, column);
        }
    }

    /// The child of that name. `hint` is where the last one was found: records name their fields in the order of the
    /// query.
    pub(super) fn child(&self, name: &str, hint: &mut usize) -> Option<&Child> {
        if self.children.get(*hint).is_none_or(|child| child.name != name) {
            let exact = self.children.iter().position(|child| child.name == name);
            *hint = exact.or_else(|| self.children.iter().position(|child| child.name.eq_ignore_ascii_case(name)))?;
        }
        let child = &self.children[*hint];
        *hint += 1;
        Some(child)
    }

    /// Whether a field is written exactly so.
    pub(super) fn has_exactly(&self, name: &str) -> bool {
        self.children.iter().any(|child| child.name == name)
    }

    /// Every column below.
    pub(super) fn each_column(&self, tell: &mut impl FnMut(usize)) {
        for child in &self.children {
            child.column.iter().for_each(|column| tell(*column));
            if let Some(parent) = &child.parent {
                parent.each_column(tell);
            }
        }
    }

    /// Columns of the record's own fields and of its parents: what every record has to name.
    pub(super) fn own(&self) -> impl Iterator<Item = &Child> {
        self.children.iter()
    }

    /// The whole name of a field.
    pub(super) fn full(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }
}
