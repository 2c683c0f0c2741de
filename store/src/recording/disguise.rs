//! The same rows under other addresses: what each address becomes is put into tables, and looked up when rows are laid out.

use std::net::Ipv6Addr;

use bytes::Bytes;
use serde::Deserialize;

use super::{Slice, matching};
use crate::attempt::insert_block;
use crate::error::StoreError;
use crate::sql::{Sql, literal};
use crate::store::Store;

/// What addresses become. The same address becomes the same each time.
pub trait OtherAddresses: Sync {
    /// An address; IPv4 as IPv6 that holds it.
    fn address(&self, address: Ipv6Addr) -> Ipv6Addr;
    /// A MAC address, in the last 48 bits.
    fn mac(&self, mac: u64) -> u64;
    /// The name of an application that was learned, which says the server's address.
    fn application(&self, name: &str) -> String;
}

/// Tables of what addresses become. They tell who is who, and go when the rows have left.
#[derive(Clone, Debug)]
pub(super) struct Disguise {
    /// The database that they are in.
    pub(super) database: String,
}

/// Columns of MAC addresses among the rare numbers.
const MACS: [&str; 2] = ["src_mac", "dst_mac"];
/// Lines of a table that are sent at a time.
const LINES: usize = 10_000;

impl Store {
    /// Finds out what the addresses of a slice's rows become.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub(super) async fn disguise(
        &self,
        disguise: &Disguise,
        slice: Option<&Slice>,
        others: &dyn OtherAddresses,
    ) -> Result<(), StoreError> {
        let addresses = "arrayJoin(arrayConcat(arrayFilter(address -> address IS NOT NULL, [exporter, client_addr, server_addr, next_hop]), \
             mapValues(rare_addresses)))";
        let addresses: Vec<Address> = self
            .distinct(&format!("assumeNotNull({addresses})"), slice)
            .await?;
        let lines = addresses
            .into_iter()
            .map(|Address { value }| format!("{value}\t{}", others.address(value)));
        self.fill(disguise, ("addresses", "IPv6"), lines).await?;
        let macs = format!(
            "arrayJoin(mapValues(mapFilter((key, mac) -> key IN ('{}'), rare_numbers)))",
            MACS.join("', '")
        );
        let macs: Vec<Number> = self.distinct(&macs, slice).await?;
        let lines = macs
            .into_iter()
            .map(|Number { value }| format!("{value}\t{}", others.mac(value)));
        self.fill(disguise, ("macs", "UInt64"), lines).await?;
        let learned = "toString(if(application_source = 'learned', application, ''))";
        let names: Vec<Name> = self.distinct(learned, slice).await?;
        let lines = names.into_iter().map(|Name { value }| {
            let other = if value.is_empty() {
                String::new()
            } else {
                others.application(&value)
            };
            format!("{}\t{}", escaped(&value), escaped(&other))
        });
        self.fill(disguise, ("applications", "String"), lines).await
    }

    pub(super) async fn run(&self, statement: String) -> Result<(), StoreError> {
        Ok(Sql::text(statement).query(&self.client).execute().await?)
    }

    async fn distinct<T>(&self, value: &str, slice: Option<&Slice>) -> Result<Vec<T>, StoreError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        let sql = Sql::text(format!(
            "SELECT DISTINCT {value} AS value\nFROM {}.flows\nWHERE ",
            self.database()
        ));
        self.read(sql.join(matching(slice)?)).await
    }

    async fn fill(
        &self,
        disguise: &Disguise,
        (table, kind): (&str, &str),
        lines: impl Iterator<Item = String>,
    ) -> Result<(), StoreError> {
        let table = format!("{}.{table}", disguise.database);
        self.run(format!(
            "CREATE TABLE {table} (value {kind}, other {kind}) ENGINE = Join(ANY, LEFT, value)"
        ))
        .await?;
        let mut lines = lines.peekable();
        let pieces = std::iter::from_fn(|| {
            lines.peek()?;
            let some: Vec<String> = lines.by_ref().take(LINES).collect();
            Some(Bytes::from(some.join("\n") + "\n"))
        });
        let statement = format!("INSERT INTO {table} FORMAT TabSeparated");
        insert_block(&self.client, statement, pieces, None, || ())
            .await
            .1
    }
}

impl Disguise {
    /// A column's value under other addresses.
    pub(super) fn value(&self, name: &str, kind: &str) -> String {
        let column = format!("`{name}`");
        match (name, kind) {
            (_, "IPv6") => self.other("addresses", &column),
            (_, "Nullable(IPv6)") => format!(
                "if({column} IS NULL, NULL, {})",
                self.other("addresses", &format!("assumeNotNull({column})"))
            ),
            (_, "Map(String, IPv6)") => format!(
                "mapApply((key, address) -> (key, {}), {column})",
                self.other("addresses", "address")
            ),
            ("rare_numbers", _) => format!(
                "mapApply((key, number) -> (key, if(key IN ('{}'), {}, number)), {column})",
                MACS.join("', '"),
                self.other("macs", "number")
            ),
            ("application", _) => format!(
                "if(application_source = 'learned', {}, {column})",
                self.other("applications", &format!("toString({column})"))
            ),
            // Texts that nobody knows may say anything.
            ("extras", _) => "CAST(map(), 'Map(String, String)')".to_owned(),
            _ => column,
        }
    }

    fn other(&self, table: &str, value: &str) -> String {
        let table = literal(&format!("{}.{table}", self.database));
        format!("joinGet({table}, 'other', {value})")
    }
}

/// As text stands in a line of tab-separated ones.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
}

#[derive(Debug, Deserialize, clickhouse::Row)]
struct Address {
    value: Ipv6Addr,
}

#[derive(Debug, Deserialize, clickhouse::Row)]
struct Number {
    value: u64,
}

#[derive(Debug, Deserialize, clickhouse::Row)]
struct Name {
    value: String,
}
