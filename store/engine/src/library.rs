//! The C interface of libchdb, as safe Rust: the library, a connection, an insert stream, an answer.
//!
//! The signatures are those of `chdb.h` of chDB 26.7; `engine/library/package.json` pins the release that they fit.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use crate::error::EngineError;
use crate::exception::Exception;

/// A connection as the library sees it: `chdb_connect` gives a pointer to one of these.
type RawConnection = *mut c_void;
type RawResult = *mut c_void;
type RawStream = *mut c_void;

type QueryFn = unsafe extern "C" fn(
    RawConnection,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> *mut c_void;
type ResultTextFn = unsafe extern "C" fn(RawResult) -> *const c_char;
type ResultCountFn = unsafe extern "C" fn(RawResult) -> u64;

/// libchdb, loaded. Never unloaded: its background threads run until the process ends.
pub(crate) struct Library {
    connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut RawConnection,
    close: unsafe extern "C" fn(*mut RawConnection),
    query: QueryFn,
    insert: QueryFn,
    append: unsafe extern "C" fn(RawStream, *const c_void, usize) -> c_int,
    done: unsafe extern "C" fn(RawStream) -> RawResult,
    cancel: unsafe extern "C" fn(RawStream),
    stream_error: ResultTextFn,
    destroy_stream: unsafe extern "C" fn(RawStream),
    buffer: ResultTextFn,
    length: unsafe extern "C" fn(RawResult) -> usize,
    error: ResultTextFn,
    rows_read: ResultCountFn,
    bytes_read: ResultCountFn,
    rows_written: ResultCountFn,
    bytes_written: ResultCountFn,
    destroy: unsafe extern "C" fn(RawResult),
}

impl Library {
    /// Loads the library and switches its signal handlers off: the process keeps its own.
    ///
    /// # Errors
    ///
    /// [`EngineError::Load`] if the file is not a library of this machine's kind, [`EngineError::Symbol`] if it is
    /// another release than the pinned one. Fatal for the child; the supervisor reports the text.
    pub(crate) fn open(path: &Path) -> Result<&'static Self, EngineError> {
        // SAFETY: loading runs the library's initialisers; it is the pinned file whose hash was checked on installing.
        let file =
            unsafe { libloading::Library::new(path) }.map_err(|source| EngineError::Load {
                path: path.to_owned(),
                source,
            })?;
        let file: &'static libloading::Library = Box::leak(Box::new(file));
        let library = Self::bind(file, path)?;
        let handlers: unsafe extern "C" fn(c_int) =
            symbol(file, path, "chdb_set_signal_handlers_enabled")?;
        // SAFETY: takes an int and sets a flag; called before the first connection as the header asks.
        unsafe { handlers(0) };
        Ok(Box::leak(Box::new(library)))
    }

    fn bind(file: &'static libloading::Library, path: &Path) -> Result<Self, EngineError> {
        Ok(Self {
            connect: symbol(file, path, "chdb_connect")?,
            close: symbol(file, path, "chdb_close_conn")?,
            query: symbol(file, path, "chdb_query_with_params_n")?,
            insert: symbol(file, path, "chdb_stream_insert_with_params_n")?,
            append: symbol(file, path, "chdb_stream_append")?,
            done: symbol(file, path, "chdb_stream_done")?,
            cancel: symbol(file, path, "chdb_stream_cancel_insert")?,
            stream_error: symbol(file, path, "chdb_stream_insert_error")?,
            destroy_stream: symbol(file, path, "chdb_destroy_insert_stream")?,
            buffer: symbol(file, path, "chdb_result_buffer")?,
            length: symbol(file, path, "chdb_result_length")?,
            error: symbol(file, path, "chdb_result_error")?,
            rows_read: symbol(file, path, "chdb_result_storage_rows_read")?,
            bytes_read: symbol(file, path, "chdb_result_storage_bytes_read")?,
            rows_written: symbol(file, path, "chdb_result_rows_written")?,
            bytes_written: symbol(file, path, "chdb_result_bytes_written")?,
            destroy: symbol(file, path, "chdb_destroy_query_result")?,
        })
    }

    /// Opens a connection. The first one starts the engine with `arguments`; for later ones they must name the same
    /// `--path`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Open`] if the engine refuses; it writes its reason to standard error.
    pub(crate) fn connect(&'static self, arguments: &[String]) -> Result<Connection, EngineError> {
        let mut owned = vec![c"engine".to_owned()];
        for argument in arguments {
            owned.push(CString::new(argument.as_str()).map_err(|_| EngineError::Open)?);
        }
        let mut pointers: Vec<*mut c_char> =
            owned.iter().map(|text| text.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).map_err(|_| EngineError::Open)?;
        // SAFETY: `pointers` holds `count` NUL-terminated strings that live until the call returns; it copies them.
        let slot = unsafe { (self.connect)(count, pointers.as_mut_ptr()) };
        if slot.is_null() {
            return Err(EngineError::Open);
        }
        Ok(Connection {
            library: self,
            slot,
        })
    }
}

fn symbol<T: Copy>(
    file: &'static libloading::Library,
    path: &Path,
    name: &'static str,
) -> Result<T, EngineError> {
    // SAFETY: every caller asks for the type that `chdb.h` declares for this name.
    unsafe { file.get::<T>(name) }
        .map(|found| *found)
        .map_err(|source| EngineError::Symbol {
            path: path.to_owned(),
            name,
            source,
        })
}

/// A value for each `{name:Type}` in a statement.
pub(crate) type Parameters = [(String, String)];

