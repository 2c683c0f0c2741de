//! What a dimension means in SQL: the columns that make a group, and the group's name.

use flow::application::PROTOCOLS;

use crate::predicate::Rows;
use crate::question::{Dimension, Dimensions};

/// A column or expression that groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its name in the query.
    pub(crate) name: &'static str,
    /// How it is made of columns that records and rollups share.
    pub(crate) of: &'static str,
}

/// What a dimension means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grouping {
    /// What makes a group. None is one group of everything.
    pub(crate) keys: Vec<Key>,
    /// The group's name, made of the keys.
    pub(crate) name: String,
    /// Its names by each dimension as a JSON array, where there is more than one; else an empty text.
    pub(crate) parts: String,
    /// The rollup that has the keys, if one has.
    pub(crate) rollup: Option<Rows>,
    /// Columns of the rollup that the keys are made of, where a row is in more than one group: it is summed up by them first,
    /// so that few rows are doubled.
    pub(crate) made_of: Vec<&'static str>,
    /// Whether the client is a key, so that a group has one client or, if it is unknown, none.
    pub(crate) of_one_client: bool,
    /// Whether octets and packets are those of one direction: [`DIRECTION`] is a key.
    pub(crate) of_one_direction: bool,
}

const fn column(name: &'static str) -> Key {
    Key { name, of: name }
}

const EXPORTER: [Key; 2] = [
    column("exporter_name"),
    // A name stands for the exporter; the address only tells the nameless apart.
    Key {
        name: "nameless_exporter",
        of: "if(exporter_name = '', exporter, toIPv6('::'))",
    },
];

/// A record that holds both directions is two rows.
const DIRECTION: Key = Key {
    name: "from_client",
    of: "arrayJoin(if(reverse_octets IS NULL AND reverse_packets IS NULL, [src_is_client], [1, 0]))",
};

const INTERFACE: &[Key] = &[
    EXPORTER[0],
    EXPORTER[1],
    Key {
        name: "way",
        of: "arrayJoin(['in', 'out'])",
    },
    Key {
        name: "interface_name",
        of: "if(way = 'in', in_interface_name, out_interface_name)",
    },
    Key {
        name: "nameless_interface",
        of: "if(interface_name != '', NULL, if(way = 'in', in_interface, out_interface))",
    },
];
const INTERFACE_COLUMNS: &[&str] = &[
    "exporter_name",
    "exporter",
    "in_interface_name",
    "out_interface_name",
    "in_interface",
    "out_interface",
];

impl Grouping {
    /// Everything together.
    pub(crate) fn total() -> Self {
        let mut all = Self::of_keys(&[], "'total'".to_owned());
        all.rollup = Some(Rows::Traffic);
        all
    }

    /// By one to three dimensions.
    pub(crate) fn by(dimensions: impl Into<Dimensions>) -> Self {
        let all: Vec<Self> = dimensions.into().iter().map(Self::by_one).collect();
        match &all[..] {
            [one] => one.clone(),
            _ => Self::together(&all),
        }
    }

    /// By the site of the client.
    pub(crate) fn by_client_site() -> Self {
        const KEYS: &[Key] = &[column("client_site")];
        Self::of_keys(KEYS, text("client_site"))
    }

    /// Groups that are level in all of these.
    fn together(all: &[Self]) -> Self {
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let mut keys: Vec<Key> = Vec::new();
        for key in all.iter().flat_map(|one| &one.keys) {
            // An interface's exporter, and the exporter, are one.
            if !keys.iter().any(|known| known.name == key.name) {
                keys.push(*key);
            }
        }
        let rollup = all[0].rollup;
        let mut made_of: Vec<&'static str> = Vec::new();
        if all.iter().any(|one| !one.made_of.is_empty()) {
            for one in all {
                let columns = one.keys.iter().map(|key| key.of);
                let columns = columns.filter(|of| one.keys.iter().any(|key| key.name == *of));
                match one.made_of.is_empty() {
                    true => made_of.extend(columns),
                    false => made_of.extend(&one.made_of),
                }
            }
            made_of.sort_unstable();
            made_of.dedup();
        }
        Self {
            keys,
            name: format!("concat({})", names.join(", ' · ', ")),
            parts: format!("toJSONString([{}])", names.join(", ")),
            // Another family lacks the columns.
            rollup: rollup.filter(|_| all.iter().all(|one| one.rollup == rollup)),
            made_of,
            of_one_client: all.iter().any(|one| one.of_one_client),
            of_one_direction: all.iter().any(|one| one.of_one_direction),
        }
    }

