//! What happens to the demo's enterprise, so that there is something to find, and the recording of it.

use std::time::Duration;

use anyhow::Result;
use api::archive::{Archive as _, ArchiveError, Cut, NewNote};
use api::people::Person;
use flow::Timestamp;
use simulator::enterprise::{Effect, Enterprise, Incident};

use crate::server::Server;

/// The recording's name.
const NAME: &str = "file shares surge";
/// Who tells the story.
const BY: &str = "demo";
/// Minutes before the demo's start: the surge, and the recording around it.
const SURGE: (u64, u64) = (25, 18);
const RECORDED: (u64, u64) = (28, 14);
/// Something is to be seen live as well: every so many minutes, for so many hours.
const BURST_EVERY_MIN: u64 = 10;
const BURSTS_HOURS: u64 = 8;

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A slow server an hour ago; 25 minutes ago everybody at once at the file servers, and a line that can't take it; a slow line right now;
/// and a minute of many voice calls now and then.
pub(super) fn schedule(enterprise: &mut Enterprise, now: Timestamp) -> Result<()> {
    let surge = |application: &str, times| Effect::Surge {
        application: application.to_owned(),
        times,
    };
    let delay = |millis| Effect::LinkDelay {
        link: "wan-branch-2".to_owned(),
        extra: Duration::from_millis(millis),
    };
    let loss = Effect::LinkLoss {
        link: "wan-branch-2".to_owned(),
        share: 0.02,
    };
    let slow_server = Effect::ServerSlow {
        application: "erp".to_owned(),
        extra: Duration::from_millis(400),
    };
    let ago = |count| now - minutes(count);
    let mut story = vec![
        (slow_server, ago(60), ago(45)),
        (surge("file shares", 25.0), ago(SURGE.0), ago(SURGE.1)),
        (loss, ago(SURGE.0), ago(SURGE.1)),
        (delay(60), ago(5), now + minutes(10)),
    ];
    for number in 0..BURSTS_HOURS * 60 / BURST_EVERY_MIN {
        let from = now + minutes(1 + number * BURST_EVERY_MIN);
        story.push((surge("internet (quic)", 6.0), from, from + minutes(1)));
    }
    for (effect, from, until) in story {
        enterprise.schedule(&Incident {
            effect,
            from,
            until,
        })?;
    }
    Ok(())
}

/// Cuts the recording of the surge if the history reaches that far back, and says where it is.
pub(super) async fn record(server: &Server, began: Timestamp, history: Duration) -> Result<String> {
    if history < minutes(RECORDED.0) {
        return Ok(String::new());
    }
    let ago = |count| began - minutes(count);
    let archive = &server.plant.archive;
    let operator = Person::operator();
    let cut = Cut {
        name: NAME.to_owned(),
        from: ago(RECORDED.0),
        to: Some(ago(RECORDED.1)),
        filter: String::new(),
        by: Some(BY.to_owned()),
    };
    match archive.cut(&operator, cut).await {
        Ok(_) => {}
        // A demo on a data directory of its own has it from the time before.
        Err(ArchiveError::Conflict(_)) => return Ok(String::new()),
        Err(error) => return Err(error.into()),
    }
    let notes = [
        (
            SURGE.0,
            "Everybody opens files at once; branch 2 loses 2 % of its packets.",
        ),
        (SURGE.1, "It is over."),
    ];
    for (at, text) in notes {
        let note = NewNote {
            at: Some(ago(at)),
            by: Some(BY.to_owned()),
            text: text.to_owned(),
        };
        archive.note(&operator, NAME, note).await?;
    }
    let address = NAME.replace(' ', "%20");
    Ok(format!(
        "An incident of {} minutes ago is recorded; replay it:\n  http://{}/recordings/{address}\n",
        SURGE.0, server.running.http
    ))
}
