//! Mail by SMTP (RFC 5321).

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use flow::Timestamp;
use futures_util::future::BoxFuture;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as File, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use store::catalog::Due;

use super::sending::{Carrier, Failure};
use crate::config::outgoing::{MailConfig, MailTls};

/// How long one command may take, and how long a whole mail.
const COMMAND_WAIT: Duration = Duration::from_secs(20);
const MAIL_WAIT: Duration = Duration::from_secs(120);

/// Hands mail to the server of the configuration.
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Reads password and certificates; nothing is reached yet.
    pub(crate) fn new(config: &MailConfig) -> Result<Self> {
        let tls = || TlsParameters::new(config.host.clone()).context("mail.host");
        let tls = match config.tls {
            MailTls::Required => Tls::Wrapper(tls()?),
            MailTls::Starttls => Tls::Required(tls()?),
            MailTls::Off => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port())
            .timeout(Some(COMMAND_WAIT))
            .tls(tls);
        if let Some((user, password)) = config.credentials()? {
            transport = transport.credentials(Credentials::new(user, password));
        }
        Ok(Self {
            transport: transport.build(),
            from: config.from()?,
        })
    }

    /// Signs on there and off again.
    ///
    /// # Errors
    ///
    /// Why that does not work.
    pub(crate) async fn reach(&self) -> Result<()> {
        let reached = tokio::time::timeout(COMMAND_WAIT, self.transport.test_connection());
        match reached.await.context("it does not answer in time")?? {
            true => Ok(()),
            false => anyhow::bail!("it ends the connection"),
        }
    }

    /// The mail that these messages are.
    fn message(&self, due: &Due, now: Timestamp) -> Result<Message> {
        let Some((first, _)) = due.messages.first() else {
            anyhow::bail!("there is nothing to send");
        };
        let domain = self.from.email.domain();
        let to: Address = first.receiver.parse().context("the address is none")?;
        let seconds = u64::try_from(now.nanos()).unwrap_or(0);
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject(due))
            .date(UNIX_EPOCH + Duration::from_nanos(seconds))
            .message_id(Some(format!("<{}@{domain}>", first.id)))
            // RFC 3834: so that nobody's absence answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(ticket) = only_ticket(due) {
            // No mail has this name: those of one ticket stand together, as they all answer it.
            let thread = format!("<ticket.{ticket}@{domain}>");
            message = message.in_reply_to(thread.clone()).references(thread);
        }
        let text = text(due);
        let both = MultiPart::alternative_plain_html(text.clone(), html(&text));
        if due.attachments.is_empty() {
            return Ok(message.multipart(both)?);
        }
        let mut all = MultiPart::mixed().multipart(both);
        for file in &due.attachments {
            all = all.singlepart(attached(file));
        }
        Ok(message.multipart(all)?)
    }
}

impl Carrier for Mailer {
    fn carry<'a>(&'a self, due: &'a Due, now: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let message = self
                .message(due, now)
                .map_err(|error| Failure::Never(format!("{error:#}")))?;
            let sent = tokio::time::timeout(MAIL_WAIT, self.transport.send(message)).await;
            match sent {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) if error.is_permanent() => Err(Failure::Never(error.to_string())),
                Ok(Err(error)) if error.is_transient() => Err(Failure::Later(error.to_string())),
                Ok(Err(error)) => Err(Failure::Away(error.to_string())),
                Err(_) => Err(Failure::Away("it took too long".to_owned())),
            }
        })
    }
}

/// The ticket that all of it is about.
fn only_ticket(due: &Due) -> Option<u32> {
    let mut tickets = due.messages.iter().map(|(message, _)| message.ticket);
    let first = tickets.next()??;
    tickets.all(|ticket| ticket == Some(first)).then_some(first)
}

fn subject(due: &Due) -> String {
    // What people write is not to be read as an encoded word (RFC 2047), which could hold anything.
    let first = due.messages.first();
    let first = first.map(|(message, _)| message.subject.replace("=?", "= ?"));
    match due.messages.len() {
        many if many > 1 && only_ticket(due).is_none() => format!("{many} news of tickets"),
        _ => first.unwrap_or_default(),
    }
}

/// All that they say, one below the other.
fn text(due: &Due) -> String {
    let parts = due.messages.iter().map(|(_, body)| body.as_str());
    parts.collect::<Vec<_>>().join("\n\n---\n\n")
}

/// The same for those who read HTML: text, and nothing that people wrote is more. The lines that are an address of these pages are
/// links.
fn html(text: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with(LINK) {
        true => {
            let link = escaped(line.trim_start_matches(LINK));
            format!("<a href=\"{link}\">{link}</a>")
        }
        false => escaped(line),
    });
    let lines: Vec<String> = lines.collect();
    format!(
        "<!doctype html><html><body><div style=\"white-space: pre-wrap\">{}</div></body></html>",
        lines.join("\n")
    )
}

/// Before a link that the product made. What people write is indented, so that none of it begins so.
pub(super) const LINK: &str = "Link: ";

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

fn attached(file: &store::catalog::Attachment) -> SinglePart {
    let kind = ContentType::parse(&file.media_type);
    let unknown = ContentType::parse("application/octet-stream");
    let kind = kind.or(unknown).unwrap_or(ContentType::TEXT_PLAIN);
    File::new(file.name.clone()).body(file.content.clone(), kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_text_in_html_too() {
        let text = "Bob writes:\n\n> <script>alert(1)</script> & \"so\"\n\nLink: https://f.example/tickets/1?a=1&b";
        let html = html(text);
        assert!(
            !html.contains("<script")
                && html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;so&quot;")
        );
        let link = "https://f.example/tickets/1?a=1&amp;b";
        assert!(html.contains(&format!("<a href=\"{link}\">{link}</a>")));
        assert_eq!(html.matches("<a ").count(), 1);
    }
}
