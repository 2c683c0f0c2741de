//! Capture files and mirrored interfaces, as if their datagrams had come by UDP.