    fn by_one(dimension: Dimension) -> Self {
        match dimension {
            Dimension::Applications => {
                const KEYS: &[Key] = &[column("application")];
                Self::of_keys(KEYS, text("application")).from(Rows::Traffic)
            }
            Dimension::Sites => {
                const KEYS: &[Key] = &[Key {
                    name: "site",
                    of: "arrayJoin(arrayDistinct([client_site, server_site]))",
                }];
                let sites = Self::of_keys(KEYS, text("site")).from(Rows::Traffic);
                sites.made_of(&["client_site", "server_site"])
            }
            Dimension::Exporters => {
                const KEYS: &[Key] = &EXPORTER;
                Self::of_keys(KEYS, exporter()).from(Rows::Interfaces)
            }
            Dimension::Interfaces => {
                let interfaces = Self::of_keys(INTERFACE, interface()).from(Rows::Interfaces);
                interfaces.made_of(INTERFACE_COLUMNS)
            }
            Dimension::Clients => {
                const KEYS: &[Key] = &[column("client_addr")];
                Self::of_keys(KEYS, address("client_addr")).of_one_client()
            }
            Dimension::Servers => {
                const KEYS: &[Key] = &[column("server_addr")];
                Self::of_keys(KEYS, address("server_addr"))
            }
            Dimension::Conversations => {
                const KEYS: &[Key] = &[
                    column("client_addr"),
                    column("server_addr"),
                    column("server_port"),
                    column("protocol"),
                ];
                Self::of_keys(KEYS, conversation()).of_one_client()
            }
            Dimension::Protocols => {
                const KEYS: &[Key] = &[column("protocol")];
                Self::of_keys(KEYS, protocol())
            }
            Dimension::Ports => {
                const KEYS: &[Key] = &[column("server_port"), column("protocol")];
                let name = format!("concat({}, '/', {})", port(), protocol());
                Self::of_keys(KEYS, name)
            }
            Dimension::Directions => {
                const KEYS: &[Key] = &[DIRECTION];
                let name = "if(from_client = 1, 'from client', 'from server')".to_owned();
                Self::of_keys(KEYS, name).of_one_direction()
            }
        }
    }

    fn of_keys(keys: &'static [Key], name: String) -> Self {
        Self {
            keys: keys.to_vec(),
            name,
            parts: "''".to_owned(),
            rollup: None,
            made_of: Vec::new(),
            of_one_client: false,
            of_one_direction: false,
        }
    }

    fn from(mut self, rollup: Rows) -> Self {
        self.rollup = Some(rollup);
        self
    }

    fn made_of(mut self, columns: &'static [&'static str]) -> Self {
        self.made_of = columns.to_vec();
        self
    }

    fn of_one_client(mut self) -> Self {
        self.of_one_client = true;
        self
    }

    fn of_one_direction(mut self) -> Self {
        self.of_one_direction = true;
        self
    }

    /// What a record's octets and packets are to a group.
    pub(crate) fn totals(&self) -> [&'static str; 2] {
        match self.of_one_direction {
            true => ["sent_octets", "sent_packets"],
            false => ["total_octets", "total_packets"],
        }
    }

    /// The keys, as they stand behind a SELECT.
    pub(crate) fn columns(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| match key.name == key.of {
            true => key.name.to_owned(),
            false => format!("{} AS {}", key.of, key.name),
        })
    }

    /// Whether every record counts, and not only one of each conversation: at exporters and interfaces.
    pub(crate) fn counts_all(&self) -> bool {
        self.keys.iter().any(|key| key.name == EXPORTER[0].name)
    }
}

fn text(column: &str) -> String {
    format!("if({column} = '', '(unknown)', toString({column}))")
}

/// IPv4 as people write it.
fn plain_address(column: &str) -> String {
    format!(r"replaceRegexpOne(toString({column}), '^::ffff:([0-9.]+)$', '\\1')")
}

fn address(column: &str) -> String {
    format!("ifNull({}, '(unknown)')", plain_address(column))
}

fn exporter() -> String {
    let nameless = plain_address("nameless_exporter");
    format!("if(exporter_name = '', {nameless}, toString(exporter_name))")
}

fn interface() -> String {
    let index = "ifNull(toString(nameless_interface), '(unknown)')";
    let name = format!("if(interface_name = '', {index}, toString(interface_name))");
    format!("concat({}, ' / ', {name}, ' ', way)", exporter())
}

fn protocol() -> String {
    let numbers: Vec<String> = PROTOCOLS
        .iter()
        .map(|(number, _)| number.to_string())
        .collect();
    let names: Vec<String> = PROTOCOLS
        .iter()
        .map(|(_, name)| format!("'{name}'"))
        .collect();
    format!(
        "ifNull(transform(toString(protocol), ['{}'], [{}], toString(protocol)), '(unknown)')",
        numbers.join("', '"),
        names.join(", ")
    )
}

fn port() -> String {
    "ifNull(toString(server_port), '(unknown)')".to_owned()
}

fn conversation() -> String {
    let server = plain_address("server_addr");
    let bracketed = format!(
        "ifNull(if(position({server}, ':') > 0, concat('[', {server}, ']'), {server}), '(unknown)')"
    );
    let to = format!(
        "if(server_port IS NULL, {server}, concat({bracketed}, ':', toString(assumeNotNull(server_port))))",
        server = address("server_addr")
    );
    format!(
        "concat({}, ' → ', {to}, '/', {})",
        address("client_addr"),
        protocol()
    )
}
