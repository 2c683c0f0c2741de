//! Who goes first where there is not enough processor for all.
//!
//! What is not received in time is lost; what is not decoded or stored in time is late. So receiving goes first, then
//! decoding and the API, then the engine, and last of all the compression of old tape (`replay::Upkeep`). The kernel shares a
//! processor by niceness (sched(7)): each step is a quarter more. On Linux each thread has its own, and hands it on to
//! those that it starts.

use rustix::process::setpriority_process;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Takes datagrams from the kernel, or puts them on tape.
    Receiving,
    /// Decodes, encodes for the store, answers.
    Working,
    /// Is the embedded store.
    Engine,
}

impl Rank {
    /// Small steps down, as other programs of the machine are at 0: beside compilers an engine at 10 all but stood still.
    const fn niceness(self) -> i32 {
        match self {
            Self::Receiving => -10,
            Self::Working => 1,
            Self::Engine => 3,
        }
    }

    /// Gives the calling thread this rank.
    ///
    /// To be nicer than before is everybody's right; to go before others takes `CAP_SYS_NICE`. Without it receiving keeps the
    /// niceness that it has, which still goes before ours.
    pub(crate) fn take(self) {
        // The calling thread is meant where no process is named. Refused means that it stays as it is.
        let _ = setpriority_process(None, self.niceness());
    }

    /// Does something in a thread of this rank, so that the threads that it starts have the rank too.
    pub(crate) fn start<T: Send>(self, starting: impl FnOnce() -> T + Send) -> T {
        let started = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.take();
                starting()
            });
            thread.join()
        });
        started.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn a_rank_is_its_threads_and_handed_on_to_those_it_starts() {
        let before = getpriority_process(None).unwrap();
        let started = Rank::Engine.start(|| std::thread::spawn(|| getpriority_process(None)));
        assert_eq!(started.join().unwrap().unwrap(), 3);
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
