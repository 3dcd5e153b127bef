//! A statement back to text; what is printed parses to the same statement.

use std::fmt::{Display, Formatter, Result, Write as _};

use super::ast::{
    Comparison, Condition, Expression, FieldGroup, Grouping, Item, Literal, Order, Path, Statement, TypeOf,
};

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&self.dotted())
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("SELECT ")?;
        list(f, &self.items)?;
        write!(f, " FROM {}", self.from)?;
        if let Some(alias) = &self.alias {
            write!(f, " {alias}")?;
        }
        for (path, alias) in &self.joins {
            write!(f, ", {path} {alias}")?;
        }
        if let Some(scope) = &self.scope {
            write!(f, " USING SCOPE {scope}")?;
        }
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if let Some(with) = &self.with {
            write!(f, " WITH {with}")?;
        }
        self.fmt_tail(f)
    }
}

impl Statement {
    fn fmt_tail(&self, f: &mut Formatter<'_>) -> Result {
        if !self.group_by.is_empty() {
            f.write_str(" GROUP BY ")?;
            let (before, after) = match self.grouping {
                Grouping::Plain => ("", ""),
                Grouping::Rollup => ("ROLLUP(", ")"),
                Grouping::Cube => ("CUBE(", ")"),
            };
            f.write_str(before)?;
            list(f, &self.group_by)?;
            f.write_str(after)?;
        }
        if let Some(having) = &self.having {
            write!(f, " HAVING {having}")?;
        }
        if !self.order_by.is_empty() {
            f.write_str(" ORDER BY ")?;
            list(f, &self.order_by)?;
        }
        if let Some(limit) = self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " OFFSET {offset}")?;
        }
        if self.all_rows {
            f.write_str(" ALL ROWS")?;
        }
        for purpose in &self.purposes {
            write!(f, " FOR {purpose}")?;
        }
        if !self.updates.is_empty() {
            f.write_str(" UPDATE ")?;
            list(f, &self.updates)?;
        }
        Ok(())
    }
}

impl Display for Item {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Item::Expression(expression, None) => expression.fmt(f),
            Item::Expression(expression, Some(alias)) => write!(f, "{expression} {alias}"),
            Item::Fields(FieldGroup::All) => f.write_str("FIELDS(ALL)"),
            Item::Fields(FieldGroup::Standard) => f.write_str("FIELDS(STANDARD)"),
            Item::Fields(FieldGroup::Custom) => f.write_str("FIELDS(CUSTOM)"),
            Item::Children(statement) => write!(f, "({statement})"),
            Item::TypeOf(choice) => choice.fmt(f),
        }
    }
}

impl Display for TypeOf {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "TYPEOF {}", self.path)?;
        for (object, paths) in &self.branches {
            write!(f, " WHEN {object} THEN ")?;
            list(f, paths)?;
        }
        if !self.otherwise.is_empty() {
            f.write_str(" ELSE ")?;
            list(f, &self.otherwise)?;
        }
        f.write_str(" END")
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Expression::Field(path) => path.fmt(f),
            Expression::Call { name, argument: None } => write!(f, "{name}()"),
            Expression::Call { name, argument: Some(argument) } => write!(f, "{name}({argument})"),
        }
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let values = |f: &mut Formatter<'_>, values: &[Literal]| -> Result {
            f.write_char('(')?;
            list(f, values)?;
            f.write_char(')')
        };
        match self {
            Condition::And(parts) => chain(f, parts, " AND "),
            Condition::Or(parts) => chain(f, parts, " OR "),
            Condition::Not(inner) => write!(f, "NOT ({inner})"),
            Condition::Compare(left, operator, right) => write!(f, "{left} {operator} {right}"),
            Condition::In(left, positive, right) => {
                write!(f, "{left} {} ", if *positive { "IN" } else { "NOT IN" })?;
                values(f, right)
            }
            Condition::InSelect(left, positive, right) => {
                write!(f, "{left} {} ({right})", if *positive { "IN" } else { "NOT IN" })
            }
            Condition::Includes(left, positive, right) => {
                write!(f, "{left} {} ", if *positive { "INCLUDES" } else { "EXCLUDES" })?;
                values(f, right)
            }
        }
    }
}

fn chain(f: &mut Formatter<'_>, parts: &[Condition], between: &str) -> Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        match part {
            Condition::And(_) | Condition::Or(_) | Condition::Not(_) => write!(f, "({part})")?,
            _ => part.fmt(f)?,
        }
    }
    Ok(())
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Like => "LIKE",
        })
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Boolean(value) => value.fmt(f),
            Literal::Number(text) | Literal::Date(text) | Literal::DateTime(text) | Literal::Time(text) => {
                f.write_str(text)
            }
            Literal::Text(text) => quoted(f, text, false),
            Literal::Pattern(text) => quoted(f, text, true),
            Literal::Relative(name, None) => f.write_str(name),
            Literal::Relative(name, Some(count)) => write!(f, "{name}:{count}"),
            Literal::Money(code, amount) => write!(f, "{code}{amount}"),
        }
    }
}

/// A string literal; a pattern's backslashes are escapes already.
fn quoted(f: &mut Formatter<'_>, text: &str, pattern: bool) -> Result {
    f.write_char('\'')?;
    for c in text.chars() {
        match c {
            '\\' if pattern => f.write_char('\\')?,
            '\\' | '\'' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ => f.write_char(c)?,
        }
    }
    f.write_char('\'')
}

impl Display for Order {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.by.fmt(f)?;
        if self.descending {
            f.write_str(" DESC")?;
        }
        match self.nulls_first {
            Some(true) => f.write_str(" NULLS FIRST"),
            Some(false) => f.write_str(" NULLS LAST"),
            None => Ok(()),
        }
    }
}
