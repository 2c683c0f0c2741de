//! The asking commands: questions to a running server, answers as tables, JSON or CSV.

use std::io::stdout;

use anyhow::{Result, anyhow, bail};
use api::ErrorBody;
use api::plant::Reclassified;
use flow::health::ExporterHealth;
use serde::de::DeserializeOwned;
use store::question::{Dimension, FlowsAnswer, Quantity, SeriesAnswer, TopRow};
use ureq::SendBody;
use ureq::http::Request;
use ureq::http::header::{AUTHORIZATION, HeaderValue};
use ureq::middleware::MiddlewareNext;

use super::{
    ExportersArgs, FlowsArgs, QuestionArgs, ReclassifyArgs, SeriesArgs, ServerArgs, TopArgs,
    credentials,
};
use crate::output::{self, Format, number, print, si, text};

/// A running server.
pub(crate) struct Server {
    url: String,
    agent: ureq::Agent,
}

impl Server {
    /// At this address; nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The token that was named cannot be read, or is none.
    pub(crate) fn new(args: &ServerArgs) -> Result<Self> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            // A server of ours sends nobody elsewhere, and nobody else is to be shown a token.
            .max_redirects(0);
        if let Some(token) = credentials::token(args)? {
            let mut shown = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| anyhow!("the token has characters that no token has"))?;
            shown.set_sensitive(true);
            config = config.middleware(
                move |mut request: Request<SendBody>, next: MiddlewareNext| {
                    request.headers_mut().insert(AUTHORIZATION, shown.clone());
                    next.handle(request)
                },
            );
        }
        Ok(Self {
            url: args.server.trim_end_matches('/').to_owned(),
            agent: config.build().into(),
        })
    }

    /// Asks for `path` with these parameters; those that are `None` are left out.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, Option<String>)],
    ) -> Result<T> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in parameters {
            if let Some(value) = value {
                request = request.query(name, value);
            }
        }
        self.read(request.call())
    }

    /// Posts `body` to `path`.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, Option<String>)],
        body: impl ureq::AsSendBody,
    ) -> Result<T> {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        for (name, value) in parameters {
            if let Some(value) = value {
                request = request.query(name, value);
            }
        }
        self.read(request.send(body))
    }

    /// Posts a value to `path` as JSON.
    pub(crate) fn send_json<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl serde::Serialize,
    ) -> Result<T> {
        let request = self.agent.post(format!("{}{path}", self.url));
        self.read(request.send_json(value))
    }

    /// Deletes what is at `path`.
    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        let request = self.agent.delete(format!("{}{path}", self.url));
        self.answered(request.call()).map(drop)
    }

    /// The octets at `path`.
    pub(crate) fn open(
        &self,
        path: &str,
        parameters: &[(&str, Option<String>)],
    ) -> Result<impl std::io::Read + use<>> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in parameters {
            if let Some(value) = value {
                request = request.query(name, value);
            }
        }
        let answer = self.answered(request.call())?;
        Ok(answer
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader())
    }

    /// An answer that is a success.
    fn answered(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<ureq::http::Response<ureq::Body>> {
        let mut answer = answer.map_err(|error| {
            anyhow!("no server answers at {}: {error}; start one with `flowreel serve`, or name it with --server", self.url)
        })?;
        let status = answer.status();
        if !status.is_success() {
            let body = body(&mut answer)?;
            let mut refusal = refusal(status.as_u16(), &body);
            if status.as_u16() == 401 {
                refusal += ": set FLOWREEL_TOKEN or --token-file to a token of yours, or run this as the server's own user, with \
                            FLOWREEL_DATA_DIR set to its data directory";
            }
            bail!("{refusal}");
        }
        Ok(answer)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T> {
        let body = body(&mut self.answered(answer)?)?;
        serde_json::from_slice(&body).map_err(|error| {
            anyhow!(
                "{} answers with something else than a Flowreel server would: {error}",
                self.url
            )
        })
    }
}

/// All of an answer, if it is not too long.
fn body(answer: &mut ureq::http::Response<ureq::Body>) -> Result<Vec<u8>> {
    let body = answer.body_mut().with_config().limit(1 << 30);
    Ok(body.read_to_vec()?)
}

/// What the server said, in one line.
fn refusal(status: u16, body: &[u8]) -> String {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody {
            error,
            detail: Some(detail),
            ..
        }) => format!("{error} ({detail})"),
        Ok(ErrorBody { error, .. }) => error,
        Err(_) => format!("the server answers with status {status}"),
    }
}

/// Reads a name that is one of a closed set, as it stands in JSON.
fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|error| error.to_string())
}

