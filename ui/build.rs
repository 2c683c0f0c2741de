//! Says what to run when the pages are not built, and embeds them again when they are built again.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    if !Path::new("web/dist/index.html").is_file() {
        println!(
            "cargo::error=the pages are not built: run scripts/build-pages.sh (`make setup-build` does), then this again"
        );
    }
}
