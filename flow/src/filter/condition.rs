//! Reads one condition: what its first word leads to.

use ipnet::IpNet;

use super::complete::Wanted;
use super::lexer::Kind;
use super::parser::Parser;
use super::words::{Head, head, meant, protocol};
use super::{
    Comparison, Condition, Expr, FilterError, IndexOrName, InterfaceSide, NameOrNet, Number, Side,
    value,
};

const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// TCP, UDP, SCTP and UDP-Lite: the protocols whose name may be followed by a port, as in pcap.
const PROTOCOLS_WITH_PORTS: [u8; 4] = [6, 17, 132, 136];

impl Parser<'_> {
    /// One condition; `tcp port 80` and `icmp type 8` are two, joined by `and`.
    pub(super) fn condition(&mut self) -> Result<Expr, FilterError> {
        self.expect_starters();
        self.count_condition()?;
        match self.peek() {
            Kind::Word(word) => match head(word) {
                Some(head) => {
                    self.step();
                    self.headed(head)
                }
                None => self.wrong(unknown_word(word)),
            },
            quoted @ Kind::Quoted(_) => self.wrong(format!(
                "a name alone says nothing; write app {0}, site {0} or exporter {0}",
                quoted.shown()
            )),
            kind => self.wrong(format!(
                "a condition is missing before {}; such as app, site, ip, net, port, src, dst, tcp or exporter",
                kind.shown()
            )),
        }
    }

    fn headed(&mut self, head: Head) -> Result<Expr, FilterError> {
        match head {
            Head::Any => Ok(Expr::Any),
            Head::Side(side) => self.sided(side),
            Head::Pair(second, then) => {
                if !self.eat_word(second) {
                    return self.wrong(format!("{} comes '{second}'", self.after()));
                }
                self.headed(*then)
            }
            Head::Named(number) => self.named_protocol(number),
            Head::Family(family) => Ok(Expr::Is(Condition::Family(family))),
            Head::Number(number) => self.number(number),
            Head::Address | Head::Net => self.address(Side::Either),
            Head::Port => self.port(Side::Either),
            Head::PortRange => self.port_range(Side::Either),
            Head::IcmpType => self.icmp(),
            Head::InterfaceSide(side) => {
                if self.eat_word("if") || self.eat_word("interface") {
                    return self.identity(|parser| parser.interface(side));
                }
                self.wrong(format!("{} I know: if", self.after()))
            }
            Head::Interface => self.identity(|parser| parser.interface(InterfaceSide::Either)),
            Head::Application => {
                self.identity(|parser| Ok(Condition::Application(parser.name(Wanted::Application)?)))
            }
            Head::Site => self.site(Side::Either),
            Head::Exporter => self.identity(|parser| Ok(Condition::Exporter(parser.exporter()?))),
            Head::As => self.autonomous_system(Side::Either),
            Head::Mac => self.mac(Side::Either),
            Head::Protocol => self.identity(|parser| {
                let number = parser.value(Wanted::Protocol, |word| {
                    protocol(word).ok_or_else(|| {
                        format!("'{word}' is not a protocol; write a name such as tcp, or a number from 0 to 255")
                    })
                })?;
                Ok(Condition::Protocol(number))
            }),
            Head::Flags => self.identity(|parser| {
                let (set, unset) = parser.value(Wanted::Flags, value::flags)?;
                Ok(Condition::TcpFlags { set, unset })
            }),
            Head::NextHop => self.identity(|parser| Ok(Condition::NextHop(parser.net()?))),
        }
    }

    /// What follows `src`, `dst`, `client` or `server`.
    fn sided(&mut self, side: Side) -> Result<Expr, FilterError> {
        let has_site = matches!(side, Side::Client | Side::Server);
        for word in ["ip", "net", "port", "as", "mac"] {
            self.expect_keyword(word);
        }
        if has_site {
            self.expect_keyword("site");
        }
        let after = self.after();
        let Kind::Word(word) = self.peek() else {
            return self.wrong(self.after_side(&after, has_site));
        };
        let Some(head) = head(word) else {
            // pcap's short form: `src 10.0.0.1`.
            return match value::net(word) {
                Some(_) => self.address(side),
                None => self.wrong(self.after_side(&after, has_site)),
            };
        };
        let read = match head {
            Head::Address | Head::Net => Self::address,
            Head::Port => Self::port,
            Head::PortRange => Self::port_range,
            Head::As => Self::autonomous_system,
            Head::Mac => Self::mac,
            Head::Site if has_site => Self::site,
            Head::Site => {
                return self.wrong(
                    "a site is the client's or the server's; write client site or server site",
                );
            }
            _ => return self.wrong(self.after_side(&after, has_site)),
        };
        self.step();
        read(self, side)
    }

    fn after_side(&self, after: &str, has_site: bool) -> String {
        let site = if has_site { ", site" } else { "" };
        let hint = match self.peek() {
            Kind::And | Kind::Or => "; for either side leave it away, as in port 80",
            _ => "",
        };
        format!("{after} I know: ip, net, port, as, mac{site}{hint}")
    }

    /// `tcp`, `tcp port 80`, `udp src port 53`, `icmp type 8`.
    fn named_protocol(&mut self, number: u8) -> Result<Expr, FilterError> {
        let named = Expr::Is(Condition::Protocol(number));
        let more = if PROTOCOLS_WITH_PORTS.contains(&number) {
            for word in ["port", "src", "dst"] {
                self.expect_keyword(word);
            }
            let follows = match self.peek() {
                Kind::Word(word) => head(word),
                _ => None,
            };
            match follows {
                Some(Head::Port | Head::PortRange | Head::Side(_)) => self.condition()?,
                _ => return Ok(named),
            }
        } else if matches!(number, ICMP | ICMP6) && self.eat_word("type") {
            self.count_condition()?;
            self.icmp()?
        } else {
            return Ok(named);
        };
        Ok(Expr::And(Box::new(named), Box::new(more)))
    }

    /// A condition that is so or not: `=` may stand before its value, and `!=` is `not`.
    fn identity(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Condition, FilterError>,
    ) -> Result<Expr, FilterError> {
        let is_not = match self.peek() {
            Kind::Compare(Comparison::Equal) => {
                self.step();
                false
            }
            Kind::Compare(Comparison::NotEqual) => {
                self.step();
                true
            }
            Kind::Compare(_) => {
                return self.wrong(format!("{} only = and != make sense", self.after()));
            }
            _ => false,
        };
        let condition = Expr::Is(read(self)?);
        Ok(if is_not {
            Expr::Not(Box::new(condition))
        } else {
            condition
        })
    }

    fn address(&mut self, side: Side) -> Result<Expr, FilterError> {
        if self.eat_word("in") {
            let nets = self.list(Wanted::Address, read_net)?;
            return Ok(Expr::Is(Condition::AddressIn(side, nets)));
        }
        self.identity(|parser| Ok(Condition::Address(side, parser.net()?)))
    }

    /// `10.0.0.1`, `10.0.0.0/8` or `10.0.0.0 255.0.0.0`.
    fn net(&mut self) -> Result<IpNet, FilterError> {
        let Kind::Word(address) = self.peek() else {
            return self.value(Wanted::Address, read_net);
        };
        let net = self.value(Wanted::Address, read_net)?;
        let Kind::Word(mask) = self.peek() else {
            return Ok(net);
        };
        if let Some(masked) = value::net_with_mask(address, mask) {
            self.step();
            return Ok(masked);
        }
        if value::net(mask).is_some() {
            return self.wrong(format!(
                "'{mask}' is not a network mask; write 255.0.0.0, or 10.0.0.0/8"
            ));
        }
        Ok(net)
    }

    fn port(&mut self, side: Side) -> Result<Expr, FilterError> {
        if self.eat_word("in") {
            let ranges = self.list(Wanted::Port, value::port_range)?;
            return Ok(Expr::Is(Condition::PortIn(side, ranges)));
        }
        let comparison = self.eat_comparison().unwrap_or(Comparison::Equal);
        let has_range = matches!(self.peek(), Kind::Word(word) if word.contains('-'));
        if has_range && matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            let range = self.port_range(side)?;
            let is_not = comparison == Comparison::NotEqual;
            return Ok(if is_not {
                Expr::Not(Box::new(range))
            } else {
                range
            });
        }
        let port = self.value(Wanted::Port, value::port)?;
        Ok(Expr::Is(Condition::Port(side, comparison, port)))
    }

    fn port_range(&mut self, side: Side) -> Result<Expr, FilterError> {
        let range = self.value(Wanted::Port, value::port_range)?;
        Ok(Expr::Is(Condition::PortIn(side, vec![range])))
    }

    fn site(&mut self, side: Side) -> Result<Expr, FilterError> {
        self.identity(|parser| Ok(Condition::Site(side, parser.name(Wanted::Site)?)))
    }

    fn autonomous_system(&mut self, side: Side) -> Result<Expr, FilterError> {
        self.identity(|parser| {
            let number = parser.value(Wanted::AsNumber, |word| {
                value::as_number(word)
                    .ok_or_else(|| format!("'{word}' is not an AS number; write 64500"))
            })?;
            Ok(Condition::As(side, number))
        })
    }

    fn mac(&mut self, side: Side) -> Result<Expr, FilterError> {
        self.identity(|parser| {
            let bits = parser.value(Wanted::Mac, |word| {
                value::mac(word).ok_or_else(|| {
                    format!("'{word}' is not a MAC address; write 02:00:5e:10:00:01")
                })
            })?;
            Ok(Condition::Mac(side, bits))
        })
    }

    fn icmp(&mut self) -> Result<Expr, FilterError> {
        let octet = |word: &str| {
            word.parse::<u8>().map_err(|_| {
                format!("'{word}' is not an ICMP type or code; both are numbers from 0 to 255")
            })
        };
        let kind = self.value(Wanted::Number, octet)?;
        let code = if self.eat_word("code") {
            Some(self.value(Wanted::Number, octet)?)
        } else {
            None
        };
        Ok(Expr::Is(Condition::Icmp { kind, code }))
    }

    fn number(&mut self, number: Number) -> Result<Expr, FilterError> {
        let comparison = self.eat_comparison().unwrap_or(Comparison::Equal);
        let wanted = match number {
            Number::DurationMs => Wanted::Duration,
            _ => Wanted::Number,
        };
        let amount = self.value(wanted, |word| value::amount(number, word))?;
        Ok(Expr::Is(Condition::Number(number, comparison, amount)))
    }

    fn interface(&mut self, side: InterfaceSide) -> Result<Condition, FilterError> {
        let is_index = matches!(self.peek(), Kind::Word(word) if is_digits(word));
        let interface = if is_index {
            IndexOrName::Index(self.value(Wanted::Interface, |word| {
                word.parse().map_err(|_| {
                    format!("'{word}' is too large for an ifIndex; a name of digits goes in quotes")
                })
            })?)
        } else {
            IndexOrName::Name(self.name(Wanted::Interface)?)
        };
        Ok(Condition::Interface(side, interface))
    }

    fn exporter(&mut self) -> Result<NameOrNet, FilterError> {
        match self.peek() {
            Kind::Word(word) if value::net(word).is_some() => self.net().map(NameOrNet::Net),
            _ => self.name(Wanted::Exporter).map(NameOrNet::Name),
        }
    }

    /// A name, in quotes or plain.
    fn name(&mut self, wanted: Wanted) -> Result<String, FilterError> {
        self.expect_value(wanted);
        match self.peek() {
            Kind::Word(name) | Kind::Quoted(name) if !name.is_empty() => {
                self.step();
                Ok(name.clone())
            }
            Kind::Quoted(_) => self.wrong("a name can't be empty"),
            kind => self.wrong(format!(
                "{} is missing {}, before {}",
                wanted.noun(),
                self.after(),
                kind.shown()
            )),
        }
    }
}

/// Whether a word is all digits: as an interface, an index and not a name.
pub(super) fn is_digits(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

fn read_net(word: &str) -> Result<IpNet, String> {
    value::net(word).ok_or_else(|| value::not_an_address(&Kind::Word(word.to_owned()).shown()))
}

fn unknown_word(word: &str) -> String {
    let shown = Kind::Word(word.to_owned()).shown();
    if value::net(word).is_some() {
        return format!("an address needs a word before it; write ip {word}");
    }
    if value::port_range(word).is_ok() {
        return format!(
            "a number needs a word before it; write port {word}, and several as port in [80, 443]"
        );
    }
    match meant(word) {
        Some(right) => format!("{shown} is not a condition; did you mean '{right}'?"),
        None => format!(
            "{shown} is not a condition; I know: app, site, ip, net, port, src, dst, client, server, exporter, proto, if, flags, octets, packets, duration and others"
        ),
    }
}