/// `applications`, `clients` …
pub(crate) fn dimension(text: &str) -> Result<Dimension, String> {
    named(text)
}

/// `octets`, `packets`, `flows`, `clients`.
pub(crate) fn quantity(text: &str) -> Result<Quantity, String> {
    named(text)
}

/// `light`, `dark`.
pub(crate) fn theme(text: &str) -> Result<api::studio::Theme, String> {
    named(text)
}

/// The name of a closed set's member, as it stands in JSON.
pub(crate) fn name(member: impl serde::Serialize) -> Option<String> {
    serde_json::to_value(member)
        .ok()?
        .as_str()
        .map(str::to_owned)
}

fn asked(question: &QuestionArgs) -> Result<Vec<(&'static str, Option<String>)>> {
    if let Some(text) = &question.filter
        && let Err(error) = flow::Filter::parse(text)
    {
        bail!(
            "the filter is wrong at {error}\n{}",
            point_at(text, error.column)
        );
    }
    Ok(vec![
        ("last", question.last.clone()),
        ("from", question.from.clone()),
        ("to", question.to.clone()),
        ("filter", question.filter.clone()),
        ("known_at", question.known_at.clone()),
        ("as_of", question.as_of.clone()),
        ("recording", question.recording.clone()),
    ])
}

/// A filter, as it is written; what is wrong with it is shown.
pub(crate) fn filter_text(text: &str) -> Result<String, String> {
    match flow::Filter::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}\n{}", point_at(text, error.column))),
    }
}

/// The text with a mark under the column that is wrong.
pub(crate) fn point_at(text: &str, column: usize) -> String {
    format!(
        "  {}\n  {}^",
        output::printable(text),
        " ".repeat(column.saturating_sub(1))
    )
}

/// `flowreel top`.
pub(crate) fn top(args: &TopArgs) -> Result<()> {
    let mut parameters = asked(&args.question)?;
    parameters.push(("by", name(args.by)));
    parameters.push(("limit", Some(args.limit.to_string())));
    let what = name(args.dimension).unwrap_or_default();
    let path = format!("/api/v1/top/{what}");
    let server = Server::new(&args.question.server)?;
    let previous = args.previous.then(|| "true".to_owned());
    let drawn = [&parameters[..], &[("previous", previous)]].concat();
    if args.picture.write(&server, &path, drawn)? {
        return Ok(());
    }
    let rows: Vec<TopRow> = server.get(&path, &parameters)?;
    print(
        &mut stdout().lock(),
        args.question.format,
        &rows,
        &top_columns(&what),
    )
}

/// The columns of a top table.
pub(crate) fn top_columns(what: &str) -> [output::Column<'_, TopRow>; 5] {
    [
        text(what, |row: &TopRow| row.name.clone()),
        number("octets", |row: &TopRow| si(approximate(row.octets))),
        number("packets", |row: &TopRow| si(approximate(row.packets))),
        number("flows", |row: &TopRow| si(approximate(row.flows))),
        number("clients", |row: &TopRow| si(approximate(row.clients))),
    ]
}

/// For showing with three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn approximate(count: u64) -> f64 {
    count as f64
}

/// `flowreel series`.
pub(crate) fn series(args: &SeriesArgs) -> Result<()> {
    let mut parameters = asked(&args.question)?;
    parameters.push(("dimension", args.dimension.and_then(name)));
    parameters.push(("by", name(args.by)));
    parameters.push(("limit", Some(args.limit.to_string())));
    parameters.push(("step", args.step.clone()));
    parameters.push(("previous", args.previous.then(|| "true".to_owned())));
    let (server, path) = (Server::new(&args.question.server)?, "/api/v1/series");
    let view = args.lines.then(|| "lines".to_owned());
    let drawn = [&parameters[..], &[("view", view)]].concat();
    if args.picture.write(&server, path, drawn)? {
        return Ok(());
    }
    let answer: SeriesAnswer = server.get(path, &parameters)?;
    if args.question.format == Format::Json {
        return output::print_text(serde_json::to_string_pretty(&answer)? + "\n");
    }
    print_series(&answer, args.question.format)
}

