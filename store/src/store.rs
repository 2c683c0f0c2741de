//! The store, for those who ask: typed questions in, typed answers out.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clickhouse::{RowOwned, RowRead};
use flow::clock::{self, Stopwatch};
use flow::{TapePosition, Timestamp};

use crate::config::{Config, Engine};
use crate::connection;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::older;
use crate::plan::Horizon;
use crate::question::{
    Flows, FlowsAnswer, Inventory, Quantity, Scope, Series, SeriesAnswer, Subject, Top, TopRow,
    Window,
};
use crate::schema::{self, Names};
use crate::sql::Sql;
use crate::stats::Stats;
use crate::writer::Writer;
use crate::{inventory, records, series, top};

/// A connection to ClickHouse, and what to expect there. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) client: clickhouse::Client,
    pub(crate) config: Arc<Config>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) disk: Disk,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// A store that has not been talked to. `socket` is the embedded engine's; a server has a URL instead.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] or [`StoreError::PasswordFile`]: end the program and say so.
    pub fn new(config: Config, socket: Option<&Path>) -> Result<Self, StoreError> {
        let client = connection::client(&config, socket)?;
        let (config, stats) = (Arc::new(config), Arc::default());
        Ok(Self {
            client,
            config,
            stats,
            disk: Disk::default(),
        })
    }

    /// Names the folder of the embedded engine, which leaves it to us to force to disk what it has written: then an insert is
    /// acknowledged when it would outlast a power cut.
    ///
    /// # Errors
    ///
    /// The folder can't be opened: end the program and say so.
    pub fn keep_in(&mut self, folder: &Path) -> io::Result<()> {
        self.disk = Disk::of(folder)?;
        Ok(())
    }

    /// Makes the database, or brings it to this program's schema. Once, before anything else.
    ///
    /// # Errors
    ///
    /// [`StoreError::SchemaTooNew`]: end the program. If [`StoreError::is_retryable`], do it again later.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        let names = Names::of(&self.config);
        schema::apply(&self.client, &names).await?;
        self.disk.force().await?;
        older::remove(&self.client, &names).await
    }

    /// Whether rows are kept at all: not with [`Engine::None`](crate::config::Engine::None).
    pub fn keeps(&self) -> bool {
        self.config.engine != Engine::None
    }

    /// Whether it answers.
    ///
    /// # Errors
    ///
    /// Why it doesn't.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.client.query_raw("SELECT 1").fetch_one::<u8>().await?;
        Ok(())
    }

    /// What writes for a collector; its name is in every row. Not to be used if nothing is [kept](Self::keeps).
    pub fn writer(&self, collector: &str) -> Writer {
        Writer {
            client: self.client.clone(),
            database: self.config.database.clone(),
            collector: collector.to_owned(),
            timeout: Duration::from_secs(self.config.insert_timeout_s),
            sharded: self.config.cluster.is_some(),
            stats: self.stats.clone(),
            disk: self.disk.clone(),
        }
    }

    /// Its counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The largest groups, largest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] for the asker; else the store's trouble.
    pub async fn top(&self, question: &Top) -> Result<Vec<TopRow>, StoreError> {
        let horizon = self.horizon(question.subject.window).await?;
        let sql = top::statement(question, true, (&self.config.database, horizon))?;
        let rows: Vec<top::Answered> = self.ask(sql).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Values over time.
    ///
    /// Octets and packets of a long flow are spread evenly over its life; flows and clients count in every point in which
    /// they are alive. Only what lies in the window counts, in its first and last point too.
    ///
    /// # Errors
    ///
    /// As [`Store::top`].
    pub async fn series(&self, question: &Series) -> Result<SeriesAnswer, StoreError> {
        let window = question.subject.window;
        let grid = series::grid(window, question.step)?;
        series::check_lines(question)?;
        let horizon = self.horizon(window).await?;
        let points = series::points(window, grid);
        let (names, found) = self.largest(question, horizon, grid, points).await?;
        let lines = (&names[..], points);
        let previous = if question.previous {
            let (subject, grid) = series::earlier(&question.subject, grid);
            let horizon = self.horizon(subject.window).await?;
            Some(
                self.lines(question, (&subject, horizon), grid, lines)
                    .await?,
            )
        } else {
            None
        };
        Ok(SeriesAnswer {
            from: grid.origin,
            step_s: grid.step.as_secs(),
            by: question.by,
            lines: found,
            previous,
        })
    }

    /// Flow records, newest first.
    ///
    /// # Errors
    ///
    /// As [`Store::top`].
    pub async fn flows(&self, question: &Flows) -> Result<FlowsAnswer, StoreError> {
        let sql = records::statement(question, &self.config.database)?;
        let mut rows: Vec<records::Stored> = self.ask(sql).await?;
        let limit = usize::try_from(question.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(FlowsAnswer {
            flows: rows.into_iter().map(Into::into).collect(),
            more,
        })
    }

    /// What it holds of what an asker may see. Where that is not all, every row is looked at: not to be asked often.
    ///
    /// # Errors
    ///
    /// As [`Store::top`].
    pub async fn inventory_within(&self, scope: &Scope) -> Result<Inventory, StoreError> {
        if scope.sees_all() {
            return self.inventory().await;
        }
        let sql = inventory::within(&self.config.database, scope);
        let mut rows: Vec<inventory::Answered> = self.ask(sql).await?;
        let found: Inventory = rows.pop().map(Into::into).unwrap_or_default();
        Ok(Inventory {
            octets_on_disk: None,
            ..found
        })
    }

    /// What it holds.
    ///
    /// # Errors
    ///
    /// As [`Store::top`].
    pub async fn inventory(&self) -> Result<Inventory, StoreError> {
        let cluster = self.config.cluster.as_deref();
        let mut rows: Vec<inventory::Answered> = self
            .ask(inventory::statement(&self.config.database, cluster))
            .await?;
        Ok(rows.pop().map(Into::into).unwrap_or_default())
    }

    /// The last place on a collector's tape of which the store has a row; `None` if it has none of this collector.
    ///
    /// For a collector that has lost its checkpoint: what lies before it was inserted, except what was refused, what was
    /// erased since, and rows of a batch that was broken off. Datagrams behind it may have been without records. Reads a
    /// column of all rows, so it takes its time with billions of them; no limit of a question applies.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn last_position(&self, collector: &str) -> Result<Option<TapePosition>, StoreError> {
        let sql = inventory::last_position(&self.config.database, collector);
        let mut found: Vec<inventory::Placed> = self.read(sql).await?;
        Ok(found.pop().map(Into::into))
    }

    /// The lines of a series and their names: its largest groups.
    async fn largest(
        &self,
        question: &Series,
        horizon: Horizon,
        grid: crate::select::Grid,
        points: usize,
    ) -> Result<(Vec<String>, Vec<crate::question::Line>), StoreError> {
        if !series::finds_lines(question) {
            let names = self.names(question, horizon).await?;
            let subject = (&question.subject, horizon);
            let lines = self.lines(question, subject, grid, (&names, points));
            let lines = lines.await?;
            return Ok((names, lines));
        }
        let sql = series::of_largest(question, grid, (&self.config.database, horizon));
        let (names, answered) = series::numbered(self.ask(sql).await?);
        let lines = series::lines(&answered, &names, true, points);
        Ok((names, lines))
    }

    /// The names of a series' lines: its largest groups.
    async fn names(&self, question: &Series, horizon: Horizon) -> Result<Vec<String>, StoreError> {
        let Some(dimension) = question.dimension else {
            return Ok(Vec::new());
        };
        let top = Top {
            subject: question.subject.clone(),
            dimension,
            by: question.by,
            limit: question.limit,
        };
        let counts_clients = question.by == Quantity::Clients;
        let sql = top::statement(&top, counts_clients, (&self.config.database, horizon))?;
        let rows: Vec<top::Answered> = self.ask(sql).await?;
        Ok(rows.into_iter().map(|row| TopRow::from(row).name).collect())
    }

    async fn lines(
        &self,
        question: &Series,
        (subject, horizon): (&Subject, Horizon),
        grid: crate::select::Grid,
        (names, points): (&[String], usize),
    ) -> Result<Vec<crate::question::Line>, StoreError> {
        let place = (self.config.database.as_str(), horizon);
        let sql = series::statement(question, subject, grid, names, place);
        let answered: Vec<series::Answered> = self.ask(sql).await?;
        Ok(series::lines(
            &answered,
            names,
            question.dimension.is_some(),
            points,
        ))
    }

    /// What the tables still hold of a window.
    pub(crate) async fn horizon(&self, window: Window) -> Result<Horizon, StoreError> {
        let horizon = Horizon {
            now: clock::now(),
            kept: self.config.retention,
            stored_since: None,
        };
        if !horizon.must_look(window) {
            return Ok(horizon);
        }
        let seconds: Vec<u32> = self
            .ask(inventory::stored_since(&self.config.database, window))
            .await?;
        let first = seconds.first().copied().unwrap_or(u32::MAX);
        let stored_since = Some(Timestamp::from_seconds(first.into()));
        Ok(Horizon {
            stored_since,
            ..horizon
        })
    }

    /// Asks, within the limits of a question, and without the right to change anything.
    pub(crate) async fn ask<T>(&self, sql: Sql) -> Result<Vec<T>, StoreError>
    where
        T: RowOwned + RowRead,
    {
        if !self.keeps() {
            return Err(StoreError::NoStore);
        }
        let limits = &self.config.limits;
        // The engine would compile expressions that it sees for the fourth time, instants in them included: it takes longer than
        // most questions, and the next one is about another instant.
        let sql = sql.then(format!(
            "\nSETTINGS readonly = 2, compile_expressions = 0, max_execution_time = {}, max_memory_usage = {}, \
             max_bytes_before_external_group_by = {}, max_result_rows = {}, result_overflow_mode = 'throw'",
            limits.seconds_max,
            limits.memory_octets_max,
            limits.memory_octets_max / 2,
            limits.rows_max,
        ));
        let watch = Stopwatch::start();
        let answer = sql.query(&self.client).fetch_all().await;
        Stats::add(&self.stats.questions, 1);
        Stats::add_time(&self.stats.question_us, watch);
        answer.map_err(|error| {
            Stats::add(&self.stats.question_failures, 1);
            error.into()
        })
    }
}

impl Window {
    /// Refuses an empty window.
    pub(crate) fn check(self) -> Result<(), StoreError> {
        if self.from < self.to {
            return Ok(());
        }
        let message = format!(
            "the window is empty: it begins at {} and ends at {}",
            self.from, self.to
        );
        Err(StoreError::Question(message))
    }
}
