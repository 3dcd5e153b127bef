//! `connection add`, `edit` and `reconnect`: log in, try, then save.

use forcepump_pipeline::{ConnectionDraft, RevokedTokens};

use super::{login, prompts, secrets};
use crate::args::{AddArgs, EditArgs, LoginArgs, ReconnectArgs};
use crate::commands::{Context, Outcome};
use crate::exit::{Code, Failure};
use crate::org::DemoOrg;
use crate::output::Output;
use crate::render::connection as words;

/// Makes a connection.
pub async fn add(context: &Context, args: &AddArgs) -> Outcome {
    let (mut settings, mut typed) = secrets::by_reference(args.settings.settings())?;
    if prompts::possible(context.output) {
        prompts::complete(&mut settings, &mut typed).await?;
    }
    let draft = ConnectionDraft::add(context.global.connections.as_deref(), &args.name, &settings)?;
    take(&draft, typed, context).await?;
    finish(context, &draft, &args.login, args.force).await
}

/// Changes keys of a connection.
pub async fn edit(context: &Context, args: &EditArgs) -> Outcome {
    let (settings, typed) = secrets::by_reference(args.settings.settings())?;
    if settings.is_empty() && args.unset.is_empty() {
        return Err(Failure::input(
            "nothing to change\nhint: name the keys, for example `--api-version 62.0`, `--client-secret -` or `--unset scope`",
        ));
    }
    let settings = settings.into_iter().map(|(key, value)| (key, Some(value)));
    let unset = args.unset.iter().map(|key| (key.replace('-', "_"), None));
    let settings: Vec<_> = unset.chain(settings).collect();
    let draft = ConnectionDraft::change(context.global.connections.as_deref(), &args.name, &settings).await?;
    take(&draft, typed, context).await?;
    finish(context, &draft, &args.login, args.force).await
}

/// Logs in again, or has the secrets typed again.
pub async fn reconnect(context: &Context, args: &ReconnectArgs) -> Outcome {
    let draft = ConnectionDraft::reconnect(context.global.connections.as_deref(), args.name.as_deref()).await?;
    let keys = if draft.needs_login() { draft.missing_secrets() } else { draft.typed_keys() };
    if keys.is_empty() && !draft.needs_login() {
        let name = draft.name();
        return Err(Failure::input(format!(
            "connection {name} logs in by itself, with secrets that are not kept here: there is nothing to do again\n\
             hint: `forcepump connection test {name}` tries it"
        )));
    }
    let asked = keys.into_iter().map(secrets::Typed::asked).collect();
    take(&draft, asked, context).await?;
    finish(context, &draft, &args.login, args.force).await
}

async fn take(draft: &ConnectionDraft, typed: Vec<secrets::Typed>, context: &Context) -> Result<(), Failure> {
    for secret in typed {
        let (key, text) = secret.text(context.output).await?;
        draft.take_secret(&key, text).await?;
    }
    Ok(())
}

async fn finish(context: &Context, draft: &ConnectionDraft, args: &LoginArgs, force: bool) -> Outcome {
    let output = context.output;
    if let Some(place) = draft.prepare()? {
        output.note(&format!("what is kept here is encrypted with the key from {place}"));
    }
    let logged_in = if draft.needs_login() { login::log_in(output, draft, args).await } else { Ok(()) };
    let demo = if draft.is_demo() { Some(DemoOrg::start().await?) } else { None };
    let tried = match logged_in {
        Ok(()) => draft
            .test(demo.as_ref().map(DemoOrg::access).as_ref(), context.output.listener())
            .await
            .map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let outcome = match tried {
        Ok(test) => Ok(Some(test)),
        Err(failure) if force => Err(failure.message),
        Err(failure) => {
            let end = "; --force saves it all the same";
            return Err(given_up(output, draft, failure, end).await);
        }
    };
    if let Err(problem) = &outcome {
        output.warning(&format!("saved although it does not work: {problem}"));
    }
    let saved = match draft.save(outcome).await {
        Ok(saved) => saved,
        Err(error) => return Err(given_up(output, draft, error.into(), "").await),
    };
    output.document(&saved);
    output.words(&words::saved(&saved));
    Ok(Code::Ok)
}

/// Nothing is left of an attempt: not here, and at the org no tokens that nobody knows of.
async fn given_up(output: Output, draft: &ConnectionDraft, failure: Failure, end: &str) -> Failure {
    let (revoked, problem) = draft.give_up().await;
    if let Some(problem) = problem {
        output.warning(&super::still_valid("the tokens of this login", &problem));
    }
    let tokens = if revoked == RevokedTokens::Yes { ", and the tokens of this login are revoked" } else { "" };
    let message = format!("{}\nhint: nothing was saved{tokens}{end}", failure.message);
    Failure { message, ..failure }
}
