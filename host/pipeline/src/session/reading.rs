//! What a session reads: its query with types, within the window of an incremental source.

use forcepump_salesforce::{ResolvedQuery, Select};

use super::Session;
use crate::error::Error;
use crate::file::{Incremental, Mode};
use crate::incremental::{self, Window};
use crate::{backfill, drift};

impl Session {
    /// The query with its types; an unknown field is answered with the nearest one.
    pub(crate) async fn resolve(&self) -> Result<ResolvedQuery, Error> {
        let mut query = drift::resolve(self, self.selection().await?).await?;
        if self.wants_classification() {
            forcepump_salesforce::classify(&self.client, &mut query).await?;
        }
        Ok(query)
    }

    /// The query as the pipeline file has it, variables and window in their places.
    pub(crate) async fn selection(&self) -> Result<Select, Error> {
        let source = &self.pipeline.file.source;
        let variables = self.variables()?;
        match (&source.query, &source.object) {
            (Some(query), _) => Ok(Select::parse(&variables.in_soql("source.query", query)?)?),
            (None, Some(object)) => {
                let condition = source.condition.as_deref();
                let condition = condition.map(|text| variables.in_soql("source.where", text)).transpose()?;
                self.select(object, condition.as_deref()).await
            }
            (None, None) => Err(Error::input("source", "names several objects; each is a feed of its own")),
        }
    }

    /// An object's query, within the window of an incremental source.
    async fn select(&self, object: &str, condition: Option<&str>) -> Result<Select, Error> {
        let source = &self.pipeline.file.source;
        let Some(incremental) = &source.incremental else {
            return Ok(Select::from_fields(object, &source.fields, condition)?);
        };
        // The operator's own condition is checked alone, so that it cannot reach out of its brackets.
        Select::from_fields(object, &source.fields, condition)?;
        if self.retry.is_some() {
            // Their ids stand in the place of the window.
            let fields = incremental::fields(source, incremental);
            return Ok(Select::from_fields(object, &fields, condition)?);
        }
        if self.filling.is_some() {
            let window = self.filled_window(incremental, object).await?;
            let fields = incremental::fields(source, incremental);
            return Ok(Select::from_fields(object, &fields, Some(&window.condition(condition)))?);
        }
        let window = match self.window.get() {
            Some(window) => window,
            None => {
                let window = self.new_window(incremental, object).await?;
                self.window.get_or_init(|| window)
            }
        };
        let fields = incremental::fields(source, incremental);
        let select = Select::from_fields(object, &fields, Some(&window.condition(condition)))?;
        incremental::check_fields(source, incremental, window, &select)?;
        Ok(select)
    }

    /// What a backfill reads: all that the runs up to now have read.
    async fn filled_window(&self, incremental: &Incremental, object: &str) -> Result<Window, Error> {
        let describe = self.client.describe(object).await?;
        let org = self.client.organization().await?;
        let (folder, name) = (self.pipeline.folder(), &self.pipeline.file.name);
        let cursor = incremental::last_cursor(folder, name, &org, &describe.name)?;
        let cursor = cursor.ok_or_else(|| backfill::nothing_read_yet(name))?;
        Window::until(incremental, &describe, cursor.at)
    }

    async fn new_window(&self, incremental: &Incremental, object: &str) -> Result<Window, Error> {
        let describe = self.client.describe(object).await?;
        let org = self.client.organization().await?;
        let (folder, name) = (self.pipeline.folder(), &self.pipeline.file.name);
        let cursor = incremental::last_cursor(folder, name, &org, &describe.name)?;
        let now = self.fixed().map_or_else(|| self.server_now(), |(as_of, _)| as_of);
        let appends = self.pipeline.file.destination.mode == Mode::Append;
        let window = Window::new(incremental, &describe, cursor, (now, appends))?;
        incremental::check_deletes(incremental, &describe, &window)?;
        Ok(window)
    }

    /// Salesforce's clock in microseconds since the epoch: one reading for all feeds of the run.
    fn server_now(&self) -> i64 {
        *self.now.get_or_init(|| self.client.server_now_micros())
    }

    /// The window of an incremental source, after [`Session::resolve`].
    pub(crate) fn window(&self) -> Option<&Window> {
        self.window.get()
    }
}