/// One session: its settings and current database are its own. Runs one statement at a time.
pub(crate) struct Connection {
    library: &'static Library,
    slot: *mut RawConnection,
}

// SAFETY: the header calls connections thread-safe; `&mut self` keeps them to one thread at a time anyway.
unsafe impl Send for Connection {}

impl Connection {
    /// Runs a statement and waits for the whole answer, encoded in `format` unless the statement names another.
    ///
    /// # Errors
    ///
    /// The engine's exception; the caller hands it to the client.
    pub(crate) fn query(
        &mut self,
        statement: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> Result<Answer, Exception> {
        let raw = self.call(self.library.query, statement, format, parameters);
        Answer::new(self.library, raw)
    }

    /// Begins an insert whose data follows by [`InsertStream::append`]. The statement has no `FORMAT` clause.
    ///
    /// # Errors
    ///
    /// The engine's exception, for example for an unknown table.
    pub(crate) fn insert(
        &mut self,
        statement: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> Result<InsertStream<'_>, Exception> {
        let raw = self.call(self.library.insert, statement, format, parameters);
        let stream = InsertStream {
            connection: self,
            raw,
        };
        stream.check()?;
        Ok(stream)
    }

    fn call(
        &self,
        function: QueryFn,
        statement: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> *mut c_void {
        let names: Vec<_> = parameters.iter().map(|(n, _)| n.as_ptr().cast()).collect();
        let name_lengths: Vec<_> = parameters.iter().map(|(n, _)| n.len()).collect();
        let values: Vec<_> = parameters.iter().map(|(_, v)| v.as_ptr().cast()).collect();
        let value_lengths: Vec<_> = parameters.iter().map(|(_, v)| v.len()).collect();
        // SAFETY: `slot` is open until drop; every pointer goes with its length and lives until the call returns; the
        // library copies what it keeps.
        unsafe {
            function(
                *self.slot,
                statement.as_ptr().cast(),
                statement.len(),
                format.as_ptr().cast(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                parameters.len(),
            )
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: `slot` came from `chdb_connect` and is closed once.
        unsafe { (self.library.close)(self.slot) };
    }
}

/// An insert under way. Dropped before [`Self::done`], it is cancelled.
pub(crate) struct InsertStream<'a> {
    connection: &'a Connection,
    raw: RawStream,
}

impl InsertStream<'_> {
    /// Hands on the next octets of the data; any octets, cut anywhere.
    ///
    /// # Errors
    ///
    /// The engine's exception, for example for data that does not fit the format.
    pub(crate) fn append(&mut self, data: &[u8]) -> Result<(), Exception> {
        let library = self.connection.library;
        // SAFETY: `raw` is live, `data` goes with its length, and the library copies it.
        let state = unsafe { (library.append)(self.raw, data.as_ptr().cast(), data.len()) };
        if state == 0 {
            return Ok(());
        }
        self.check()?;
        Err(Exception::unknown(
            "the engine refused data and said no reason",
        ))
    }

    /// Ends the data and waits until it is stored.
    ///
    /// # Errors
    ///
    /// The engine's exception: nothing, or only whole blocks, were stored.
    pub(crate) fn done(self) -> Result<Answer, Exception> {
        let library = self.connection.library;
        // SAFETY: `raw` is live and this is the only call of `done`, as `self` is consumed.
        let raw = unsafe { (library.done)(self.raw) };
        Answer::new(library, raw)
    }

    fn check(&self) -> Result<(), Exception> {
        let library = self.connection.library;
        // SAFETY: `raw` is live; the text belongs to it and is copied here.
        let text = unsafe { text_of((library.stream_error)(self.raw)) };
        text.map_or(Ok(()), |text| Err(Exception::parse(text)))
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        let library = self.connection.library;
        // SAFETY: `raw` is live and destroyed once; cancelling a finished stream does nothing.
        unsafe {
            (library.cancel)(self.raw);
            (library.destroy_stream)(self.raw);
        }
    }
}

/// What a statement gave: the encoded rows, in the library's own memory, and counts.
pub(crate) struct Answer {
    library: &'static Library,
    raw: RawResult,
}

// SAFETY: a result is plain memory that nobody else refers to; it may be read and freed on any thread.
unsafe impl Send for Answer {}

impl Answer {
    fn new(library: &'static Library, raw: RawResult) -> Result<Self, Exception> {
        if raw.is_null() {
            return Err(Exception::unknown("the engine gave no answer"));
        }
        let answer = Self { library, raw };
        // SAFETY: `raw` is live; the text belongs to it and is copied here.
        let text = unsafe { text_of((library.error)(answer.raw)) };
        match text {
            Some(text) => Err(Exception::parse(text)),
            None => Ok(answer),
        }
    }

    /// Rows and octets read from tables, then written, those of views included.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let library = self.library;
        [
            library.rows_read,
            library.bytes_read,
            library.rows_written,
            library.bytes_written,
        ]
        // SAFETY: `raw` is live; these calls only read it.
        .map(|count| unsafe { count(self.raw) })
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `raw` is live; the buffer has that length and does not change before `destroy`.
        unsafe {
            let length = (self.library.length)(self.raw);
            let start: *const u8 = (self.library.buffer)(self.raw).cast();
            if length == 0 || ptr::eq(start, ptr::null()) {
                return &[];
            }
            std::slice::from_raw_parts(start, length)
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: `raw` is live and destroyed once.
        unsafe { (self.library.destroy)(self.raw) };
    }
}

/// Copies a text of the library; `None` for no text, which is how it says "no error".
///
/// # Safety
///
/// `text` is null or a NUL-terminated string that lives until this returns.
unsafe fn text_of(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}
