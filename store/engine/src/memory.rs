//! How this process asks the system for memory, and gives it back.

/// Has large blocks given back to the system as soon as they are free. To be called before other threads start.
///
/// By itself glibc raises the size from which a block is a mapping of its own to that of the largest block that was
/// given back, up to 32 MiB, and takes smaller ones from a heap for each of eight times as many threads as there are
/// processors. Columns of flows grow to megabytes on one thread and are freed on another: the heaps keep as much as each
/// of them ever held, with holes. A fixed size has those columns grow without being copied (`mremap`), and nothing is kept.
///
/// Returns whether the C library does as it is told; another than glibc has rules of its own.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "there is no safe way to ask the C library")]
pub fn give_back_large_blocks() -> bool {
    use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, mallopt};

    /// From so many octets on a block is a mapping of its own.
    const MAPPED_FROM_OCTETS: nix::libc::c_int = 256 << 10;
    /// What a heap may keep at its end: room for blocks on their way to the engine, which come and go.
    const KEPT_OCTETS: nix::libc::c_int = 2 << 20;
    /// Heaps for what is smaller.
    const ARENAS_MAX: nix::libc::c_int = 4;
    // SAFETY: mallopt(3) takes numbers and keeps nothing of ours; it returns 0 for a number that it refuses.
    let told = unsafe {
        [
            mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_OCTETS),
            mallopt(M_TRIM_THRESHOLD, KEPT_OCTETS),
            mallopt(M_ARENA_MAX, ARENAS_MAX),
        ]
    };
    told == [1; 3]
}

/// See the other one: here the C library is none that can be told.
#[cfg(not(target_env = "gnu"))]
pub fn give_back_large_blocks() -> bool {
    false
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    #[test]
    fn the_c_library_takes_the_numbers() {
        assert!(super::give_back_large_blocks());
    }
}
