//! Reads the values of conditions: addresses, ports, flags, amounts. Each says in its message what it would have read.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::Number;
use super::words::{number_max, number_name, number_words};

/// TCP flags by letter, low bit first ([RFC 9293 §3.1]); `W` is pf's letter for CWR, `N` the historic NS.
const FLAG_LETTERS: [char; 9] = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C', 'N'];
const FLAG_NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

/// An address or a prefix; an address is a prefix of full length. Bits past the length are cleared, mapped IPv4
/// (`::ffff:10.0.0.1`) is IPv4, as in the columns.
pub(super) fn net(text: &str) -> Option<IpNet> {
    let written = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    Some(unmapped(written).trunc())
}

fn unmapped(net: IpNet) -> IpNet {
    const MAPPED_PREFIX: u8 = 96;
    let IpNet::V6(v6) = net else { return net };
    match (
        v6.addr().to_ipv4_mapped(),
        v6.prefix_len().checked_sub(MAPPED_PREFIX),
    ) {
        (Some(v4), Some(len)) => Ipv4Net::new(v4, len).map_or(net, IpNet::V4),
        _ => net,
    }
}

/// `10.0.0.0` and `255.0.0.0`. `None` if either is something else.
pub(super) fn net_with_mask(address: &str, mask: &str) -> Option<IpNet> {
    let address: Ipv4Addr = address.parse().ok()?;
    let net = Ipv4Net::with_netmask(address, mask.parse().ok()?).ok()?;
    Some(IpNet::V4(net.trunc()))
}

pub(super) fn not_an_address(shown: &str) -> String {
    format!("{shown} is not an address; write 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32")
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not a port; a port is a number from 0 to 65535"))
}

/// `443` or `8000-8099`.
pub(super) fn port_range(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (first, last),
        _ => {
            return Err(format!(
                "'{text}' is neither a port nor a range; write 443 or 8000-8099"
            ));
        }
    };
    if first > last {
        return Err(format!("'{text}' runs backwards; write {last}-{first}"));
    }
    Ok((first, last))
}

/// `02:00:5e:10:00:01`, also with `-`: the low 48 bits.
pub(super) fn mac(text: &str) -> Option<u64> {
    let octets: Vec<&str> = text.split([':', '-']).collect();
    if octets.len() != 6 {
        return None;
    }
    octets.iter().try_fold(0, |bits, octet| {
        let is_hex = (1..=2).contains(&octet.len()) && octet.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u64::from_str_radix(octet, 16).ok().filter(|_| is_hex)?;
        Some(bits << 8 | value)
    })
}

/// `64500` or `AS64500`.
pub(super) fn as_number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    lower.strip_prefix("as").unwrap_or(&lower).parse().ok()
}

/// `S`, `SA`, `syn`, `0x12`, `18`: all set. `S/SA`: of the second, only those of the first. As (set, unset).
pub(super) fn flags(text: &str) -> Result<(u16, u16), String> {
    let wrong = || {
        format!(
            "'{text}' are no TCP flags; write letters of FSRPAUEC as in SA, S/SA for S without A, or 0x12"
        )
    };
    let Some((set, of)) = text.split_once('/') else {
        return Ok((
            flag_bits(text)
                .filter(|_| !text.is_empty())
                .ok_or_else(wrong)?,
            0,
        ));
    };
    let (set, of) = (
        flag_bits(set).ok_or_else(wrong)?,
        flag_bits(of).ok_or_else(wrong)?,
    );
    if set & !of != 0 {
        return Err(format!(
            "'{text}': the flags before the '/' must be among those after it, as in S/SA"
        ));
    }
    Ok((set, of & !set))
}

fn flag_bits(text: &str) -> Option<u16> {
    let upper = text.to_ascii_uppercase();
    if let Some(hex) = upper.strip_prefix("0X") {
        return u16::from_str_radix(hex, 16).ok();
    }
    if upper.starts_with(|first: char| first.is_ascii_digit()) {
        return upper.parse().ok();
    }
    if let Some(bit) = FLAG_NAMES.iter().position(|name| *name == upper) {
        return Some(1 << bit);
    }
    upper.chars().try_fold(0, |bits, letter| {
        let letter = if letter == 'W' { 'C' } else { letter };
        let bit = FLAG_LETTERS.iter().position(|known| *known == letter)?;
        Some(bits | 1 << bit)
    })
}

/// Flags as [`flags`] reads them; hexadecimal where a bit has no letter.
pub(super) fn flags_text(bits: u16) -> String {
    if bits == 0 || bits >> FLAG_LETTERS.len() != 0 {
        return format!("{bits:#x}");
    }
    let letters = FLAG_LETTERS.iter().enumerate();
    letters
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, letter)| *letter)
        .collect()
}

/// A number as its field takes it: `1.5M` octets, `500ms`, `idle`.
pub(super) fn amount(number: Number, text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    if let Some((_, value)) = number_words(number).iter().find(|(word, _)| *word == lower) {
        return Ok(*value);
    }
    let (units, default, written): (&[(&str, u64)], u64, &str) = match number {
        Number::DurationMs => (
            &[
                ("ms", 1),
                ("s", 1_000),
                ("m", 60_000),
                ("min", 60_000),
                ("h", 3_600_000),
                ("d", 86_400_000),
            ],
            1_000,
            "a duration; write 500ms, 5s, 2m or 1h (a plain number is seconds)",
        ),
        Number::Octets | Number::Packets | Number::Vni | Number::Sampling => (
            &[
                ("k", 1_000),
                ("m", 1_000_000),
                ("g", 1_000_000_000),
                ("t", 1_000_000_000_000),
            ],
            1,
            "a number; write 1500, 10k, 1.5M or 2G (1k is 1000)",
        ),
        _ => (&[], 1, "a number"),
    };
    let value = scaled(&lower, units, default)
        .ok_or_else(|| format!("'{text}' is not {written}{}", words_of(number)))?;
    let max = number_max(number);
    if value > max {
        return Err(format!(
            "'{text}' is too large; {} is at most {max}",
            number_name(number)
        ));
    }
    Ok(value)
}

fn words_of(number: Number) -> String {
    let words: Vec<&str> = number_words(number).iter().map(|(word, _)| *word).collect();
    match words.as_slice() {
        [] => String::new(),
        words => format!(" or one of {}", words.join(", ")),
    }
}

/// Digits, perhaps a fraction, perhaps a unit; `None` if it is none of that, has a rest after the fraction, or is too
/// large.
fn scaled(text: &str, units: &[(&str, u64)], default: u64) -> Option<u64> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let scale = match unit {
        "" => default,
        unit => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    let Some((whole, fraction)) = digits.split_once('.') else {
        return digits.parse::<u64>().ok()?.checked_mul(scale);
    };
    let parts = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = fraction.parse::<u64>().ok()?.checked_mul(scale)?;
    if !fraction.is_multiple_of(parts) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    whole.checked_add(fraction / parts)
}

/// A duration as [`amount`] reads it.
pub(super) fn duration_text(ms: u64) -> String {
    if ms.is_multiple_of(1_000) {
        format!("{}s", ms / 1_000)
    } else {
        format!("{ms}ms")
    }
}
