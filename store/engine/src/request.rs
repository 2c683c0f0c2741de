//! A request of the ClickHouse HTTP interface, read from its address and its form.

use crate::exception::{Exception, UNKNOWN_SETTING};
use crate::statement::{quote_name, quote_string};

/// Parameters that speak of HTTP sessions, users, logs or output buffering, which a private socket has no use for.
const IGNORED: [&str; 15] = [
    "buffer_size",
    "close_session",
    "enable_http_compression",
    "log_comment",
    "password",
    "query_id",
    "quota_key",
    "role",
    "send_progress_in_http_headers",
    "session_check",
    "session_id",
    "session_timeout",
    "stacktrace",
    "user",
    "wait_end_of_query",
];

/// What a client asks for, without the data of an INSERT.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The statement from `query=`; empty if the body holds it.
    pub(crate) query: Vec<u8>,
    /// `database=`.
    database: Option<String>,
    /// `default_format=`, `TabSeparated` as in ClickHouse if there is none.
    pub(crate) format: Option<String>,
    /// `param_x=`: server-side parameters by name.
    pub(crate) parameters: Vec<(String, String)>,
    /// Every other parameter: settings for this statement.
    settings: Vec<(String, String)>,
}

impl Request {
    /// From the part of the address behind the question mark.
    ///
    /// # Errors
    ///
    /// An exception for a parameter that is no UTF-8, a name that can't be a setting's, or compression.
    pub(crate) fn from_address(query: &str) -> Result<Self, Exception> {
        let mut request = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = String::from_utf8(unescape(name))
                .map_err(|_| Exception::malformed("a parameter's name is not UTF-8"))?;
            request.set(&name, unescape(value))?;
        }
        Ok(request)
    }

    /// Adds the fields of a `multipart/form-data` body ([RFC 7578]), which the official client sends when a statement
    /// has parameters.
    ///
    /// # Errors
    ///
    /// An exception if the body does not follow its boundary.
    ///
    /// [RFC 7578]: https://www.rfc-editor.org/rfc/rfc7578
    pub(crate) fn add_form(&mut self, content_type: &str, body: &[u8]) -> Result<(), Exception> {
        let wrong = || Exception::malformed("the multipart form can't be read");
        let boundary = content_type
            .split(';')
            .find_map(|part| part.trim().strip_prefix("boundary="))
            .map(|boundary| boundary.trim_matches('"'))
            .filter(|boundary| !boundary.is_empty())
            .ok_or_else(wrong)?;
        let mark = format!("--{boundary}");
        let mut rest = find(body, mark.as_bytes()).ok_or_else(wrong)?.1;
        let mark = format!("\r\n--{boundary}");
        while !rest.starts_with(b"--") {
            let (part, after) = find(rest, mark.as_bytes()).ok_or_else(wrong)?;
            let (head, value) = find(part, b"\r\n\r\n").ok_or_else(wrong)?;
            let name = field_name(head).ok_or_else(wrong)?;
            self.set(name, value.to_vec())?;
            rest = after;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Vec<u8>) -> Result<(), Exception> {
        if name == "query" {
            self.query = value;
            return Ok(());
        }
        let value = String::from_utf8(value)
            .map_err(|_| Exception::malformed(&format!("the parameter {name} is not UTF-8")))?;
        match name {
            "database" => self.database = Some(value).filter(|name| !name.is_empty()),
            "default_format" => self.format = Some(value),
            "compress" | "decompress" | "client_protocol_version" if value != "0" => {
                return Err(Exception::refused(&format!(
                    "{name} is not supported on this socket"
                )));
            }
            "compress" | "decompress" | "client_protocol_version" => {}
            name if IGNORED.contains(&name) => {}
            name => match name.strip_prefix("param_") {
                Some(parameter) => self.parameters.push((parameter.to_owned(), value)),
                None => self.settings.push((setting_name(name)?, value)),
            },
        }
        Ok(())
    }

    /// The statements that prepare a fresh session for this request.
    ///
    /// `readonly` goes last: after it nothing can be set.
    pub(crate) fn preparation(&self) -> Vec<String> {
        let database = self
            .database
            .iter()
            .map(|name| format!("USE {}", quote_name(name)));
        let mut settings: Vec<_> = self.settings.iter().collect();
        settings.sort_by_key(|(name, _)| name == "readonly");
        let changes: Vec<_> = settings
            .iter()
            .map(|(name, value)| format!("{name} = {}", quote_string(value)))
            .collect();
        let set = (!changes.is_empty()).then(|| format!("SET {}", changes.join(", ")));
        database.chain(set).collect()
    }

    /// Adds a setting, last.
    pub(crate) fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn setting_name(name: &str) -> Result<String, Exception> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(name.to_owned());
    }
    let reason = format!("Unknown setting '{name}'");
    Err(Exception::new(UNKNOWN_SETTING, "UNKNOWN_SETTING", &reason))
}

