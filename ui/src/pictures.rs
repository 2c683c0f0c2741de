//! Pictures without a browser: what stands in a ticket, a report, or beside a command line. They look like the pages.
//!
//! | module | what it holds |
//! |---|---|
//! | `series` | values over time, as lines or stacked areas |
//! | `top` | the largest groups, as bars |
//! | `sheet` | how large, light or dark, SVG or PNG |
//! | `scene` | what a picture consists of: boxes, lines, areas, words |
//! | `svg`, `raster` | a scene as octets |
//! | `lettering` | the font that is in the binary, and how wide words are |
//! | `legend`, `axes`, `marks` | what surrounds values |
//! | `theme` | colours, the same as those of `web/src/app.css` and `web/src/lib/colours.ts` |
//! | `units`, `times`, `names` | how values, times and names are written, the same as in `web/src/lib/` |
//!
//! A picture is a function of what it is given: the same input, the same octets.

mod axes;
mod legend;
mod lettering;
mod marks;
mod names;
mod raster;
mod scene;
mod series;
mod sheet;
mod svg;
mod theme;
mod times;
mod top;
mod units;

pub use self::series::{Line, Mark, SeriesPicture};
pub use self::sheet::{HEIGHT_MIN, Kind, PictureError, SIDE_MAX, Sheet, Theme, WIDTH_MIN};
pub use self::times::{moment, stretch};
pub use self::top::{Bar, TopPicture};
pub use self::units::Unit;

#[cfg(test)]
mod tests;