/// One row a point; a line is a column.
fn print_series(answer: &SeriesAnswer, format: Format) -> Result<()> {
    let previous = answer
        .previous
        .iter()
        .flatten()
        .map(|line| (format!("{} (before)", line.name), line));
    let lines: Vec<_> = answer
        .lines
        .iter()
        .map(|line| (line.name.clone(), line))
        .chain(previous)
        .collect();
    let points = lines
        .iter()
        .map(|(_, line)| line.values.len())
        .max()
        .unwrap_or(0);
    let rows: Vec<serde_json::Value> = (0..points)
        .map(|point| {
            let at = answer.from + std::time::Duration::from_secs(answer.step_s * point as u64);
            let mut row = serde_json::Map::from_iter([("at".to_owned(), at.to_string().into())]);
            row.extend(
                lines
                    .iter()
                    .map(|(name, line)| (name.clone(), line.values.get(point).copied().into())),
            );
            row.into()
        })
        .collect();
    let cell =
        |row: &serde_json::Value, name: &str| row[name].as_f64().map_or_else(String::new, si);
    let mut columns = vec![text("at", |row: &serde_json::Value| {
        row["at"].as_str().unwrap_or_default().to_owned()
    })];
    columns.extend(
        lines
            .iter()
            .map(|(name, _)| number(name, move |row| cell(row, name))),
    );
    print(&mut stdout().lock(), format, &rows, &columns)
}

/// `flowreel flows`.
pub(crate) fn flows(args: &FlowsArgs) -> Result<()> {
    let mut parameters = asked(&args.question)?;
    parameters.push(("limit", Some(args.limit.to_string())));
    let answer: FlowsAnswer =
        Server::new(&args.question.server)?.get("/api/v1/flows", &parameters)?;
    print(
        &mut stdout().lock(),
        args.question.format,
        &answer.flows,
        &super::decode::flow_columns(),
    )?;
    if answer.more && args.question.format == Format::Table {
        eprintln!("there are more; ask for them with --limit");
    }
    Ok(())
}

/// `flowreel exporters`.
pub(crate) fn exporters(args: &ExportersArgs) -> Result<()> {
    let rows: Vec<ExporterHealth> = Server::new(&args.server)?.get("/api/v1/exporters", &[])?;
    print(
        &mut stdout().lock(),
        args.format,
        &rows,
        &exporter_columns(),
    )
}

/// The columns of the exporters' table.
pub(crate) fn exporter_columns() -> Vec<output::Column<'static, ExporterHealth>> {
    type Row = ExporterHealth;
    let shown = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    vec![
        text("exporter", |row: &Row| {
            let import = if row.feed == 0 {
                String::new()
            } else {
                format!(" (import {})", row.feed)
            };
            format!(
                "{}{import}",
                row.name.clone().unwrap_or_else(|| row.address.to_string())
            )
        }),
        text("protocol", |row: &Row| row.protocol.clone()),
        number("domain", |row: &Row| row.domain.to_string()),
        number("datagrams", |row: &Row| si(approximate(row.datagrams))),
        number("records", |row: &Row| si(approximate(row.records))),
        number("templates", |row: &Row| row.templates.len().to_string()),
        number("waiting", |row: &Row| row.waiting_for_template.to_string()),
        number("lost", |row: &Row| match row.sequence {
            flow::health::SequenceState::Counting => si(approximate(row.sequence_lost)),
            _ => "–".to_owned(),
        }),
        text("sampling", move |row: &Row| {
            let intervals = row
                .sampling_intervals
                .iter()
                .map(|n| format!("1:{n}"))
                .collect::<Vec<_>>();
            shown(Some(intervals.join(" ")).filter(|text| !text.is_empty()))
        }),
        number("clock", move |row: &Row| {
            shown(row.clock_offset_ms.map(|ms| format!("{ms:+} ms")))
        }),
        text("stamps", |row: &Row| row.time_kinds.join(" ")),
        number("timeout", move |row: &Row| {
            shown(row.active_timeout_s.map(|s| format!("{s} s")))
        }),
        number("both ways", move |row: &Row| {
            shown(
                row.both_directions_share
                    .map(|share| format!("{:.0} %", share * 100.0)),
            )
        }),
        number("problems", |row: &Row| {
            si(approximate(row.problems.values().sum()))
        }),
    ]
}

/// `flowreel reclassify`.
pub(crate) fn reclassify(args: &ReclassifyArgs) -> Result<()> {
    let parameters = [
        ("last", args.last.clone()),
        ("from", args.from.clone()),
        ("to", args.to.clone()),
    ];
    let done: Reclassified =
        Server::new(&args.server)?.post("/api/v1/reclassify", &parameters, ())?;
    output::print_text(format!(
        "{} datagrams decoded again; {} flow records before, {} now\n",
        done.datagrams, done.rows_before, done.rows_after
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_filter_is_pointed_at() {
        assert_eq!(point_at("src prot 80", 5), "  src prot 80\n      ^");
    }

    #[test]
    fn what_the_server_said_comes_through() {
        let body = br#"{"error":"no","detail":"disk full"}"#;
        assert_eq!(refusal(500, body), "no (disk full)");
        assert_eq!(
            refusal(502, b"<html>"),
            "the server answers with status 502"
        );
    }
}
