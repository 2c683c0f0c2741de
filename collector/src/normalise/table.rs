//! A table of fixed size that forgets: the bound of everything that grows with traffic.

/// Entries that share a place; a search looks at no more than these.
const WAYS: usize = 4;

/// Words of a cache line.
const LINE: usize = 8;

/// A set-associative table of `W` 64-bit words an entry, of which the first `K` are the key.
///
/// Its memory is taken once (and touched only as it fills). However keys are chosen, by chance or by an attacker, a
/// search looks at four entries, and what happens is a function of the calls alone. A key of all zeros cannot be kept:
/// it marks a free entry.
#[derive(Clone, Debug)]
pub(super) struct SetTable<const W: usize, const K: usize> {
    /// Entries from `base` on.
    words: Vec<u64>,
    /// Words before the first that begins a cache line, so that entries of 8 words have a line each.
    base: usize,
    /// Sets, a power of two, less one.
    mask: u64,
}

/// Where [`SetTable::place`] put a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was there.
    Found(usize),
    /// It took a free entry.
    Free(usize),
    /// It took the entry of another key; the number is what `worth` said of that.
    Evicted(usize, u64),
}

impl<const W: usize, const K: usize> SetTable<W, K> {
    /// A table for at least `entries` entries, rounded up to four times a power of two.
    pub(super) fn new(entries: usize) -> Self {
        let sets = entries.div_ceil(WAYS).max(1).next_power_of_two();
        let words = vec![0; sets * WAYS * W + LINE];
        let base = words.as_ptr().align_offset(LINE * size_of::<u64>());
        Self {
            base: if base < LINE { base } else { 0 },
            words,
            mask: (sets - 1) as u64,
        }
    }

    #[inline]
    fn slots(&self) -> &[[u64; W]] {
        self.words[self.base..].as_chunks().0
    }

    #[inline]
    fn slots_mut(&mut self) -> &mut [[u64; W]] {
        self.words[self.base..].as_chunks_mut().0
    }

    /// Entries that there is room for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        (usize::try_from(self.mask).unwrap_or(0) + 1) * WAYS
    }

    #[inline]
    fn first(&self, key: &[u64; K]) -> usize {
        let set = usize::try_from(mix(key) & self.mask).unwrap_or(0);
        set * WAYS
    }

    /// Where `key` is or will be, for [`SetTable::touch`].
    #[inline]
    pub(super) fn whereabouts(&self, key: &[u64; K]) -> usize {
        self.first(key)
    }

    /// Reads something there, so that it has come from memory when it is searched. The answer means nothing.
    ///
    /// Such reads, one right after the other, overlap; searches, which wait for what they find, don't.
    #[inline]
    pub(super) fn touch(&self, whereabouts: usize) -> u64 {
        let set = self.slots().get(whereabouts..whereabouts + WAYS);
        set.map_or(0, |set| set.iter().fold(0, |all, entry| all ^ entry[0]))
    }

    /// The entry of `key`.
    #[inline]
    pub(super) fn find(&self, key: &[u64; K]) -> Option<usize> {
        let first = self.first(key);
        let set = &self.slots()[first..first + WAYS];
        let way = set.iter().position(|entry| has_key(entry, key))?;
        Some(first + way)
    }

    /// An entry's words, the key included.
    #[inline]
    pub(super) fn at(&self, slot: usize) -> &[u64; W] {
        &self.slots()[slot]
    }

    /// See [`SetTable::at`]. The key's words must stay.
    #[inline]
    pub(super) fn at_mut(&mut self, slot: usize) -> &mut [u64; W] {
        &mut self.slots_mut()[slot]
    }

    /// The entry of `key`; if there is none, a free one or else that of the least `worth`, blank but for its key.
    #[inline]
    pub(super) fn place(&mut self, key: &[u64; K], worth: impl Fn(&[u64; W]) -> u64) -> Placed {
        if let Some(slot) = self.find(key) {
            return Placed::Found(slot);
        }
        let first = self.first(key);
        let set = &self.slots()[first..first + WAYS];
        let free = set.iter().position(|entry| has_key(entry, &[0; K]));
        let placed = match free {
            Some(way) => Placed::Free(first + way),
            None => set
                .iter()
                .enumerate()
                .map(|(way, entry)| (worth(entry), way))
                .min()
                .map_or(Placed::Free(first), |(worth, way)| {
                    Placed::Evicted(first + way, worth)
                }),
        };
        if let Placed::Free(slot) | Placed::Evicted(slot, _) = placed {
            let entry = self.at_mut(slot);
            *entry = [0; W];
            entry[..K].copy_from_slice(key);
        }
        placed
    }

    /// Adds an entry whose key is not there; the oldest of its four goes.
    #[inline]
    pub(super) fn push(&mut self, entry: [u64; W]) {
        let mut key = [0; K];
        key.copy_from_slice(&entry[..K]);
        let first = self.first(&key);
        let set = &mut self.slots_mut()[first..first + WAYS];
        set.rotate_right(1);
        set[0] = entry;
    }

    /// Forgets `key`.
    pub(super) fn forget(&mut self, key: &[u64; K]) {
        if let Some(slot) = self.find(key) {
            *self.at_mut(slot) = [0; W];
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }
}

