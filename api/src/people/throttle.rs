//! Guessing is slowed, by account and by address. Time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use flow::Timestamp;

/// Wrong passwords for one account: ten at once, then one in 40 seconds. That is 100 in an hour.
const ACCOUNT: Pace = Pace {
    burst: 10,
    every: Duration::from_secs(40),
};
/// From one address, behind which there may be many people: fifty at once, then one in five seconds.
const ADDRESS: Pace = Pace {
    burst: 50,
    every: Duration::from_secs(5),
};
/// Accounts, and addresses, that are remembered. Of more, the ones that may try again soonest are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// So many times at once, after a long rest.
    pub(super) burst: u32,
    /// Then once in this time.
    pub(super) every: Duration,
}

/// What happened under a [`Pace`]: the time at which all of it is forgotten.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse(Timestamp);

impl Pulse {
    /// Counts one more.
    ///
    /// # Errors
    ///
    /// How long to wait; it is not counted then.
    pub(super) fn beat(&mut self, pace: Pace, now: Timestamp) -> Result<(), Duration> {
        let most = now + pace.every * pace.burst;
        // A clock that was set back makes nobody wait longer than a full burst.
        let next = self.0.clamp(now, most) + pace.every;
        let over = next.nanos_since(most);
        if over > 0 {
            return Err(Duration::from_nanos(over.unsigned_abs()));
        }
        self.0 = next;
        Ok(())
    }

    /// Takes one back.
    fn forgive(&mut self, pace: Pace) {
        self.0 = self.0 - pace.every;
    }
}

/// Who has tried how often.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    accounts: HashMap<String, Pulse>,
    addresses: HashMap<IpAddr, Pulse>,
}

impl Throttle {
    /// Counts a try from an address, at something that has no name.
    ///
    /// # Errors
    ///
    /// As [`Throttle::attempt`].
    pub(super) fn visit(
        &mut self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        pulse(&mut self.addresses, network(address)).beat(ADDRESS, now)
    }

    /// Counts a try, before it is known what becomes of it: many at the same time are many.
    ///
    /// # Errors
    ///
    /// How long to wait; it is not to be tried now. Names that do not exist wait like those that do.
    pub(super) fn attempt(
        &mut self,
        name: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        self.visit(address, now)?;
        let tried = pulse(&mut self.accounts, name.to_owned()).beat(ACCOUNT, now);
        if tried.is_err() {
            self.welcome(address);
        }
        tried
    }

    /// It was no guess.
    pub(super) fn succeeded(&mut self, name: &str, address: Option<IpAddr>) {
        if let Some(pulse) = self.accounts.get_mut(name) {
            pulse.forgive(ACCOUNT);
        }
        self.welcome(address);
    }

    /// The same, of a try that has no name.
    pub(super) fn welcome(&mut self, address: Option<IpAddr>) {
        if let Some(pulse) = self.addresses.get_mut(&network(address)) {
            pulse.forgive(ADDRESS);
        }
    }
}

fn pulse<K: Eq + Hash + Clone>(table: &mut HashMap<K, Pulse>, key: K) -> &mut Pulse {
    if table.len() >= REMEMBERED_MAX && !table.contains_key(&key) {
        let soonest = table.iter().min_by_key(|(_, pulse)| pulse.0);
        if let Some(soonest) = soonest.map(|(key, _)| key.clone()) {
            table.remove(&soonest);
        }
    }
    table.entry(key).or_default()
}

/// Whoever has one address of IPv6 has a /64 of them ([RFC 6177 §2](https://www.rfc-editor.org/rfc/rfc6177#section-2)).
fn network(address: Option<IpAddr>) -> IpAddr {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => {
            let bits = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(bits).into()
        }
        Some(address) => address,
        None => Ipv4Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn from(last: u8) -> Option<IpAddr> {
        Some([10, 0, 0, last].into())
    }

    /// How many of so many tries are let through.
    fn let_through(throttle: &mut Throttle, tries: u32, name: &str, now: Timestamp) -> usize {
        let tries = (0..tries).map(|_| throttle.attempt(name, from(1), now));
        tries.filter(Result::is_ok).count()
    }

    #[test]
    fn an_account_is_guessed_at_a_hundred_times_an_hour() {
        let mut throttle = Throttle::default();
        let mut tried = 0;
        for second in 0..3600 {
            let now = NOW + Duration::from_secs(second);
            for last in 1..=10 {
                tried += u32::from(throttle.attempt("anna", from(last), now).is_ok());
            }
        }
        assert_eq!(tried, 10 + 3599 / 40);
        // Another account is not slowed by that, from an address that has tries left.
        assert!(throttle.attempt("ben", from(200), NOW).is_ok());
    }

    #[test]
    fn an_address_is_slowed_whatever_names_it_tries() {
        let mut throttle = Throttle::default();
        let tries =
            (0..1000).map(|number| throttle.attempt(&number.to_string(), from(1), NOW).is_ok());
        assert_eq!(tries.filter(|it| *it).count(), 50);
        assert_eq!(
            throttle.attempt("anna", from(1), NOW),
            Err(Duration::from_secs(5))
        );
        let later = NOW + Duration::from_secs(5);
        assert!(throttle.attempt("anna", from(1), later).is_ok());
    }

    #[test]
    fn who_waits_is_told_how_long_and_a_rest_forgives_all() {
        let mut throttle = Throttle::default();
        assert_eq!(let_through(&mut throttle, 100, "anna", NOW), 10);
        let wait = throttle.attempt("anna", from(1), NOW).unwrap_err();
        assert_eq!(wait, Duration::from_secs(40));
        let almost = NOW + wait - Duration::from_nanos(1);
        assert!(throttle.attempt("anna", from(1), almost).is_err());
        assert!(throttle.attempt("anna", from(1), NOW + wait).is_ok());
        let rested = NOW + Duration::from_secs(3600);
        assert_eq!(let_through(&mut throttle, 100, "anna", rested), 10);
    }

    #[test]
    fn who_knows_the_password_is_not_slowed() {
        let mut throttle = Throttle::default();
        for _ in 0..1000 {
            throttle.attempt("anna", from(1), NOW).unwrap();
            throttle.succeeded("anna", from(1));
        }
        assert_eq!(let_through(&mut throttle, 100, "anna", NOW), 10);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let mut throttle = Throttle::default();
        let_through(&mut throttle, 100, "anna", NOW);
        let long_ago = NOW - Duration::from_secs(86_400);
        let wait = throttle.attempt("anna", from(1), long_ago).unwrap_err();
        assert!(wait <= Duration::from_secs(40), "{wait:?}");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_guessed_at_stay() {
        let mut throttle = Throttle::default();
        let_through(&mut throttle, 10, "anna", NOW);
        for number in 0..2 * u32::try_from(REMEMBERED_MAX).unwrap() {
            let address = Some(Ipv4Addr::from_bits(number).into());
            let _ = throttle.attempt(&number.to_string(), address, NOW);
        }
        assert_eq!(throttle.accounts.len(), REMEMBERED_MAX);
        assert_eq!(throttle.addresses.len(), REMEMBERED_MAX);
        assert!(throttle.attempt("anna", from(99), NOW).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let network = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    }
}
