//! A person logs in: what they are asked to do, and how their answer comes back.

use std::time::Duration;

use forcepump_pipeline::{AuthMethod, BrowserLogin, Code, ConnectionDraft};

use super::secrets::{line, stdin_is_terminal};
use crate::args::LoginArgs;
use crate::exit::Failure;
use crate::output::Output;

/// Logs in with the connection's own way.
pub async fn log_in(output: Output, draft: &ConnectionDraft, args: &LoginArgs) -> Result<(), Failure> {
    match draft.auth() {
        Some(AuthMethod::Device) => device(output, draft, args).await,
        _ => browser(output, draft, args).await,
    }
}

async fn device(output: Output, draft: &ConnectionDraft, args: &LoginArgs) -> Result<(), Failure> {
    let login = draft.device().await?;
    output.ask(&format!("on any device open this page and type the code {}:\n  {}", login.user_code(), login.url()));
    show(login.url(), args);
    login.finish().await.map_err(failure)
}

async fn browser(output: Output, draft: &ConnectionDraft, args: &LoginArgs) -> Result<(), Failure> {
    let mut login = draft.browser(!args.paste).await?;
    output.ask(&format!("open this page in a browser and log in:\n  {}", login.url()));
    show(login.url(), args);
    let code = if args.paste {
        output.ask("then paste the address of the page where it ends:");
        pasted(output, &login).await?
    } else {
        redirected(output, &mut login, Duration::from_secs(args.wait)).await?
    };
    login.finish(code).await.map_err(failure)
}

/// Waits for the browser; at a terminal the address can be pasted as well, where the browser is on another machine.
async fn redirected(output: Output, login: &mut BrowserLogin, wait: Duration) -> Result<Code, Failure> {
    output.note(&format!("waiting for the browser at {}", login.redirect_uri()));
    if !stdin_is_terminal() {
        return login.redirected(wait).await.map_err(failure);
    }
    output.note("or, if it ends at a page that cannot be shown, paste the address of that page here:");
    let started = std::time::Instant::now();
    let text = tokio::select! {
        code = login.redirected(wait) => return code.map_err(failure),
        text = line() => text,
    };
    match text {
        None => login.redirected(wait.saturating_sub(started.elapsed())).await.map_err(failure),
        Some(text) => match login.pasted(&text) {
            Ok(code) => Ok(code),
            Err(error) => {
                output.warning(&error.to_string());
                pasted(output, login).await
            }
        },
    }
}

/// At a terminal a slip can be mended.
async fn pasted(output: Output, login: &BrowserLogin) -> Result<Code, Failure> {
    loop {
        let Some(text) = line().await else {
            return Err(Failure::input("nothing was pasted: expected the address that the browser ended at"));
        };
        match login.pasted(&text) {
            Ok(code) => return Ok(code),
            Err(error) if stdin_is_terminal() => output.warning(&error.to_string()),
            Err(error) => return Err(failure(error)),
        }
    }
}

/// A browser that cannot be opened is no failure: the address was printed.
fn show(url: &str, args: &LoginArgs) {
    if !args.no_browser && !args.paste && has_desktop() {
        let _ = open::that_detached(url);
    }
}

/// Without a desktop the launchers of Linux may start a browser in the terminal.
fn has_desktop() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].into_iter().any(set)
}

fn failure(error: impl Into<forcepump_pipeline::Error>) -> Failure {
    error.into().into()
}