/// Word by word: slices would be compared by a call.
#[inline]
fn has_key<const W: usize, const K: usize>(entry: &[u64; W], key: &[u64; K]) -> bool {
    let words = entry.iter().zip(key);
    words.fold(0, |unlike, (word, wanted)| unlike | (word ^ wanted)) == 0
}

/// Spreads the words' bits over one word. No secret: the tables are bounded whatever the keys are.
#[inline]
pub(super) fn mix(words: &[u64]) -> u64 {
    // Odd constants from the binary expansions of the golden ratio and of pi.
    let mut hash = 0x243f_6a88_85a3_08d3_u64;
    for word in words {
        hash = (hash.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x1319_8a2e_0370_7345);
    hash ^ (hash >> 29)
}

/// An address as two words.
#[inline]
pub(super) fn words(address: u128) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = address.to_be_bytes();
    [
        u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        u64::from_be_bytes(rest),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_set_gives_up_what_is_worth_least() {
        let mut table = SetTable::<2, 1>::new(4);
        assert_eq!(table.capacity(), 4);
        for key in 1..=4 {
            let Placed::Free(slot) = table.place(&[key], |entry| entry[1]) else {
                panic!("{key} had no room");
            };
            table.at_mut(slot)[1] = 10 - key;
        }
        assert!(matches!(
            table.place(&[2], |entry| entry[1]),
            Placed::Found(_)
        ));
        assert!(matches!(
            table.place(&[9], |entry| entry[1]),
            Placed::Evicted(_, 6)
        ));
        assert_eq!(table.find(&[4]), None);
        assert!(table.find(&[1]).is_some());
    }

    #[test]
    fn pushing_forgets_the_oldest() {
        let mut table = SetTable::<2, 1>::new(1);
        for key in 1..=5 {
            table.push([key, 0]);
        }
        assert_eq!(table.find(&[1]), None);
        assert!((2..=5).all(|key| table.find(&[key]).is_some()));
        table.forget(&[3]);
        assert_eq!(table.find(&[3]), None);
        table.clear();
        assert_eq!(table.find(&[5]), None);
    }

    #[test]
    fn neighbouring_keys_spread() {
        let mut sets = std::collections::HashSet::new();
        for low in 0..4096_u64 {
            sets.insert(mix(&[0xffff, low, 0, 0, low << 16]) & 4095);
        }
        // 4096 balls into as many boxes leave 1/e of them empty.
        assert!((2500..2700).contains(&sets.len()), "{}", sets.len());
    }
}
