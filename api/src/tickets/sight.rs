//! Who may see which ticket, and what of it.

use std::net::IpAddr;

use flow::address::widen;
use flow::{Filter, FlowBatch};
use store::catalog::{Account, Role, Ticket, TicketEventKind};
use store::question::Scope;

use super::{Opened, StoryLine};
use crate::people::{Identity, Permission, Person};

/// What is told of others to who does not see every flow.
const OF_OTHERS: &str = "who sees every flow sees this";

impl Person {
    /// As whom they press. Where nobody signs on, it is the address that they press at.
    pub(super) fn reporter(&self, seen_from: Option<IpAddr>) -> String {
        match seen_from {
            Some(address) if self.identity == Identity::Operator => {
                address.to_canonical().to_string()
            }
            _ => self.name.clone(),
        }
    }

    /// Whether they may replay a ticket's recording, within their scope.
    pub fn may_replay(&self, ticket: &Ticket) -> bool {
        Permission::Replay.is_of(self.role) && self.may_see(ticket)
    }

    /// Whether they may know that a ticket is like another: not by a server, whose flows they may not see.
    pub(super) fn may_compare(&self, ticket: &Ticket, other: &Ticket) -> bool {
        let shared = |one: &str, other: &str| !one.is_empty() && one == other;
        let is_told = self.scope.sees_all()
            || shared(&ticket.site, &other.site)
            || shared(&ticket.application, &other.application);
        is_told && self.may_see(other)
    }

    /// Whether they may see a ticket: end users their own, others those in their scope.
    pub(super) fn may_see(&self, ticket: &Ticket) -> bool {
        match self.works_tickets() {
            true => self.is_in_scope(ticket),
            false => ticket.reporter == self.name,
        }
    }

    /// Whether they see more than their own tickets.
    pub(super) fn works_tickets(&self) -> bool {
        self.role != Role::EndUser
    }

    /// Whether they may do something with tickets.
    pub(super) fn may_work(&self) -> bool {
        Permission::Work.is_of(self.role)
    }

    /// Whether a flow of the ticket's host would be in their scope.
    fn is_in_scope(&self, ticket: &Ticket) -> bool {
        let Some(only) = &self.scope.only else {
            return true;
        };
        let mut batch = FlowBatch::default();
        batch.origin.received_at.push(ticket.pressed_at.nanos());
        batch.columns.src_addr.set(0, widen(ticket.host));
        let added = &mut batch.enrichment;
        added.src_is_client.push(1);
        added.accounting.push(1);
        for (column, text) in [
            (&mut added.application, &ticket.application),
            (&mut added.client_site, &ticket.site),
        ] {
            if !text.is_empty() {
                column.set_text(0, text);
            }
        }
        batch.pad();
        only.expr().matches(&batch, 0)
    }

    /// Whether they are shown what the ticket's host did: end users what they themselves did.
    pub(super) fn may_see_traffic(&self, ticket: &Ticket) -> bool {
        self.works_tickets() || self.sees_host(ticket.host)
    }

    /// A ticket as they see it: nobody is told of a picture that they do not get.
    pub(super) fn shown(&self, ticket: Ticket) -> Ticket {
        Ticket {
            has_picture: ticket.has_picture && self.may_see_traffic(&ticket),
            ..ticket
        }
    }

    /// The scope that a ticket's story is told in. End users get what is theirs of the whole: see [`Person::part_of`].
    pub(super) fn told_within(&self) -> &Scope {
        static ALL: Scope = Scope { only: None };
        match self.works_tickets() {
            true => &self.scope,
            false => &ALL,
        }
    }

    /// Whether an address is what they see flows of.
    pub(super) fn sees_host(&self, host: IpAddr) -> bool {
        let its = Filter::parse(&format!("ip {}", host.to_canonical()));
        match &self.scope.only {
            None => true,
            Some(only) => its.is_ok_and(|its| its.expr() == only.expr()),
        }
    }
}

/// Whether somebody who has this account may see a ticket: nothing of one is sent to whom its page is shut.
pub fn may_see(account: &Account, ticket: &Ticket) -> bool {
    let identity = Identity::Proxy {
        account: account.number,
    };
    Person::of(account, identity, account.role, "", None).may_see(ticket)
}

impl Person {
    /// What they see of a ticket that was opened within [`Person::told_within`].
    pub(super) fn part_of(&self, mut opened: Opened) -> Opened {
        if !self.may_replay(&opened.ticket) {
            opened.recording = None;
        }
        opened.ticket = self.shown(opened.ticket);
        if self.scope.sees_all() {
            return opened;
        }
        if self.works_tickets() || !self.sees_host(opened.ticket.host) {
            // What was recorded names servers and sites of all flows.
            let mut events = opened.events.iter_mut();
            if let Some(pressed) = events.find(|it| it.kind == TicketEventKind::Pressed) {
                pressed.text.clear();
            }
        }
        match self.works_tickets() {
            true => opened,
            false => own_part(opened, self),
        }
    }
}

/// What an end user sees of a ticket: themselves, if it is about them, and nothing of others.
fn own_part(mut opened: Opened, person: &Person) -> Opened {
    opened.similar.clear();
    if !person.sees_host(opened.ticket.host) {
        opened.servers.clear();
        opened.story = None;
        return opened;
    }
    let stories = opened.story.iter_mut();
    for application in stories.flat_map(|story| &mut story.applications) {
        for line in [&mut application.colleagues, &mut application.elsewhere] {
            *line = StoryLine {
                sentence: OF_OTHERS.to_owned(),
                sides: Vec::new(),
            };
        }
    }
    opened
}

