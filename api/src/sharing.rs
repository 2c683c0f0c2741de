//! The same question by many at nearly the same time is asked once: fifty people who look at the same page live cost what one does.
//!
//! Who accepts an answer that is a little old says so in the words of HTTP: `Cache-Control: max-age=1` in the request
//! ([RFC 9111 §5.2.1.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.1)). An answer whose question still runs is waited for, however
//! long it has run: a store that is slow is not asked again meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flow::clock::Stopwatch;
use store::question::Scope;
use tokio::sync::OnceCell;

use crate::ApiError;

/// Answers that are kept at a time. Of more, those that were asked first go, though who waits for them gets them.
const KEPT_MAX: usize = 256;
/// No answer is kept longer, whatever age is accepted.
const AGE_MAX: Duration = Duration::from_secs(60);
/// A longer answer is not kept, octets.
const OCTETS_MAX: usize = 1 << 20;

/// Answers as JSON, by their questions.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    clock: Stopwatch,
    kept: Arc<Mutex<BTreeMap<String, Entry>>>,
}

#[derive(Clone, Debug)]
struct Entry {
    asked_at: Duration,
    answer: Arc<OnceCell<Result<Bytes, ApiError>>>,
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            clock: Stopwatch::start(),
            kept: Arc::default(),
        }
    }
}

/// How old an answer may be; `None` if it is to be new.
pub(crate) fn age_accepted(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(header::CACHE_CONTROL)?.to_str().ok()?;
    let seconds = said
        .split(',')
        .find_map(|directive| directive.trim().strip_prefix("max-age="))?;
    let age = Duration::from_secs(seconds.parse().ok()?);
    (!age.is_zero()).then_some(age.min(AGE_MAX))
}

impl Sharing {
    /// The answer to a question; `ask` is called if nobody else who may see the same has asked within `age`. The question must say all
    /// else that the answer depends on.
    ///
    /// # Errors
    ///
    /// What `ask` says. All who wait for it are told so; who asks later asks anew.
    pub(crate) async fn answer<Asking: Future<Output = Result<Bytes, ApiError>>>(
        &self,
        (question, scope): (String, &Scope),
        age: Duration,
        ask: impl FnOnce() -> Asking,
    ) -> Result<Bytes, ApiError> {
        let question = format!("{scope:?} {question}");
        let entry = self.entry(&question, age);
        let answer = entry.answer.get_or_init(ask).await.clone();
        let is_kept = matches!(&answer, Ok(octets) if octets.len() <= OCTETS_MAX);
        if !is_kept {
            self.forget(&question, &entry);
        }
        answer
    }

