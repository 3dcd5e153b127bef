//! What an expression is made of, before columns and types are known.

/// A fault in the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// byte where it begins
    pub(crate) at: usize,
    /// what is wrong and what is expected
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Fault { at, message: message.into() }
    }

    /// The message with its place in `text` as people count: characters, from 1.
    pub(crate) fn describe(&self, text: &str) -> String {
        const SHOWN_CHARACTERS: usize = 20;
        let at = (0..=self.at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (before, rest) = text.split_at(at);
        let position = before.chars().count() + 1;
        if rest.trim().is_empty() {
            return format!("at the end: {}", self.message);
        }
        let shown: String = rest.chars().take(SHOWN_CHARACTERS).collect();
        let more = if rest.chars().count() > SHOWN_CHARACTERS { "…" } else { "" };
        format!("at character {position} (`{shown}{more}`): {}", self.message)
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// holds when one of them does
    Any(Vec<Expression>),
    /// holds when each of them does
    All(Vec<Expression>),
    Not(Box<Expression>),
    /// a boolean column by itself
    Truth(Name),
    Compare {
        left: Operand,
        op: Op,
        right: Operand,
    },
    In {
        left: Name,
        list: Vec<Located<Literal>>,
    },
    Between {
        left: Name,
        low: Located<Literal>,
        high: Located<Literal>,
    },
    Like {
        left: Name,
        pattern: String,
        ignore_case: bool,
    },
    IsNull(Name),
}

/// Something and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Located<T> {
    pub(crate) at: usize,
    pub(crate) of: T,
}

/// A column's name.
pub(crate) type Name = Located<String>;

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Column(Name),
    Literal(Located<Literal>),
}

/// A fixed value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    /// digits, and how many of them are behind the point (below zero: zeros to append)
    Number {
        digits: i128,
        scale: i32,
    },
    Boolean(bool),
    /// days since 1970-01-01
    Date(i32),
    /// microseconds since the epoch
    Instant(i64),
    Null,
}

impl Literal {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Literal::Text(_) => "a text",
            Literal::Number { .. } => "a number",
            Literal::Boolean(_) => "true or false",
            Literal::Date(_) => "a date",
            Literal::Instant(_) => "a date-time",
            Literal::Null => "null",
        }
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Op {
    /// The same comparison with its sides exchanged.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Op::Less => Op::Greater,
            Op::LessOrEqual => Op::GreaterOrEqual,
            Op::Greater => Op::Less,
            Op::GreaterOrEqual => Op::LessOrEqual,
            same => same,
        }
    }

    /// Whether it holds for two values in that order.
    #[inline]
    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Op::Equal => order.is_eq(),
            Op::Unequal => order.is_ne(),
            Op::Less => order.is_lt(),
            Op::LessOrEqual => order.is_le(),
            Op::Greater => order.is_gt(),
            Op::GreaterOrEqual => order.is_ge(),
        }
    }
}
