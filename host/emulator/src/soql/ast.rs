//! A statement as parsed: names as written, nothing looked up yet.

/// A dotted name, for example `Account.Owner.Name`. Equality ignores where it stood.
#[derive(Debug, Clone, Default)]
pub struct Path {
    /// The names between the dots, as written.
    pub parts: Vec<String>,
    /// Byte offset of the first name in the statement, for error messages.
    pub at: usize,
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Path {
    /// The name with its dots.
    pub fn dotted(&self) -> String {
        self.parts.join(".")
    }
}

/// One SELECT statement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statement {
    /// What is selected.
    pub items: Vec<Item>,
    /// The object after FROM; of a sub-select, the relationship.
    pub from: Path,
    /// Alias of the object.
    pub alias: Option<String>,
    /// Further `path alias` pairs after the object.
    pub joins: Vec<(Path, String)>,
    /// `USING SCOPE name`.
    pub scope: Option<String>,
    /// WHERE.
    pub filter: Option<Condition>,
    /// Words after WITH, as written.
    pub with: Option<String>,
    /// GROUP BY.
    pub group_by: Vec<Expression>,
    /// Whether subtotals come with it.
    pub grouping: Grouping,
    /// HAVING.
    pub having: Option<Condition>,
    /// ORDER BY.
    pub order_by: Vec<Order>,
    /// LIMIT.
    pub limit: Option<u64>,
    /// OFFSET.
    pub offset: Option<u64>,
    /// ALL ROWS.
    pub all_rows: bool,
    /// Words after FOR, upper case.
    pub purposes: Vec<String>,
    /// Words after UPDATE, upper case.
    pub updates: Vec<String>,
}

/// How GROUP BY groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// By all of its fields.
    #[default]
    Plain,
    /// `ROLLUP(…)`: by ever fewer fields too.
    Rollup,
    /// `CUBE(…)`: by every combination of its fields.
    Cube,
}

/// One entry of the select list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A field or a function of fields, with its alias.
    Expression(Expression, Option<String>),
    /// `FIELDS(ALL)` and its kin.
    Fields(FieldGroup),
    /// A sub-select over a child relationship.
    Children(Box<Statement>),
    /// `TYPEOF path WHEN …`.
    TypeOf(TypeOf),
}

/// Argument of `FIELDS()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldGroup {
    /// Every field.
    All,
    /// Fields of the object as delivered.
    Standard,
    /// Fields that end in `__c`.
    Custom,
}

/// `TYPEOF path WHEN type THEN paths … ELSE paths END`.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeOf {
    /// The polymorphic relationship.
    pub path: Path,
    /// Object and what is selected of it.
    pub branches: Vec<(String, Vec<Path>)>,
    /// What is selected of other objects.
    pub otherwise: Vec<Path>,
}

/// A field, or a function over one.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A field.
    Field(Path),
    /// A function, its name as written; no argument for `COUNT()`.
    Call {
        /// The function's name with its place.
        name: Path,
        /// The argument.
        argument: Option<Box<Expression>>,
    },
}

/// A condition of WHERE or HAVING.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of two or more.
    And(Vec<Condition>),
    /// Any of two or more.
    Or(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// One comparison.
    Compare(Expression, Comparison, Literal),
    /// `IN` and `NOT IN` with values.
    In(Expression, bool, Vec<Literal>),
    /// `IN` and `NOT IN` with a sub-select.
    InSelect(Expression, bool, Box<Statement>),
    /// `INCLUDES` (true) and `EXCLUDES` (false).
    Includes(Expression, bool, Vec<Literal>),
}

/// An operator between a field and one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `LIKE`
    Like,
}

/// A value in a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `NULL`
    Null,
    /// `TRUE`, `FALSE`
    Boolean(bool),
    /// A number, as written.
    Number(String),
    /// A string, escapes resolved.
    Text(String),
    /// The string after LIKE: `\%`, `\_` and `\\` stay escaped, other escapes are resolved.
    Pattern(String),
    /// `2024-01-31`
    Date(String),
    /// `2024-01-31T10:00:00Z`, as written.
    DateTime(String),
    /// `10:30:00.000Z`, as written.
    Time(String),
    /// `TODAY`, `LAST_N_DAYS:7`; the name in upper case.
    Relative(String, Option<u32>),
    /// `USD5000`: currency code and number.
    Money(String, String),
}

/// One entry of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// What is sorted by.
    pub by: Expression,
    /// `DESC`.
    pub descending: bool,
    /// `NULLS FIRST` (true), `NULLS LAST` (false).
    pub nulls_first: Option<bool>,
}
