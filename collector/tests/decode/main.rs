//! The decoder against captures of real exporters, against another decoder, and against hand-made faults.

mod captures;
mod faults;
mod goldens;
mod support;
mod telegraf;
mod wire;
