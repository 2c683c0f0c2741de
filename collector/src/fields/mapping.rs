//! The operator's mapping file: names for elements that nobody else knows.

use serde::Deserialize;

use super::meaning::{Form, Meaning, Say, Slot, TextUse};
use crate::error::Error;

/// One `[[field]]` of the mapping file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMapping {
    /// Private enterprise number; 0 for IANA and for v9 numbers.
    #[serde(default)]
    pub enterprise: u32,
    /// Element id.
    pub id: u16,
    /// The name under which the values appear in the extras.
    pub name: String,
    /// How to read the octets.
    #[serde(rename = "type")]
    pub kind: MappedType,
    /// A column to fill instead of the extras, by its name in the store: `octets`, `in_vrf` … None that the decoder derives
    /// from several fields: times, kinds, sampling.
    pub column: Option<String>,
}

/// How the octets of a mapped field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MappedType {
    /// Unsigned integer of 1 to 8 octets.
    Unsigned,
    /// Two's complement integer of 1 to 8 octets.
    Signed,
    /// IEEE 754 of 4 or 8 octets.
    Float,
    /// UTF-8 text.
    String,
    /// IPv4 or IPv6, by its length.
    Address,
    /// MAC address.
    Mac,
    /// Anything else, as hexadecimal digits.
    Octets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    field: Vec<FieldMapping>,
}

/// Reads the file's text.
pub(super) fn read(toml: &str) -> Result<Vec<FieldMapping>, Error> {
    Ok(toml::from_str::<File>(toml)?.field)
}

impl FieldMapping {
    /// What the decoder does with the field.
    pub(super) fn meaning(&self) -> Result<Meaning, Error> {
        let Some(column) = &self.column else {
            return Ok(Meaning::Text(TextUse::Extra(
                self.name.as_str().into(),
                self.say(),
            )));
        };
        let slot = Slot::from_name(column)
            .ok_or_else(|| self.wrong(format!("there is no column '{column}'")))?;
        if slot.is_derived() {
            return Err(self.wrong(format!(
                "the decoder derives the column '{column}' itself, no single field can fill it"
            )));
        }
        let fits = match self.kind {
            MappedType::Address => slot.is_address(),
            MappedType::Unsigned | MappedType::Mac => !slot.is_address(),
            _ => false,
        };
        if !fits {
            return Err(self.wrong(format!("its type does not fit the column '{column}'")));
        }
        Ok(Meaning::Column(slot, 0, Form::Plain))
    }

    fn say(&self) -> Say {
        match self.kind {
            MappedType::Unsigned => Say::Unsigned,
            MappedType::Signed => Say::Signed,
            MappedType::Float => Say::Float,
            MappedType::String => Say::Text,
            MappedType::Address => Say::Address,
            MappedType::Mac => Say::Mac,
            MappedType::Octets => Say::Hex,
        }
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Mapping {
            enterprise: self.enterprise,
            id: self.id,
            name: self.name.clone(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fields::FieldTable;

    fn table(field: &str) -> Result<FieldTable, crate::error::Error> {
        FieldTable::with_mapping(&format!("[[field]]\n{field}"))
    }

    #[test]
    fn a_mapping_that_contradicts_itself_is_refused_with_its_place() {
        let error = table("id = 7\nname = \"x\"\ntype = \"unsigned\"\ncolumn = \"src_addr\"")
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "field mapping: element 0/7 ('x'): its type does not fit the column 'src_addr'"
        );
        assert!(table("id = 7\nname = \"x\"\ntype = \"text\"").is_err());
        assert!(table("id = 7\nname = \"x\"\ntype = \"string\"\ncolumn = \"nope\"").is_err());
        for column in [
            "start",
            "reverse_end",
            "time_quality",
            "counter_kind",
            "sampling_interval",
        ] {
            let field = format!("id = 7\nname = \"x\"\ntype = \"unsigned\"\ncolumn = \"{column}\"");
            assert_eq!(
                table(&field).unwrap_err().to_string(),
                format!(
                    "field mapping: element 0/7 ('x'): the decoder derives the column '{column}' itself, no single field \
                     can fill it"
                )
            );
        }
        assert!(table("id = 70000\nname = \"x\"\ntype = \"string\"").is_err());
    }
}
