//! What the routes need besides a store: recordings by reference of a real catalog, a plant that nobody asks, and a studio that writes
//! down what it is to draw.

use std::path::PathBuf;
use std::sync::Arc;

use flow::health::ExporterHealth;
use flow::site::Rules;
use flow::{Accounting, Timestamp};
use futures_util::future::BoxFuture;
use store::Store;
use store::catalog::Catalog;

use crate::archive::{
    Archive, ArchiveError, Cut, Found, Leaving, NewNote, Recorded, Standing, Wrapping,
};
use crate::people::Person;
use crate::plant::{
    Holdings, ImportStatus, LearnedEndpoint, Plant, PlantError, Readiness, Reclassified,
};
use crate::studio::{Drawing, Sheet, Studio, StudioError};

/// Recordings that the live tables hold.
pub(super) struct Shelf {
    pub(super) catalog: Catalog,
    pub(super) store: Arc<Store>,
}

const NOT_ASKED: &str = "no test asks for this";

impl Archive for Shelf {
    fn list<'a>(&'a self, _: &'a Person) -> BoxFuture<'a, Result<Vec<Recorded>, ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn show<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        Box::pin(async move {
            let found = self.catalog.recording(name, who.viewer()).await?;
            let counts = found.is_told_to(who.viewer()).then_some(found.counts);
            Ok(Recorded {
                number: found.number,
                id: found.id,
                name: found.name,
                state: Standing::Referenced,
                from: found.slice.arrived.from,
                to: found.slice.arrived.to,
                filter: found.slice.filter.text().to_owned(),
                cut_by: found.cut_by,
                cut_at: found.cut_at,
                collector: found.collector,
                imported_at: found.imported_at,
                anonymized: found.anonymized,
                counts,
                notes: Vec::new(),
            })
        })
    }
    fn cut<'a>(&'a self, _: &'a Person, _: Cut) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn stop<'a>(
        &'a self,
        _: &'a Person,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn keep<'a>(
        &'a self,
        _: &'a Person,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn note<'a>(
        &'a self,
        _: &'a Person,
        _: &'a str,
        _: NewNote,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn delete<'a>(&'a self, _: &'a Person, _: &'a str) -> BoxFuture<'a, Result<(), ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn export<'a>(
        &'a self,
        _: &'a Person,
        _: &'a str,
        _: Wrapping,
    ) -> BoxFuture<'a, Result<Leaving, ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn import<'a>(
        &'a self,
        _: &'a Person,
        _: Option<String>,
        _: PathBuf,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn find<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Found, ArchiveError>> {
        Box::pin(async move {
            let found = self.catalog.recording(name, who.viewer()).await?;
            Ok(Found {
                id: found.id,
                store: self.store.clone(),
                filter: found.slice.filter.clone(),
                window: found.slice.arrived,
                slice: Some(found.slice),
            })
        })
    }
}

/// A studio that writes down what it is to draw.
pub(super) struct Drawn;

impl Studio for Drawn {
    fn draw(&self, drawing: &Drawing, _: Sheet) -> Result<Vec<u8>, StudioError> {
        Ok(format!("{drawing:?}").into_bytes())
    }
}

/// A plant that nobody asks.
pub(super) struct Idle;

impl Plant for Idle {
    fn accounting(&self) -> Accounting {
        unreachable!("{NOT_ASKED}")
    }
    fn exporters(&self) -> Vec<ExporterHealth> {
        unreachable!("{NOT_ASKED}")
    }
    fn readiness(&self) -> Readiness {
        unreachable!("{NOT_ASKED}")
    }
    fn metrics(&self) -> String {
        unreachable!("{NOT_ASKED}")
    }
    fn holdings(&self) -> Result<Holdings, PlantError> {
        unreachable!("{NOT_ASKED}")
    }
    fn incoming(&self) -> PathBuf {
        unreachable!("{NOT_ASKED}")
    }
    fn upload_room(&self) -> Result<u64, PlantError> {
        unreachable!("{NOT_ASKED}")
    }
    fn learned(&self) -> Vec<LearnedEndpoint> {
        unreachable!("{NOT_ASKED}")
    }
    fn rules(&self) -> Rules {
        unreachable!("{NOT_ASKED}")
    }
    fn catalog_rules(&self) -> BoxFuture<'_, Result<Rules, PlantError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn set_rules(&self, _: Rules) -> BoxFuture<'_, Result<(), PlantError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn import(&self, _: String, _: PathBuf) -> BoxFuture<'_, Result<ImportStatus, PlantError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn imports(&self) -> BoxFuture<'_, Result<Vec<ImportStatus>, PlantError>> {
        unreachable!("{NOT_ASKED}")
    }
    fn reclassify(
        &self,
        _: Timestamp,
        _: Timestamp,
    ) -> BoxFuture<'_, Result<Reclassified, PlantError>> {
        unreachable!("{NOT_ASKED}")
    }
}
