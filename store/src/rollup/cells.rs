//! Flows cut into buckets of ten seconds and a minute, and summed up by group.

use std::hash::Hash;

use flow::clock::NANOS_PER_SECOND;
use foldhash::HashMap;

use crate::plan::Tier;

/// What of a flow is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Nanoseconds since 1970, not before.
    pub(crate) first: i64,
    /// Not before `first`.
    pub(crate) last: i64,
    pub(crate) octets: u64,
    pub(crate) packets: u64,
    /// Seconds since 1970.
    pub(crate) stored_at: u32,
}

impl Life {
    /// What of `total` lies before the instant `at`: `before` of `schema/README.md`, in double precision like the engine's.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "not above the total, so it fits"
    )]
    fn before(&self, total: u64, at: i64) -> u64 {
        if at >= self.last && at > self.first {
            return total;
        }
        let lived = at.clamp(self.first, self.last) - self.first;
        let share = lived as f64 / (self.last - self.first).max(1) as f64;
        (total as f64 * share).floor() as u64
    }

    fn between(&self, total: u64, from: i64, to: i64) -> u64 {
        self.before(total, to)
            .wrapping_sub(self.before(total, from))
    }

    fn lives_at_most(&self, tier: Tier) -> bool {
        self.last - self.first <= tier.life_ns_max()
    }
}

/// Values as numbers from 0, in the order in which they came. Addresses are whoever's choice, so each process hashes otherwise.
#[derive(Debug)]
pub(crate) struct Numbers<K> {
    pub(crate) values: Vec<K>,
    numbers: HashMap<K, u32>,
    last: Option<(K, u32)>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            numbers: HashMap::default(),
            last: None,
        }
    }
}

impl<K: Copy + Eq + Hash> Numbers<K> {
    /// The value's number. A repeated one, as in rows sorted by it, costs a comparison.
    #[inline]
    pub(crate) fn of(&mut self, value: K) -> u32 {
        if let Some((last, number)) = self.last
            && last == value
        {
            return number;
        }
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        self.last = Some((value, number));
        number
    }
}

/// Sums of a bucket and a group.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) octets: u64,
    pub(crate) packets: u64,
    /// Flows alive in the bucket.
    pub(crate) flows: u64,
    /// Those that began in it.
    pub(crate) begun: u64,
    /// Those of which it is the first bucket in its minute.
    entered: u64,
    pub(crate) stored_at: u32,
}

/// The buckets of one width.
#[derive(Debug)]
pub(crate) struct Cells {
    pub(crate) width_s: i64,
    /// Start of the bucket in seconds, and group.
    pub(crate) places: Numbers<(i64, u32)>,
    pub(crate) sums: Vec<Sums>,
    /// Cell and client; once each after [`Family::sum_up`].
    pub(crate) clients: Vec<(u32, u32)>,
}

impl Cells {
    fn of(tier: Tier) -> Self {
        Self {
            width_s: i64::try_from(tier.width_s()).unwrap_or(1).max(1),
            places: Numbers::default(),
            sums: Vec::new(),
            clients: Vec::new(),
        }
    }

    fn cell(&mut self, bucket_s: i64, group: u32) -> (u32, &mut Sums) {
        let number = self.places.of((bucket_s, group));
        let place = number as usize;
        if place == self.sums.len() {
            self.sums.push(Sums::default());
        }
        (number, &mut self.sums[place])
    }

    fn add(&mut self, group: u32, life: &Life, client: Option<u32>) {
        let width = self.width_s * NANOS_PER_SECOND;
        let (first, last) = (life.first / width, life.last / width);
        for step in first..=last {
            let bucket_s = step * self.width_s;
            let (number, sums) = self.cell(bucket_s, group);
            let (from, to) = (step * width, (step + 1) * width);
            let whole = first == last;
            let cut = |total| {
                if whole {
                    total
                } else {
                    life.between(total, from, to)
                }
            };
            sums.octets = sums.octets.wrapping_add(cut(life.octets));
            sums.packets = sums.packets.wrapping_add(cut(life.packets));
            sums.flows += 1;
            sums.begun += u64::from(step == first);
            sums.entered += u64::from(step == first || bucket_s % MINUTE_S == 0);
            sums.stored_at = sums.stored_at.max(life.stored_at);
            if let Some(client) = client {
                self.clients.push((number, client));
            }
        }
    }