#[cfg(test)]
mod tests {
    use flow::Timestamp;
    use store::catalog::{TicketEvent, TicketState};

    use super::*;
    use crate::tickets::{ApplicationStory, Measures, Story};

    fn ticket() -> Ticket {
        Ticket {
            number: 42,
            id: "a".repeat(32),
            pressed_at: Timestamp::from_seconds(1_800_000_000),
            reporter: "ann".to_owned(),
            host: "10.1.0.1".parse().unwrap(),
            site: "berlin".to_owned(),
            application: "orders".to_owned(),
            words: String::new(),
            state: TicketState::Open,
            assignee: None,
            reason: None,
            merged_into: None,
            recording: Some(7),
            made_at: None,
            has_picture: true,
        }
    }

    fn person(name: &str, role: Role, scope: &str) -> Person {
        let only = (!scope.is_empty()).then(|| Filter::parse(scope).unwrap());
        Person {
            name: name.to_owned(),
            role,
            scope: Scope { only },
            identity: Identity::Session {
                account: 1,
                session: 1,
            },
            address: None,
        }
    }

    #[test]
    fn end_users_see_their_own_and_others_those_in_their_scope() {
        let sees = |name, role, scope| person(name, role, scope).may_see(&ticket());
        assert!(sees("ann", Role::EndUser, "ip 10.9.9.9"));
        assert!(!sees("bob", Role::EndUser, ""));
        assert!(sees("bob", Role::HelpDesk, ""));
        assert!(sees(
            "bob",
            Role::HelpDesk,
            "site berlin and net 10.1.0.0/16"
        ));
        assert!(sees("bob", Role::ApplicationOwner, "app orders"));
        for scope in ["site paris", "app mail", "net 10.2.0.0/16", "not any"] {
            assert!(!sees("bob", Role::Engineer, scope), "{scope}");
        }
    }

    #[test]
    fn where_nobody_signs_on_an_address_presses() {
        let address = Some("::ffff:10.1.0.9".parse().unwrap());
        assert_eq!(Person::operator().reporter(address), "10.1.0.9");
        assert_eq!(Person::operator().reporter(None), "operator");
        assert_eq!(person("ann", Role::EndUser, "").reporter(address), "ann");
    }

    fn opened() -> Opened {
        let line = || StoryLine {
            sentence: "10.1.0.77 is slow".to_owned(),
            sides: Vec::new(),
        };
        let application = ApplicationStory {
            application: "orders".to_owned(),
            now: Measures::default(),
            themselves: line(),
            colleagues: line(),
            elsewhere: line(),
        };
        let at = ticket().pressed_at;
        Opened {
            ticket: ticket(),
            events: vec![TicketEvent {
                at,
                who: "ann".to_owned(),
                kind: TicketEventKind::Pressed,
                text: "recorded: ip 10.1.0.1 or server ip in [10.2.0.1]".to_owned(),
            }],
            story: Some(Story {
                from: at,
                to: at,
                applications: vec![application],
                absent: None,
                verdict: None,
            }),
            recording: Some("ticket 42".to_owned()),
            servers: vec!["10.2.0.1".parse().unwrap()],
            similar: vec![41],
        }
    }

    #[test]
    fn an_end_user_is_told_nothing_of_others() {
        let of = |scope| person("ann", Role::EndUser, scope).part_of(opened());
        let own = of("ip 10.1.0.1");
        let application = &own.story.unwrap().applications[0];
        assert_eq!(application.themselves.sentence, "10.1.0.77 is slow");
        for line in [&application.colleagues, &application.elsewhere] {
            assert_eq!(line.sentence, OF_OTHERS);
        }
        assert!(own.similar.is_empty() && own.servers.len() == 1);
        assert!(own.recording.is_none() && own.events == opened().events);
        assert!(own.ticket.has_picture);
        // It is about another address than theirs.
        let other = of("ip 10.1.0.2");
        assert!(other.story.is_none() && other.servers.is_empty());
        assert_eq!(other.events[0].text, "");
        assert!(!other.ticket.has_picture);
    }

    #[test]
    fn whoever_works_tickets_is_told_within_their_scope() {
        let all = person("bob", Role::HelpDesk, "");
        assert!(all.told_within().sees_all());
        assert_eq!(all.part_of(opened()), opened());
        let of_berlin = person("bob", Role::HelpDesk, "site berlin");
        assert_eq!(of_berlin.told_within(), &of_berlin.scope);
        let part = of_berlin.part_of(opened());
        assert_eq!(part.events[0].text, "");
        assert_eq!(part.recording.as_deref(), Some("ticket 42"));
        let of_paris = person("bob", Role::HelpDesk, "site paris");
        assert_eq!(of_paris.part_of(opened()).recording, None);
    }

    #[test]
    fn tickets_are_alike_by_what_one_sees() {
        let of_berlin = person("bob", Role::HelpDesk, "site berlin");
        let other = |site: &str, application: &str| Ticket {
            site: site.to_owned(),
            application: application.to_owned(),
            ..ticket()
        };
        assert!(of_berlin.may_compare(&ticket(), &other("berlin", "mail")));
        assert!(!of_berlin.may_compare(&ticket(), &other("paris", "orders")));
        let of_hosts = person("bob", Role::HelpDesk, "net 10.1.0.0/16");
        assert!(of_hosts.may_compare(&ticket(), &other("paris", "orders")));
        // By a server only.
        assert!(!of_hosts.may_compare(&ticket(), &other("", "")));
        assert!(person("bob", Role::HelpDesk, "").may_compare(&ticket(), &other("", "")));
    }
}
