//! The parser against statements that clients send, and against any text at all.

use proptest::prelude::*;

use super::ast::{Comparison, Condition, Expression, FieldGroup, Item, Literal, Order, Path, Statement};
use super::parse;

fn message(statement: &str) -> String {
    parse(statement).map_or_else(|error| error.message, |found| format!("parsed as {found}"))
}

#[test]
fn statements_of_real_clients_parse() {
    for statement in [
        "SELECT Account.Id, Account.Name FROM Account WHERE Account.Name LIKE 'Acme%' ORDER BY Account.Name ASC LIMIT 10",
        "SELECT COUNT(Id) x_sf_count FROM Account",
        "select count() from Account where CreatedDate >= 2024-01-01T00:00:00.000Z and SystemModstamp < 2024-01-01T00:00:00+00:00",
        "SELECT Id FROM ScratchOrgInfo limit 1",
        "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization",
        "SELECT QualifiedApiName FROM EntityDefinition WHERE IsQueryable = true",
        "SELECT IsPersonAccount FROM Account LIMIT 1",
        "SELECT Id FROM Group",
        "SELECT a.Id FROM Account a, a.Contacts c WHERE a.Name != null FOR VIEW",
        "SELECT FIELDS(ALL) FROM Account LIMIT 200",
        "SELECT Id, (SELECT Id FROM Contacts LIMIT 5) FROM Account USING SCOPE mine",
        "SELECT TYPEOF What WHEN Account THEN Phone, Name ELSE Name END FROM Event",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Email != null)",
        "SELECT CALENDAR_YEAR(CreatedDate), COUNT(Id) FROM Lead GROUP BY CALENDAR_YEAR(CreatedDate) HAVING COUNT(Id) > 1",
        "SELECT Name, COUNT(Id) FROM Lead GROUP BY ROLLUP(Name, LeadSource) HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC",
        "SELECT HOUR_IN_DAY(convertTimezone(CreatedDate)) h, GROUPING(Name) FROM Lead GROUP BY CUBE (Name)",
        "SELECT Id FROM X__c WHERE M__c INCLUDES ('A;B','C') AND A__c > USD5000.5 AND D__c = LAST_N_DAYS:30 ALL ROWS",
        "SELECT Id FROM Account WHERE (NOT Name LIKE 'a\\_%') AND AnnualRevenue > 1.5e6",
    ] {
        assert!(parse(statement).is_ok(), "{statement}: {}", message(statement));
    }
}

#[test]
fn refusals_name_the_token() {
    assert_eq!(message("SELECT Id FROM"), "unexpected token: <EOF>");
    assert_eq!(message("SELECT FROM Account"), "unexpected token: FROM");
    assert_eq!(message("SELECT Id FROM Account WHERE Name IS NULL"), "unexpected token: IS");
    assert_eq!(message("SELECT Id FROM Account WHERE A = 1 AND B = 2 OR C = 3"), "unexpected token: OR");
    assert_eq!(message("SELECT * FROM Account"), "unexpected token: *");
    assert_eq!(message("SELECT Id FROM Account WHERE Name = \"x\""), "unexpected token: \"");
    assert_eq!(message("q"), "unexpected token: q");
    assert_eq!(message(""), "SOQL statements cannot be empty or null");
    assert!(message("SELECT Id FROM A WHERE N = 'a\\qb'").contains("Illegal character sequence"));
    assert!(message(&format!("SELECT Id FROM A WHERE {}", "(".repeat(5_000))).contains("nested"));
}

#[test]
fn escapes_resolve() {
    let found = parse(r"SELECT Id FROM A WHERE N = 'a\'b\\c\nd\u00e9\uD83D\uDE00'").map(|found| found.filter);
    let text = Literal::Text("a'b\\c\ndé😀".to_owned());
    let field = Expression::Field(Path { parts: vec!["N".to_owned()], at: 0 });
    assert_eq!(found, Ok(Some(Condition::Compare(field, Comparison::Equal, text))));
}

fn name() -> impl Strategy<Value = String> {
    "[A-Z][a-z]{1,6}__c"
}

fn path() -> impl Strategy<Value = Path> {
    proptest::collection::vec(name(), 1..4).prop_map(|parts| Path { parts, at: 0 })
}

fn expression() -> impl Strategy<Value = Expression> {
    prop_oneof![
        4 => path().prop_map(Expression::Field),
        1 => (name(), path()).prop_map(|(name, argument)| Expression::Call {
            name: Path { parts: vec![name], at: 0 },
            argument: Some(Box::new(Expression::Field(argument))),
        }),
    ]
}

fn value() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Boolean),
        "-?[0-9]{1,9}(\\.[0-9]{1,4})?(e-?[0-9]{1,2})?".prop_map(Literal::Number),
        any::<String>().prop_map(Literal::Text),
        "[12][0-9]{3}-[01][0-9]-[0-3][0-9]".prop_map(Literal::Date),
        "[12][0-9]{3}-[01][0-9]-[0-3][0-9]T10:00:00(\\.000)?(Z|[+-]0[0-9]:00)".prop_map(Literal::DateTime),
        "[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.000)?Z".prop_map(Literal::Time),
        Just(Literal::Relative("TODAY".to_owned(), None)),
        any::<u32>().prop_map(|count| Literal::Relative("LAST_N_DAYS".to_owned(), Some(count))),
        "[0-9]{1,6}(\\.[0-9]{1,2})?".prop_map(|amount| Literal::Money("USD".to_owned(), amount)),
    ]
}

fn simple() -> impl Strategy<Value = Condition> {
    let operator = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual)
    ];
    prop_oneof![
        (expression(), operator, value()).prop_map(|(left, operator, right)| Condition::Compare(left, operator, right)),
        (expression(), "([a-z%_' é]|\\\\%|\\\\_|\\\\\\\\){0,9}")
            .prop_map(|(left, right)| { Condition::Compare(left, Comparison::Like, Literal::Pattern(right)) }),
        (expression(), any::<bool>(), proptest::collection::vec(value(), 1..4))
            .prop_map(|(l, p, r)| Condition::In(l, p, r)),
        (expression(), any::<bool>(), proptest::collection::vec(value(), 1..4))
            .prop_map(|(l, p, r)| Condition::Includes(l, p, r)),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    simple().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Condition::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Condition::Or),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    let item = prop_oneof![
        6 => (expression(), proptest::option::of(name())).prop_map(|(expression, alias)| Item::Expression(expression, alias)),
        1 => Just(Item::Fields(FieldGroup::Standard)),
    ];
    let order = (expression(), any::<bool>(), any::<Option<bool>>()).prop_map(|(by, descending, nulls_first)| Order {
        by,
        descending,
        nulls_first,
    });
    (
        proptest::collection::vec(item, 1..5),
        path(),
        proptest::option::of(name()),
        proptest::option::of(condition()),
        proptest::collection::vec(order, 0..3),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
        any::<bool>(),
    )
        .prop_map(|(items, from, alias, filter, order_by, limit, offset, all_rows)| Statement {
            items,
            from,
            alias,
            filter,
            order_by,
            limit: limit.map(u64::from),
            offset: offset.map(u64::from),
            all_rows,
            ..Statement::default()
        })
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn any_tail_after_select_is_parsed_or_refused(text in "SELECT [A-Za-z(),.'\\\\ =<>!:0-9é-]{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_is_printed_parses_back(found in statement()) {
        prop_assert_eq!(parse(&found.to_string()), Ok(found));
    }
}
