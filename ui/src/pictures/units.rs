//! Numbers as people read them: every one with its unit, three digits that count, SI prefixes. As `web/src/lib/units.ts`.

/// What is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// bit/s.
    #[default]
    Bits,
    /// packets/s.
    Packets,
    /// flows/s.
    Flows,
    /// Distinct clients: a number that has no rate.
    Clients,
}

const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
/// Between a number and its unit: never broken, as ISO 80000 wants it.
const SPACE: char = '\u{a0}';

impl Unit {
    /// What is summed up over so many seconds (octets, packets, flows) as a rate; clients stay as they are.
    pub fn rate(self, sum: f64, seconds: f64) -> f64 {
        let seconds = seconds.max(1e-9);
        match self {
            Self::Bits => 8.0 * sum / seconds,
            Self::Packets | Self::Flows => sum / seconds,
            Self::Clients => sum,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Bits => "Traffic",
            Self::Packets => "Packets",
            Self::Flows => "Flows",
            Self::Clients => "Clients",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bits => "bit/s",
            Self::Packets => "packets/s",
            Self::Flows => "flows/s",
            Self::Clients => "clients",
        }
    }

    fn with_prefix(self, power: usize) -> String {
        let (prefix, name) = (PREFIXES[power], self.name());
        match self {
            Self::Bits => format!("{prefix}{name}"),
            _ if prefix.is_empty() => name.to_owned(),
            _ => format!("{prefix}{SPACE}{name}"),
        }
    }

    /// `12.3 Mbit/s`, `1.20 k packets/s`, `7 clients`.
    pub(super) fn written(self, value: f64) -> String {
        if !value.is_finite() {
            return "–".to_owned();
        }
        if self == Self::Clients && value.abs() < 999.5 {
            return format!("{value:.0}{SPACE}clients");
        }
        let power = power(value);
        let unit = self.with_prefix(power);
        format!("{}{SPACE}{unit}", digits(value / thousands(power)))
    }

    /// All values of an axis share a prefix: what they are divided by, and the unit that is left.
    pub(super) fn axis(self, max: f64) -> (f64, String) {
        let power = power(max);
        (thousands(power), self.with_prefix(power))
    }
}

fn thousands(power: usize) -> f64 {
    (0..power).fold(1.0, |value, _| value * 1000.0)
}

/// Rounded to three digits that count.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// The power of 1,000 whose prefix suits a value; it is rounded first, as 999.6 is shown as 1.00 k.
fn power(value: f64) -> usize {
    let size = rounded(value.abs());
    let fits = |power: &usize| size < thousands(power + 1);
    (0..PREFIXES.len()).find(fits).unwrap_or(PREFIXES.len() - 1)
}

/// Three digits that count: 0.12, 1.23, 12.3, 123.
fn digits(value: f64) -> String {
    let size = rounded(value.abs());
    let sign = if value < 0.0 { "−" } else { "" };
    match size {
        0.0 => "0".to_owned(),
        _ if size < 0.01 => format!("{sign}<0.01"),
        _ if size < 10.0 => format!("{sign}{size:.2}"),
        _ if size < 100.0 => format!("{sign}{size:.1}"),
        _ => format!("{sign}{size:.0}"),
    }
}

/// A number at an axis: no digit that says nothing.
pub(super) fn plain(value: f64) -> String {
    rounded(value).to_string()
}

/// What became of a value: `+12 %`, `−8 %`, `×12`; `new` where nothing was, `gone` where nothing is.
pub(super) fn change(before: f64, after: f64) -> String {
    if before <= 0.0 || after <= 0.0 {
        let word = match (before <= 0.0, after <= 0.0) {
            (true, true) => "–",
            (true, false) => "new",
            _ => "gone",
        };
        return word.to_owned();
    }
    let times = after / before;
    if times >= 1000.0 {
        return "×>999".to_owned();
    }
    if times >= 10.0 {
        return format!(
            "×{}",
            format!("{times:.1e}").parse::<f64>().unwrap_or(times)
        );
    }
    let by = ((times - 1.0) * 100.0).round();
    match by {
        0.0 => format!("±0{SPACE}%"),
        _ if by > 0.0 => format!("+{by}{SPACE}%"),
        _ => format!("−{}{SPACE}%", by.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plainly(text: &str) -> String {
        text.replace(SPACE, " ")
    }

    /// The same as in `web/src/lib/units.test.ts`.
    #[test]
    fn numbers_have_prefixes() {
        let written = [
            (0.0, "0 bit/s"),
            (0.004, "<0.01 bit/s"),
            (0.5, "0.50 bit/s"),
            (1.0, "1.00 bit/s"),
            (999.4, "999 bit/s"),
            (999.6, "1.00 kbit/s"),
            (12_345.0, "12.3 kbit/s"),
            (99_950.0, "100 kbit/s"),
            (1e6, "1.00 Mbit/s"),
            (-4.2e9, "−4.20 Gbit/s"),
            (1e12, "1.00 Tbit/s"),
            (f64::NAN, "–"),
        ];
        for (value, expected) in written {
            assert_eq!(plainly(&Unit::Bits.written(value)), expected);
        }
        assert_eq!(plainly(&Unit::Packets.written(1234.0)), "1.23 k packets/s");
        assert_eq!(plainly(&Unit::Flows.written(12.0)), "12.0 flows/s");
        assert_eq!(plainly(&Unit::Clients.written(7.0)), "7 clients");
        assert_eq!(plainly(&Unit::Clients.written(12_345.0)), "12.3 k clients");
    }

    #[test]
    fn octets_of_an_interval_become_bits_of_a_second() {
        assert_eq!(Unit::Bits.rate(1_250_000.0, 10.0), 1e6);
        assert_eq!(Unit::Flows.rate(50.0, 5.0), 10.0);
        assert_eq!(Unit::Clients.rate(50.0, 5.0), 50.0);
    }

    #[test]
    fn an_axis_has_one_prefix() {
        assert_eq!(Unit::Bits.axis(240e6), (1e6, "Mbit/s".to_owned()));
        assert_eq!(Unit::Flows.axis(0.0), (1.0, "flows/s".to_owned()));
        let values = [0.0, 0.5, 2.5, 10.0, 250.0].map(plain);
        assert_eq!(values, ["0", "0.5", "2.5", "10", "250"]);
    }

    #[test]
    fn what_became_of_a_value() {
        let changes = [
            (0.0, 0.0, "–"),
            (0.0, 5.0, "new"),
            (5.0, 0.0, "gone"),
            (100.0, 112.0, "+12 %"),
            (100.0, 92.0, "−8 %"),
            (1000.0, 1001.0, "±0 %"),
            (1.0, 12.0, "×12"),
            (1.0, 99_999.0, "×>999"),
        ];
        for (before, after, expected) in changes {
            assert_eq!(plainly(&change(before, after)), expected);
        }
    }
}
