//! Many clients as one: all together, and the one in the middle.

use api::tickets::Measures;
use store::outcomes::{Connections, Outcome};
use store::question::Window;

use super::words::per_second;

/// One group's numbers.
pub(super) fn measures(outcome: &Outcome, window: Window) -> Measures {
    let of = |count: fn(&Connections) -> u64| outcome.connections.as_ref().map(count);
    Measures {
        clients: outcome.clients,
        octets_per_second: per_second(outcome.octets, window),
        opened: of(|all| all.opened),
        refused: of(|all| all.refused),
        unanswered: of(|all| all.unanswered),
        duration_ms_median: outcome.duration_ms_median,
    }
}

/// Clients together. Connections are those of the clients of whom they can be told; how long flows live is no sum.
pub(super) fn together(clients: &[Measures]) -> Measures {
    let sum = |of: fn(&Measures) -> Option<u64>| {
        let told: Vec<u64> = clients.iter().filter_map(of).collect();
        (!told.is_empty()).then(|| told.iter().sum())
    };
    Measures {
        clients: clients.iter().map(|one| one.clients).sum(),
        octets_per_second: clients.iter().map(|one| one.octets_per_second).sum(),
        opened: sum(|one| one.opened),
        refused: sum(|one| one.refused),
        unanswered: sum(|one| one.unanswered),
        duration_ms_median: None,
    }
}

/// The client in the middle, measure by measure.
pub(super) fn typical(clients: &[Measures]) -> Option<Measures> {
    let count = |of: fn(&Measures) -> Option<u64>| middle(clients.iter().filter_map(of), u64::cmp);
    let number =
        |of: fn(&Measures) -> Option<f64>| middle(clients.iter().filter_map(of), f64::total_cmp);
    Some(Measures {
        clients: 1,
        octets_per_second: number(|one| Some(one.octets_per_second))?,
        opened: count(|one| one.opened),
        refused: count(|one| one.refused),
        unanswered: count(|one| one.unanswered),
        duration_ms_median: number(|one| one.duration_ms_median),
    })
}

/// The one in the middle; of an even number the lower of the two.
fn middle<T: Copy>(
    all: impl Iterator<Item = T>,
    order: impl FnMut(&T, &T) -> std::cmp::Ordering,
) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by(order);
    all.get(all.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(octets_per_second: f64, opened: Option<u64>, lived: Option<f64>) -> Measures {
        Measures {
            clients: 1,
            octets_per_second,
            opened,
            refused: opened.map(|_| 0),
            unanswered: None,
            duration_ms_median: lived,
        }
    }

    #[test]
    fn what_cannot_be_told_of_a_client_counts_for_nobody() {
        let clients = [
            client(10.0, Some(4), None),
            client(900.0, None, Some(7.5)),
            client(20.0, Some(1), Some(2.5)),
            client(30.0, Some(2), None),
        ];
        let middle = typical(&clients).unwrap();
        // 10 20 30 900; 1 2 4; 2.5 7.5.
        let expected = client(20.0, Some(2), Some(2.5));
        assert_eq!(middle, expected);
        let all = together(&clients);
        assert_eq!(
            (all.clients, all.opened, all.unanswered),
            (4, Some(7), None)
        );
        assert_eq!(all.octets_per_second, 960.0);
        assert_eq!(typical(&[]), None);
    }
}
