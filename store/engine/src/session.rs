//! One request on one fresh connection: its settings and database can't leak into another's. Blocking.

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

use crate::error::EngineError;
use crate::exception::{CANCELLED, Exception};
use crate::library::{Answer, Connection, InsertStream, Library};
use crate::request::Request;

/// The format of an answer if nobody names one, as in ClickHouse.
const DEFAULT_FORMAT: &str = "TabSeparated";

/// The setting that carries a statement's number: a free text that `system.processes` shows.
pub(crate) const NUMBER_SETTING: &str = "log_comment";

/// A piece of an insert's data, or why the rest does not come.
pub(crate) type Piece = Result<Bytes, Exception>;

/// Opens connections to the one running engine, which lives until the process ends.
pub(crate) struct Engine {
    library: &'static Library,
    path_argument: String,
    /// Never used for statements: the engine shuts down with its last connection.
    _keeper: std::sync::Mutex<Connection>,
}

impl Engine {
    /// Starts the engine.
    ///
    /// # Errors
    ///
    /// [`EngineError::Open`], fatal.
    pub(crate) fn start(
        library: &'static Library,
        arguments: &[String],
        path_argument: String,
    ) -> Result<Self, EngineError> {
        let keeper = library.connect(arguments)?;
        Ok(Self {
            library,
            path_argument,
            _keeper: std::sync::Mutex::new(keeper),
        })
    }

    /// A connection with the request's database and settings. Takes 0.4 ms.
    fn session(&self, request: &Request) -> Result<Connection, Exception> {
        let mut connection = self
            .library
            .connect(std::slice::from_ref(&self.path_argument))
            .map_err(|_| Exception::unknown("the engine refuses connections"))?;
        for statement in request.preparation() {
            connection.query(statement.as_bytes(), DEFAULT_FORMAT, &[])?;
        }
        Ok(connection)
    }

    /// Runs a statement.
    ///
    /// # Errors
    ///
    /// The engine's exception, for the client.
    pub(crate) fn query(&self, request: &Request, statement: &[u8]) -> Result<Answer, Exception> {
        let format = request.format.as_deref().unwrap_or(DEFAULT_FORMAT);
        let mut connection = self.session(request)?;
        connection.query(statement, format, &request.parameters)
    }

    /// Runs an insert: `inline` and then every piece of `data` until it closes.
    ///
    /// # Errors
    ///
    /// The engine's exception, or the one that came instead of a piece; the insert is cancelled then.
    pub(crate) fn insert(
        &self,
        request: &Request,
        insert: &Insert,
        mut data: Receiver<Piece>,
    ) -> Result<Answer, Exception> {
        let mut connection = self.session(request)?;
        let mut stream = connection.insert(&insert.head, &insert.format, &request.parameters)?;
        append(&mut stream, &insert.inline)?;
        let mut complete = false;
        while let Some(piece) = data.blocking_recv() {
            match piece? {
                // The feeder ends the data with an empty piece: a channel that just closes means that it is gone.
                piece if piece.is_empty() => complete = true,
                piece => append(&mut stream, &piece)?,
            }
        }
        if !complete {
            let reason = "the client left before the end of the data";
            return Err(Exception::new(CANCELLED, "QUERY_WAS_CANCELLED", reason));
        }
        stream.done()
    }

    /// Tells a statement to end, by its number in [`NUMBER_SETTING`]. One that has ended already is none.
    pub(crate) fn end_statement(&self, number: u64) {
        let kill =
            format!("KILL QUERY WHERE Settings['{NUMBER_SETTING}'] = '{number}' ASYNC FORMAT Null");
        // If it can't be ended, its time limit ends it.
        let _ = self.query(&Request::default(), kill.as_bytes());
    }

    /// Whether the engine answers at all.
    pub(crate) fn answers(&self) -> bool {
        self.query(&Request::default(), b"SELECT 1").is_ok()
    }
}

/// An INSERT statement, cut apart.
pub(crate) struct Insert {
    pub(crate) head: Vec<u8>,
    pub(crate) format: String,
    pub(crate) inline: Vec<u8>,
}

fn append(stream: &mut InsertStream<'_>, data: &[u8]) -> Result<(), Exception> {
    if data.is_empty() {
        return Ok(());
    }
    stream.append(data)
}
