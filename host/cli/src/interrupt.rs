//! Ctrl-C and SIGTERM: the first asks the run to stop cleanly, the second ends the process at once.

use forcepump_pipeline::Cancel;

use crate::exit::Code;
use crate::output::Output;

/// Waits for the next Ctrl-C or SIGTERM; never returns when the system gives no signals.
pub async fn signal() {
    tokio::select! {
        result = tokio::signal::ctrl_c() => if result.is_err() { std::future::pending::<()>().await },
        () = terminate() => {}
    }
}

#[cfg(unix)]
async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut stream) => {
            stream.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending().await
}

/// Watches in the background until the process ends: cancels on the first signal, exits on the second.
pub fn watch(cancel: &Cancel, output: Output) {
    let cancel = cancel.clone();
    tokio::spawn(async move {
        signal().await;
        cancel.cancel();
        output.note("stopping; once more to exit at once");
        signal().await;
        std::process::exit(i32::from(Code::Interrupted.number()));
    });
}