    fn entry(&self, question: &str, age: Duration) -> Entry {
        let now = self.clock.elapsed();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, entry| {
            let runs = !entry.answer.initialized() && Arc::strong_count(&entry.answer) > 1;
            runs || now.saturating_sub(entry.asked_at) <= AGE_MAX
        });
        let found = kept.get(question).filter(|entry| {
            !entry.answer.initialized() || now.saturating_sub(entry.asked_at) < age
        });
        if let Some(found) = found {
            return found.clone();
        }
        if kept.len() >= KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, entry)| entry.asked_at);
            if let Some(oldest) = oldest.map(|(question, _)| question.clone()) {
                kept.remove(&oldest);
            }
        }
        let entry = Entry {
            asked_at: now,
            answer: Arc::default(),
        };
        kept.insert(question.to_owned(), entry.clone());
        entry
    }

    fn forget(&self, question: &str, entry: &Entry) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_this = kept
            .get(question)
            .is_some_and(|found| Arc::ptr_eq(&found.answer, &entry.answer));
        if is_this {
            kept.remove(question);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const ALL: &Scope = &Scope { only: None };

    fn accepted(said: &str) -> Option<Duration> {
        let value = said.parse().unwrap();
        age_accepted(&HeaderMap::from_iter([(header::CACHE_CONTROL, value)]))
    }

    #[test]
    fn an_age_is_accepted_only_by_who_says_so() {
        assert_eq!(age_accepted(&HeaderMap::new()), None);
        assert_eq!(accepted("no-cache"), None);
        assert_eq!(accepted("max-age=0"), None);
        assert_eq!(accepted("max-stale, max-age=1"), Some(SECOND));
        assert_eq!(accepted("max-age=86400"), Some(AGE_MAX));
    }

    #[tokio::test]
    async fn many_ask_and_one_question_is_asked() {
        let (sharing, asked) = (Sharing::default(), AtomicU32::new(0));
        let ask = async |said: &str| {
            tokio::task::yield_now().await;
            let number = asked.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::from(format!("{said} {number}")))
        };
        let answer =
            |said: &'static str| sharing.answer((said.to_owned(), ALL), AGE_MAX, || ask(said));
        let answers = futures_util::future::join_all((0..50).map(|_| answer("a"))).await;
        assert!(
            answers
                .iter()
                .all(|answer| answer.as_ref().unwrap() == "a 0")
        );
        assert_eq!(answer("b").await.unwrap(), "b 1");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_accepts_no_age_that_there_is_asks_anew() {
        let sharing = Sharing::default();
        let ask = |said: &'static str, age| {
            sharing.answer(("a".to_owned(), ALL), age, move || async move {
                Ok(Bytes::from(said))
            })
        };
        assert_eq!(ask("1", AGE_MAX).await.unwrap(), "1");
        assert_eq!(ask("2", AGE_MAX).await.unwrap(), "1");
        assert_eq!(ask("3", Duration::ZERO).await.unwrap(), "3");
    }

    #[tokio::test]
    async fn who_may_see_something_else_asks_for_themselves() {
        let sharing = Sharing::default();
        let scope = |text| Scope::of(flow::Filter::parse(text).unwrap());
        let (berlin, paris) = (scope("site berlin"), scope("site paris"));
        let ask = async |scope: &Scope, said: &'static str| {
            let answer = async || Ok(Bytes::from(said));
            let shared = sharing.answer(("a".to_owned(), scope), AGE_MAX, answer);
            shared.await.unwrap()
        };
        assert_eq!(ask(&berlin, "1").await, "1");
        assert_eq!(ask(&paris, "2").await, "2");
        assert_eq!(ask(ALL, "3").await, "3");
        assert_eq!(ask(&berlin, "4").await, "1");
    }

    #[tokio::test]
    async fn all_who_wait_are_told_of_a_failure() {
        let (sharing, asked) = (Sharing::default(), AtomicU32::new(0));
        let ask = async || {
            tokio::task::yield_now().await;
            asked.fetch_add(1, Ordering::Relaxed);
            Err(ApiError::not_found("nothing"))
        };
        let waiting = (0..50).map(|_| sharing.answer(("a".to_owned(), ALL), AGE_MAX, ask));
        let answers = futures_util::future::join_all(waiting).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_failure_and_a_long_answer_are_told_to_one() {
        let sharing = Sharing::default();
        let ask = |answer: Result<Bytes, ApiError>| {
            sharing.answer(
                ("a".to_owned(), ALL),
                AGE_MAX,
                move || async move { answer },
            )
        };
        assert!(ask(Err(ApiError::not_found("nothing"))).await.is_err());
        let long = Bytes::from(vec![b' '; OCTETS_MAX + 1]);
        assert_eq!(ask(Ok(long.clone())).await.unwrap(), long);
        assert_eq!(ask(Ok(Bytes::from("2"))).await.unwrap(), "2");
    }

    #[tokio::test]
    async fn no_more_are_kept_than_so_many() {
        let sharing = Sharing::default();
        for number in 0..2 * KEPT_MAX {
            let asked = sharing.answer((number.to_string(), ALL), AGE_MAX, || async {
                Ok(Bytes::new())
            });
            asked.await.unwrap();
        }
        assert_eq!(sharing.kept.lock().unwrap().len(), KEPT_MAX);
    }
}
