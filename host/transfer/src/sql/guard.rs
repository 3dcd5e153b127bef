//! What an untrusted guest's statement may do: decided by SQLite's authorizer as it is prepared.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Pragmas that only read and say nothing about other files.
const READING_PRAGMAS: [&str; 8] = [
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];
/// Functions that reach outside of the database or into SQLite's own memory.
const REFUSED_FUNCTIONS: [&str; 2] = ["load_extension", "fts3_tokenizer"];

/// Shared between a connection and its authorizer.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    host_speaks: Arc<AtomicBool>,
    refusal: Arc<Mutex<Option<String>>>,
}

impl Guard {
    /// Runs `work` with the host's own rights.
    pub(crate) fn as_host<T>(&self, work: impl FnOnce() -> T) -> T {
        self.host_speaks.store(true, Ordering::Relaxed);
        let result = work();
        self.host_speaks.store(false, Ordering::Relaxed);
        result
    }

    /// Why the last statement was refused, once.
    pub(crate) fn take_refusal(&self) -> Option<String> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The authorizer's answer.
    pub(crate) fn decide(&self, context: &AuthContext<'_>) -> Authorization {
        if self.host_speaks.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        match refusal(&context.action).or_else(|| temporary(context)) {
            None => Authorization::Allow,
            Some(why) => {
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                Authorization::Deny
            }
        }
    }
}

/// `CREATE TABLE temp.x` comes as the creation of a table like any other, in another database. Nothing can be in there
/// unless it was created, and ALTER looks there on its own account: so it is enough to refuse what creates.
fn temporary(context: &AuthContext<'_>) -> Option<String> {
    use AuthAction as A;
    let creates = matches!(
        context.action,
        A::CreateTable { .. } | A::CreateIndex { .. } | A::CreateView { .. } | A::AlterTable { .. }
    );
    let is_temporary = context.database_name.is_some_and(|name| name.eq_ignore_ascii_case("temp"));
    (creates && is_temporary).then(|| "not allowed on a granted connection: the temporary database".to_owned())
}

/// Why an action is refused; none when it is allowed.
fn refusal(action: &AuthAction<'_>) -> Option<String> {
    use AuthAction as A;
    let what = match action {
        A::Select | A::Read { .. } | A::Insert { .. } | A::Update { .. } | A::Delete { .. } | A::Recursive => {
            return None;
        }
        A::CreateTable { .. } | A::AlterTable { .. } | A::DropTable { .. } => return None,
        A::CreateIndex { .. } | A::DropIndex { .. } | A::Reindex { .. } | A::Analyze { .. } => {
            return None;
        }
        // Dropping a table drops its triggers.
        A::CreateView { .. } | A::DropView { .. } | A::DropTrigger { .. } => return None,
        A::Function { function_name } if !is_in(&REFUSED_FUNCTIONS, function_name) => return None,
        A::Pragma { pragma_name, pragma_value } if may_read(pragma_name, *pragma_value) => return None,
        A::Function { function_name } => format!("function {function_name}"),
        A::Pragma { pragma_name, .. } => format!("PRAGMA {pragma_name}"),
        A::Attach { .. } => "ATTACH or VACUUM".to_owned(),
        A::Detach { .. } => "DETACH".to_owned(),
        A::Transaction { .. } | A::Savepoint { .. } => {
            "a transaction statement (call begin, commit or rollback)".to_owned()
        }
        A::CreateVtable { .. } | A::DropVtable { .. } => "a virtual table".to_owned(),
        A::CreateTrigger { .. } | A::CreateTempTrigger { .. } => "CREATE TRIGGER".to_owned(),
        _ => "a temporary table, view or index, or an unknown action".to_owned(),
    };
    Some(format!("not allowed on a granted connection: {what}"))
}

/// A reading pragma takes a table or an index as its value; `user_version` takes none, or it would write.
fn may_read(name: &str, value: Option<&str>) -> bool {
    is_in(&READING_PRAGMAS, name) && (value.is_none() || !name.eq_ignore_ascii_case("user_version"))
}

fn is_in(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}
