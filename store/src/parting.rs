//! Many rows in parts by their time of arrival: the embedded engine holds an answer in memory before it sends it.

use flow::Timestamp;

use crate::error::StoreError;
use crate::question::Window;
use crate::sql::Sql;
use crate::store::Store;

impl Store {
    /// Windows of arrival, in order and without gaps between their rows, that part the rows of `flows` with this condition so that each has
    /// few enough of them, if they did not all come within a second.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub(crate) async fn parts_of(
        &self,
        condition: Sql,
        rows_max: u64,
    ) -> Result<Vec<Window>, StoreError> {
        // Rounded down, before 1970 too: `toUnixTimestamp64Second` leaves the fraction out.
        let sql = Sql::text(format!(
            "WITH toUnixTimestamp64Nano(received_at) AS nanos\n\
             SELECT intDiv(nanos, 1000000000) - (nanos % 1000000000 < 0) AS second, count() AS flows\nFROM {}.flows\nWHERE ",
            self.database()
        ));
        let sql = sql.join(condition);
        let sql = sql.then("\nGROUP BY second ORDER BY second");
        let seconds: Vec<(i64, u64)> = self.read(sql).await?;
        Ok(parted(&seconds, rows_max))
    }
}

/// Runs of seconds that have at most so many rows, or are one second.
fn parted(seconds: &[(i64, u64)], rows_max: u64) -> Vec<Window> {
    let mut parts: Vec<(i64, i64, u64)> = Vec::new();
    for (second, rows) in seconds {
        match parts.last_mut() {
            Some((_, to, so_far)) if *so_far + rows <= rows_max => {
                (*to, *so_far) = (second + 1, *so_far + rows);
            }
            _ => parts.push((*second, second + 1, *rows)),
        }
    }
    let at = Timestamp::from_seconds;
    let windows = parts.into_iter();
    windows
        .map(|(from, to, _)| Window {
            from: at(from),
            to: at(to),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_seconds_with_few_rows() {
        let parts = parted(&[(10, 4), (11, 5), (15, 2), (16, 30), (17, 1)], 10);
        let seconds: Vec<_> = parts
            .iter()
            .map(|part| (part.from.seconds(), part.to.seconds()))
            .collect();
        assert_eq!(seconds, [(10, 12), (15, 16), (16, 17), (17, 18)]);
        assert!(parted(&[], 10).is_empty());
    }
}