    /// Adds what finer buckets hold: their edges are among its own, so the parts add up exactly.
    fn take_in(&mut self, finer: &Cells) {
        let mut cells = Vec::with_capacity(finer.sums.len());
        for ((bucket_s, group), sums) in finer.places.values.iter().zip(&finer.sums) {
            let minute_s = bucket_s.div_euclid(self.width_s) * self.width_s;
            let (number, own) = self.cell(minute_s, *group);
            own.octets = own.octets.wrapping_add(sums.octets);
            own.packets = own.packets.wrapping_add(sums.packets);
            own.flows += sums.entered;
            own.begun += sums.begun;
            own.stored_at = own.stored_at.max(sums.stored_at);
            cells.push(number);
        }
        let clients = finer.clients.iter();
        let clients =
            clients.filter_map(|(cell, client)| Some((*cells.get(*cell as usize)?, *client)));
        self.clients.extend(clients);
    }

    /// Sorts the clients by cell, and keeps each once in a cell. Cells and clients are small numbers, so this is done by
    /// counting, in the order in which they came.
    fn dedup_clients(&mut self) {
        let mut places = vec![0; self.sums.len()];
        for (cell, _) in &self.clients {
            places[*cell as usize] += 1;
        }
        let mut start = 0;
        for place in &mut places {
            start += std::mem::replace(place, start);
        }
        let mut sorted = vec![(0, 0); self.clients.len()];
        let mut most = 0;
        for (cell, client) in &self.clients {
            let place = &mut places[*cell as usize];
            sorted[*place] = (*cell, *client);
            *place += 1;
            most = most.max(*client);
        }
        let mut last_in = vec![u32::MAX; most as usize + 1];
        sorted.retain(|(cell, client)| {
            let last = std::mem::replace(&mut last_in[*client as usize], *cell);
            last != *cell
        });
        self.clients = sorted;
    }

    fn retain(&mut self, wanted: impl Fn(i64) -> bool) {
        let all = std::mem::replace(
            self,
            Self {
                width_s: self.width_s,
                ..Self::of(Tier::Minute)
            },
        );
        let mut kept = Vec::with_capacity(all.sums.len());
        for ((bucket_s, group), sums) in all.places.values.into_iter().zip(all.sums) {
            kept.push(wanted(bucket_s).then(|| {
                let (number, own) = self.cell(bucket_s, group);
                *own = sums;
                number
            }));
        }
        let clients = all.clients.into_iter();
        self.clients
            .extend(clients.filter_map(|(cell, client)| Some((kept[cell as usize]?, client))));
    }
}

const MINUTE_S: i64 = 60;

/// The rollups of one kind of group: buckets of ten seconds and of a minute. The engine makes the hours of the minutes.
#[derive(Debug)]
pub(crate) struct Family<K> {
    pub(crate) groups: Numbers<K>,
    pub(crate) tens: Cells,
    pub(crate) minutes: Cells,
}

impl<K> Default for Family<K> {
    fn default() -> Self {
        Self {
            groups: Numbers::default(),
            tens: Cells::of(Tier::TenSeconds),
            minutes: Cells::of(Tier::Minute),
        }
    }
}

impl<K: Copy + Eq + Hash> Family<K> {
    /// Adds a flow, as far as it is not too long for the buckets.
    pub(crate) fn add(&mut self, group: K, life: &Life, client: Option<u32>) {
        if life.lives_at_most(Tier::TenSeconds) {
            let group = self.groups.of(group);
            self.tens.add(group, life, client);
        } else if life.lives_at_most(Tier::Minute) {
            let group = self.groups.of(group);
            self.minutes.add(group, life, client);
        }
    }

    /// Makes the minutes complete. After the last flow.
    pub(crate) fn sum_up(&mut self) {
        self.tens.dedup_clients();
        self.minutes.take_in(&self.tens);
        self.minutes.dedup_clients();
    }

