//! Where pictures are drawn: a few at a time, on threads that nobody else waits for.

use std::fmt;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::ApiError;
use crate::studio::{Drawing, PictureFile, Sheet, Studio, StudioError};

/// Pictures that are drawn at the same time. When there are as many, another is refused (429); whoever draws counts till he has
/// done, even if nobody waits for the picture any more.
const PLACES: usize = 3;

/// Where pictures are drawn.
#[derive(Clone)]
pub(crate) struct Easel {
    /// No pictures if `None`.
    studio: Option<Arc<dyn Studio>>,
    places: Arc<Semaphore>,
}

impl Easel {
    /// Drawn by whom.
    pub(crate) fn new(studio: Option<Arc<dyn Studio>>) -> Self {
        let places = Arc::new(Semaphore::new(PLACES));
        Self { studio, places }
    }

    /// Draws, and sends what is drawn.
    ///
    /// # Errors
    ///
    /// 400 for another size, 429 if as many are being drawn, 404 if nobody draws.
    pub(crate) async fn draw(&self, drawing: Drawing, sheet: Sheet) -> Result<Response, ApiError> {
        let Some(studio) = self.studio.clone() else {
            return Err(ApiError::not_found("nobody draws pictures here"));
        };
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| {
            let why = format!("{PLACES} pictures are being drawn; ask again in a moment");
            ApiError::refused(StatusCode::TOO_MANY_REQUESTS, why)
        })?;
        let drawn = tokio::task::spawn_blocking(move || {
            let _place = place;
            studio.draw(&drawing, sheet)
        });
        let failed = |error: &dyn std::error::Error| {
            let what = "the picture could not be drawn";
            ApiError::because(StatusCode::INTERNAL_SERVER_ERROR, what, error)
        };
        let octets = drawn.await.map_err(|error| failed(&error))?;
        let octets = octets.map_err(|error| match error {
            StudioError::Size(why) => ApiError::parameter("width", why),
            other => failed(&other),
        })?;
        Ok(sent(sheet.kind, octets))
    }
}

/// A picture as it is sent.
pub(crate) fn sent(kind: PictureFile, octets: Vec<u8>) -> Response {
    let kind = match kind {
        PictureFile::Svg => "image/svg+xml",
        PictureFile::Png => "image/png",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Names from the network are in it.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ),
    ];
    (headers, octets).into_response()
}

impl fmt::Debug for Easel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Easel").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Duration;

    use flow::Timestamp;
    use store::question::{Quantity, Window};

    use super::*;
    use crate::studio::{Content, Theme};

    /// Says that it draws, and draws until it is told to go on.
    struct Slow {
        began: SyncSender<()>,
        go_on: Mutex<Receiver<()>>,
    }

    impl Studio for Slow {
        fn draw(&self, _: &Drawing, sheet: Sheet) -> Result<Vec<u8>, StudioError> {
            if sheet.width == 1 {
                return Err(StudioError::Size("not 1 wide".to_owned()));
            }
            self.began.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
            Ok(b"drawn".to_vec())
        }
    }

    fn drawing() -> Drawing {
        let [from, to] = [0, 1].map(Timestamp::from_seconds);
        Drawing {
            title: None,
            window: Window { from, to },
            filter: None,
            recording: None,
            known_at: None,
            dimension: None,
            by: Quantity::Octets,
            content: Content::Top {
                rows: Vec::new(),
                before: None,
                lasted: Duration::from_secs(1),
            },
        }
    }

    fn sheet(width: u32) -> Sheet {
        Sheet {
            kind: PictureFile::Png,
            width,
            height: 480,
            theme: Theme::Light,
        }
    }

    async fn status(easel: &Easel, width: u32) -> StatusCode {
        easel
            .draw(drawing(), sheet(width))
            .await
            .into_response()
            .status()
    }

    #[tokio::test]
    async fn beyond_a_few_at_a_time_a_picture_is_refused() {
        let (began, begun) = sync_channel(PLACES);
        let (told, go_on) = sync_channel(PLACES);
        let go_on = Mutex::new(go_on);
        let easel = Easel::new(Some(Arc::new(Slow { began, go_on })));
        let drawn: Vec<_> = (0..PLACES)
            .map(|_| {
                let easel = easel.clone();
                tokio::spawn(async move { status(&easel, 960).await })
            })
            .collect();
        let begun = tokio::task::spawn_blocking(move || {
            (0..PLACES).for_each(|_| begun.recv().unwrap());
            begun
        });
        let begun = begun.await.unwrap();
        assert_eq!(status(&easel, 960).await, StatusCode::TOO_MANY_REQUESTS);
        for _ in 0..PLACES {
            told.send(()).unwrap();
        }
        for one in drawn {
            assert_eq!(one.await.unwrap(), StatusCode::OK);
        }
        assert_eq!(status(&easel, 1).await, StatusCode::BAD_REQUEST);
        drop(begun);
    }

    #[tokio::test]
    async fn without_a_studio_there_is_no_picture() {
        let nobody = Easel::new(None);
        assert_eq!(status(&nobody, 960).await, StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_picture_says_what_it_is_and_may_do_nothing() {
        let response = sent(PictureFile::Svg, Vec::new());
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header(header::CONTENT_TYPE), "image/svg+xml");
        let policy = header(header::CONTENT_SECURITY_POLICY);
        assert_eq!(policy, "default-src 'none'; sandbox");
    }
}