/// Undoes percent and plus escapes; an escape that is none stays as it is.
fn unescape(text: &str) -> Vec<u8> {
    let hex = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => octets.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    octets.push(high << 4 | low);
                    rest = after;
                }
                _ => octets.push(b'%'),
            },
            (other, _) => octets.push(*other),
        }
    }
    octets
}

/// What is before and behind the first `mark`.
fn find<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

fn field_name(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    let line = head.lines().find(|line| {
        let name = line.split(':').next().unwrap_or_default();
        name.eq_ignore_ascii_case("content-disposition")
    })?;
    let name = line
        .split(';')
        .find_map(|part| part.trim().strip_prefix("name="))?;
    Some(name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_address() {
        let request = Request::from_address(
            "query=SELECT+%7Ba%3AString%7D&database=flow%60reel&param_a=x%00y&default_format=Native\
             &readonly=1&max_threads=2&query_id=7&wait_end_of_query=1&compress=0",
        )
        .unwrap();
        assert_eq!(request.query, b"SELECT {a:String}");
        assert_eq!(request.format.as_deref(), Some("Native"));
        assert_eq!(request.parameters, [("a".to_owned(), "x\0y".to_owned())]);
        assert_eq!(
            request.preparation(),
            ["USE `flow\\`reel`", "SET max_threads = '2', readonly = '1'"]
        );
    }

    #[test]
    fn an_escape_that_is_none_stays() {
        assert_eq!(unescape("50%+%zz%4"), b"50% %zz%4");
        assert_eq!(unescape("%e2%82%ac"), "€".as_bytes());
    }

    #[test]
    fn a_setting_cannot_carry_sql_in_its_name() {
        let refused = Request::from_address("max_threads%3D1%2C+x=1").unwrap_err();
        assert_eq!(refused.code, 115);
        assert_eq!(Request::from_address("compress=1").unwrap_err().code, 344);
    }

    #[test]
    fn reads_a_form_as_the_official_client_writes_it() {
        let body = "--b1\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT\r\n{a:String}\r\n\
                    --b1\r\nContent-Disposition: form-data; name=\"param_a\"\r\n\r\nlast\r\n--b1--\r\n";
        let mut request = Request::default();
        let form = "multipart/form-data; boundary=b1";
        request.add_form(form, body.as_bytes()).unwrap();
        assert_eq!(request.query, b"SELECT\r\n{a:String}");
        assert_eq!(request.parameters, [("a".to_owned(), "last".to_owned())]);
    }

    #[test]
    fn a_broken_form_is_an_error() {
        for body in [
            "",
            "--b1",
            "--b1\r\nContent-Disposition: x\r\n\r\ny\r\n--b1--",
            "--b1\r\n\r\n",
        ] {
            let mut request = Request::default();
            let read = request.add_form("multipart/form-data; boundary=b1", body.as_bytes());
            assert!(read.is_err(), "{body}");
        }
    }
}