    /// Keeps the buckets that start at a wanted second.
    pub(crate) fn retain(&mut self, wanted: impl Fn(i64) -> bool + Copy) {
        self.tens.retain(wanted);
        self.minutes.retain(wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(from_s: i64, to_s: i64, octets: u64, packets: u64) -> Life {
        let nanos = |seconds: i64| seconds * NANOS_PER_SECOND;
        Life {
            first: nanos(from_s),
            last: nanos(to_s),
            octets,
            packets,
            stored_at: 1,
        }
    }

    /// Bucket, octets, packets, flows, begun.
    fn rows(cells: &Cells) -> Vec<(i64, u64, u64, u64, u64)> {
        let places = cells.places.values.iter().zip(&cells.sums);
        let mut rows: Vec<_> = places
            .map(|((bucket, _), sums)| (*bucket, sums.octets, sums.packets, sums.flows, sums.begun))
            .collect();
        rows.sort_unstable();
        rows
    }

    fn family(lives: &[Life]) -> Family<u8> {
        let mut family = Family::default();
        for life in lives {
            family.add(7, life, Some(1));
        }
        family.sum_up();
        family
    }

    #[test]
    fn the_example_of_the_schema() {
        let family = family(&[life(5, 25, 1000, 7)]);
        let expected = [(0, 250, 1, 1, 1), (10, 500, 4, 1, 0), (20, 250, 2, 1, 0)];
        assert_eq!(rows(&family.tens), expected);
        assert_eq!(rows(&family.minutes), [(0, 1000, 7, 1, 1)]);
    }

    #[test]
    fn a_flow_that_reaches_into_a_minute_is_alive_in_it_once() {
        let family = family(&[life(55, 75, 100, 2), life(70, 70, 8, 1)]);
        // The second ends where a bucket of ten seconds begins, and is alive there with all it has.
        let expected = [(50, 25, 0, 1, 1), (60, 50, 1, 1, 0), (70, 33, 2, 2, 1)];
        assert_eq!(rows(&family.tens), expected);
        assert_eq!(rows(&family.minutes), [(0, 25, 0, 1, 1), (60, 83, 3, 2, 1)]);
        assert_eq!(family.minutes.clients, [(0, 1), (1, 1)]);
    }

    #[test]
    fn a_client_counts_once_in_a_bucket_whoever_comes_between() {
        let mut family = Family::default();
        // Three clients take turns in two groups, over two buckets of ten seconds in one minute.
        for (number, client) in [5, 9, 5, 2, 9, 5, 2, 2].into_iter().enumerate() {
            let group = u8::from(number % 3 == 0);
            family.add(group, &life(5, 15, 100, 2), Some(client));
        }
        family.sum_up();
        // Group 1 has 5, 2 and 2 (the first, fourth and seventh); group 0 has 9, 5, 9, 5 and 2.
        let of = |cells: &Cells, bucket: i64, group: u8| {
            let group = family
                .groups
                .values
                .iter()
                .position(|it| *it == group)
                .unwrap();
            let place = (bucket, u32::try_from(group).unwrap());
            let cell = cells.places.values.iter().position(|it| *it == place);
            let cell = u32::try_from(cell.unwrap()).unwrap();
            let clients = cells.clients.iter().filter(|(it, _)| *it == cell);
            clients.map(|(_, client)| *client).collect::<Vec<_>>()
        };
        for bucket in [0, 10] {
            assert_eq!(of(&family.tens, bucket, 1), [5, 2]);
            assert_eq!(of(&family.tens, bucket, 0), [9, 5, 2]);
        }
        assert_eq!(of(&family.minutes, 0, 1), [5, 2]);
        assert_eq!(of(&family.minutes, 0, 0), [9, 5, 2]);
        assert!(family.tens.clients.is_sorted_by_key(|(cell, _)| *cell));
    }

    #[test]
    fn long_lives_are_in_minutes_and_longer_ones_in_none() {
        let family = family(&[life(0, 640, 64, 1), life(0, 3601, 5, 5)]);
        assert!(rows(&family.tens).is_empty());
        assert_eq!(family.minutes.sums.len(), 11);
        // 600 of 640 seconds are 60 of 64 octets.
        assert_eq!(rows(&family.minutes)[10], (600, 4, 1, 1, 0));
    }

    #[test]
    fn only_wanted_buckets_are_kept_with_their_clients() {
        let mut family = family(&[life(5, 25, 1000, 7)]);
        family.retain(|bucket| bucket == 10);
        assert_eq!(rows(&family.tens), [(10, 500, 4, 1, 0)]);
        assert_eq!(family.tens.clients, [(0, 1)]);
        assert!(rows(&family.minutes).is_empty());
    }
}
