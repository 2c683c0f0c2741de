//! A listener to a player: server-sent events, read as the standard has them
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).

use std::io::{BufRead as _, BufReader, Read};

use serde_json::Value;

use super::{PATIENCE, Server};

/// Reads the events of a player, one after the other.
pub(crate) struct Listening(BufReader<Box<dyn Read + Send>>);

impl Listening {
    /// Opens the stream of a player's frames.
    pub(crate) fn to(server: &Server, id: &str) -> Self {
        Self::with(server, id, None)
    }

    /// The same, with a header line.
    pub(crate) fn with(server: &Server, id: &str, header: Option<(&str, &str)>) -> Self {
        let config = ureq::Agent::config_builder().timeout_recv_body(Some(PATIENCE));
        let agent = ureq::Agent::new_with_config(config.build());
        let url = format!("{}/api/v1/players/{id}/frames", server.url());
        let mut request = agent.get(url);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self(BufReader::new(Box::new(answer.into_body().into_reader())))
    }

    /// The next event; `None` at the stream's proper end.
    pub(crate) fn event(&mut self) -> Option<(String, Value)> {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(':') {
                Some(("", _)) => {}
                Some(("event", value)) => value.trim_start().clone_into(&mut name),
                Some(("data", value)) => data.push_str(value),
                Some((field, _)) => panic!("an event has no '{field}'"),
                // A blank line ends an event, or a comment, which has no data.
                None if data.is_empty() => {}
                None => return Some((name, serde_json::from_str(&data).unwrap())),
            }
        }
    }

    /// The next event, which has this name.
    pub(crate) fn expect(&mut self, name: &str) -> Value {
        let (found, data) = self.event().unwrap();
        assert_eq!(found, name, "{data}");
        data
    }
}
