//! The words of mails: what somebody is told of a ticket, and nothing that they may not see on its page.

use flow::Timestamp;
use store::catalog::{Ticket, TicketEvent, TicketEventKind as Kind};

use super::mailing::LINK;

/// Characters of a ticket's words in a subject.
const TITLE_CHARS_MAX: usize = 60;

/// As whom somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// They pressed the button.
    Reporter,
    /// They work on it.
    Assignee,
}

/// What a mail's subject is for all of a ticket, so that they stand together.
pub(super) fn subject(ticket: &Ticket) -> String {
    let first = ticket.words.lines().next().unwrap_or_default().trim();
    let title = match (first, ticket.application.as_str()) {
        ("", "") => ticket.host.to_string(),
        ("", application) => application.to_owned(),
        (words, _) => words.to_owned(),
    };
    let short: String = title.chars().take(TITLE_CHARS_MAX).collect();
    let dots = if short.len() < title.len() { "…" } else { "" };
    format!("Ticket {}: {short}{dots}", ticket.number)
}

/// What they are told of an event; `None` if nothing: of what they did themselves, and of what is not for them.
pub(super) fn letter(
    told: Told,
    name: &str,
    ticket: &Ticket,
    event: &TicketEvent,
    pages: Option<&str>,
) -> Option<String> {
    if event.who == name && event.kind != Kind::Pressed {
        return None;
    }
    let sentence = match told {
        Told::Reporter => to_reporter(ticket.number, event)?,
        Told::Assignee => to_assignee(name, ticket, event)?,
    };
    let mut text = sentence;
    let said = match event.kind {
        Kind::Commented | Kind::Escalated | Kind::Closed => event.text.as_str(),
        _ => "",
    };
    if !said.is_empty() {
        text += &format!("\n\n{}", quoted(said));
    }
    text += &format!("\n\n{}", reminder(told, ticket));
    if let Some(pages) = pages {
        text += &format!("\n\n{LINK}{pages}/tickets/{}", ticket.number);
    }
    text += "\n\nYou can do without these mails: your page Account has a switch.";
    Some(text)
}

fn to_reporter(number: u32, event: &TicketEvent) -> Option<String> {
    let who = &event.who;
    Some(match event.kind {
        Kind::Pressed => format!("The help desk has your report. It is ticket {number}."),
        Kind::Assigned if event.text.is_empty() => return None,
        Kind::Assigned => format!("{} works on your ticket {number}.", event.text),
        Kind::Commented => format!("{who} writes on your ticket {number}:"),
        Kind::Escalated => format!("{who} has handed your ticket {number} to an engineer."),
        Kind::Merged => format!("Your ticket {number} goes on with others of the same kind."),
        Kind::TookIn => return None,
        Kind::Closed => format!("{who} has closed your ticket {number}:"),
        Kind::Reopened => format!("{who} has opened your ticket {number} again."),
    })
}

fn to_assignee(name: &str, ticket: &Ticket, event: &TicketEvent) -> Option<String> {
    let (number, who) = (ticket.number, &event.who);
    Some(match event.kind {
        Kind::Assigned if event.text == name => format!("{who} has given you ticket {number}."),
        Kind::Commented if *who == ticket.reporter => {
            format!("{who}, who reported ticket {number}, writes:")
        }
        _ => return None,
    })
}

/// What it was about.
fn reminder(told: Told, ticket: &Ticket) -> String {
    let whose = match told {
        Told::Reporter => "You reported".to_owned(),
        Told::Assignee => format!("{} reported", ticket.reporter),
    };
    let about = match ticket.application.as_str() {
        "" => format!("{}", ticket.host),
        application => format!("{application} at {}", ticket.host),
    };
    let said = match ticket.words.as_str() {
        "" => String::new(),
        words => format!("\n{}", quoted(words)),
    };
    format!("{whose} on {}: {about}{said}", minute(ticket.pressed_at))
}

/// Each line behind a sign, as mail has it.
fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("> {line}")).collect();
    lines.join("\n")
}

/// `2026-11-23 11:28 UTC`.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.get(..5).unwrap_or(time);
    format!("{day} {time} UTC")
}

#[cfg(test)]
mod tests {
    use store::catalog::TicketState;

    use super::*;

    fn ticket(words: &str) -> Ticket {
        Ticket {
            number: 42,
            id: "a".repeat(32),
            pressed_at: Timestamp::from_seconds(1_800_000_000),
            reporter: "ann".to_owned(),
            host: "10.1.0.1".parse().unwrap(),
            site: "berlin".to_owned(),
            application: "orders".to_owned(),
            words: words.to_owned(),
            state: TicketState::Open,
            assignee: Some("bob".to_owned()),
            reason: None,
            merged_into: None,
            recording: Some(7),
            made_at: None,
            has_picture: false,
        }
    }

    fn event(who: &str, kind: Kind, text: &str) -> TicketEvent {
        TicketEvent {
            at: Timestamp::from_seconds(1_800_000_060),
            who: who.to_owned(),
            kind,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_reporter_is_told_what_the_help_desk_says() {
        let event = event(
            "bob",
            Kind::Closed,
            "the switch was full\nLink: https://evil.example",
        );
        let pages = Some("https://flows.example");
        let text = letter(
            Told::Reporter,
            "ann",
            &ticket("slow\nall day"),
            &event,
            pages,
        )
        .unwrap();
        // 1,800,000,000 s are 2027-01-15 08:00 by date(1).
        let expected = "bob has closed your ticket 42:\n\n> the switch was full\n> Link: https://evil.example\n\n\
            You reported on 2027-01-15 08:00 UTC: orders at 10.1.0.1\n> slow\n> all day\n\n\
            Link: https://flows.example/tickets/42\n\nYou can do without these mails: your page Account has a switch.";
        assert_eq!(text, expected);
    }

    #[test]
    fn nobody_is_told_what_they_did_or_what_is_not_theirs() {
        let of = |told, name: &str, who: &str, kind, text: &str| {
            letter(told, name, &ticket(""), &event(who, kind, text), None).is_some()
        };
        assert!(!of(Told::Reporter, "ann", "ann", Kind::Commented, "hello"));
        assert!(of(
            Told::Reporter,
            "ann",
            "ann",
            Kind::Pressed,
            "recorded: ip 10.1.0.1"
        ));
        assert!(!of(Told::Reporter, "ann", "bob", Kind::TookIn, "41"));
        assert!(!of(Told::Assignee, "bob", "bob", Kind::Assigned, "bob"));
        assert!(of(Told::Assignee, "bob", "eve", Kind::Assigned, "bob"));
        assert!(!of(Told::Assignee, "bob", "eve", Kind::Commented, "hello"));
        assert!(of(Told::Assignee, "bob", "ann", Kind::Commented, "hello"));
        // Other people's servers are in the scope of a recording.
        let pressed = event("ann", Kind::Pressed, "recorded: server ip in [10.2.0.1]");
        let text = letter(Told::Reporter, "ann", &ticket(""), &pressed, None).unwrap();
        assert!(!text.contains("10.2.0.1"), "{text}");
    }

    #[test]
    fn a_subject_is_short_and_the_same_for_all_of_a_ticket() {
        assert_eq!(
            subject(&ticket("Outlook hängt\nseit 9")),
            "Ticket 42: Outlook hängt"
        );
        assert_eq!(subject(&ticket("")), "Ticket 42: orders");
        let long = subject(&ticket(&"ü".repeat(100)));
        assert_eq!(long, format!("Ticket 42: {}…", "ü".repeat(60)));
    }
}
