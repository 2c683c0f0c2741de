//! Colours: those of the pages. A name has the same colour on every page, in every picture, on every day.

use super::sheet::Theme;

/// A colour and how much of it covers what is below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ink {
    pub(super) rgb: [u8; 3],
    pub(super) alpha: f64,
}

const fn ink(hex: u32) -> Ink {
    let [_, red, green, blue] = hex.to_be_bytes();
    Ink {
        rgb: [red, green, blue],
        alpha: 1.0,
    }
}

impl Ink {
    /// So much of it over what is below.
    pub(super) const fn thin(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// What is seen of so much of it over `ground`, as a colour that covers.
    pub(super) fn over(self, ground: Self, alpha: f64) -> Self {
        let mix = |at: usize| {
            let (over, below) = (f64::from(self.rgb[at]), f64::from(ground.rgb[at]));
            let mixed = over * alpha + below * (1.0 - alpha);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between two octets"
            )]
            let mixed = mixed.round().clamp(0.0, 255.0) as u8;
            mixed
        };
        Self {
            rgb: [mix(0), mix(1), mix(2)],
            alpha: 1.0,
        }
    }
}

/// The colours of `web/src/app.css` that pictures use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) surface: Ink,
    pub(super) text: Ink,
    pub(super) quiet: Ink,
    pub(super) grid: Ink,
    pub(super) line: Ink,
    pub(super) shade: Ink,
    pub(super) recorded: Ink,
}

const LIGHT: Look = Look {
    surface: ink(0x00ff_ffff),
    text: ink(0x0016_1b20),
    quiet: ink(0x0055_606b),
    grid: ink(0x00e6_eaed),
    line: ink(0x00dc_e1e5),
    shade: ink(0x0016_1b20),
    recorded: ink(0x007a_2f92),
};

const DARK: Look = Look {
    surface: ink(0x0014_181c),
    text: ink(0x00e4_e8eb),
    quiet: ink(0x0097_a3ae),
    grid: ink(0x0021_272d),
    line: ink(0x0027_2e35),
    shade: ink(0x00e4_e8eb),
    recorded: ink(0x00d2_9be4),
};

impl Theme {
    pub(super) fn look(self) -> &'static Look {
        match self {
            Self::Light => &LIGHT,
            Self::Dark => &DARK,
        }
    }
}

/// Sixteen colours that stay apart for people who see no red or no green, and can be told from the ground of both themes:
/// `PALETTE` of `web/src/lib/colours.ts`.
const PALETTE: [Ink; 16] = [
    ink(0x00ae_7cbe),
    ink(0x0090_6966),
    ink(0x006b_76d2),
    ink(0x009b_980b),
    ink(0x00d0_2e1e),
    ink(0x003d_8d9b),
    ink(0x0025_9cde),
    ink(0x0029_81fb),
    ink(0x0022_7727),
    ink(0x0096_5487),
    ink(0x00bb_7048),
    ink(0x00a3_36ae),
    ink(0x0030_67b8),
    ink(0x00a8_8d72),
    ink(0x00d7_5893),
    ink(0x006e_50d9),
];

/// What is not one group.
const GREY: Ink = ink(0x007d_8791);
/// In place of the offset basis: with it the best-known names share the fewest colours.
const SEED: u32 = 85_120;
/// FNV-1a, 32 bits ([draft-eastlake-fnv](https://datatracker.ietf.org/doc/draft-eastlake-fnv/)).
const PRIME: u32 = 0x0100_0193;

/// Which place of the palette a name has.
fn place(name: &str, seed: u32) -> usize {
    let hash = name.bytes().fold(seed, |hash, octet| {
        (hash ^ u32::from(octet)).wrapping_mul(PRIME)
    });
    // The low bits of FNV-1a are its weakest.
    usize::from(((hash >> 16 ^ hash) & 15) as u8)
}

/// The colour of a name.
pub(super) fn colour(name: &str) -> Ink {
    match name {
        "others" | "unknown" | "(unknown)" | "" => GREY,
        _ => PALETTE[place(name, SEED)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_pages(file: &str) -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/web/src/");
        std::fs::read_to_string(format!("{path}{file}")).unwrap()
    }

    /// As it is written there: `#2981fb`.
    fn written(ink: Ink) -> String {
        let [red, green, blue] = ink.rgb;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// Somebody who changes a colour there hears of it here.
    #[test]
    fn names_have_the_colours_of_the_pages() {
        let file = of_the_pages("lib/colours.ts");
        let (_, palette) = file.split_once("PALETTE = [").unwrap();
        let (palette, rest) = palette.split_once(']').unwrap();
        let colours: Vec<&str> = palette.split('\'').skip(1).step_by(2).collect();
        assert_eq!(colours, PALETTE.map(written));
        assert!(rest.contains(&format!("GREY = '{}'", written(GREY))));
        let (_, seed) = rest.split_once("SEED = ").unwrap();
        let (seed, _) = seed.split_once(';').unwrap();
        assert_eq!(seed.replace('_', "").parse(), Ok(SEED));
        let (_, grey) = rest.split_once("new Set([").unwrap();
        let (grey, _) = grey.split_once(']').unwrap();
        for name in grey.split('\'').skip(1).step_by(2) {
            assert_eq!(colour(name), GREY, "{name}");
        }
        // The same as in `web/src/lib/colours.test.ts`.
        let places = ["file shares", "internet", "mail", "dns"].map(|name| place(name, SEED));
        assert_eq!(places, [12, 6, 3, 9]);
    }

    #[test]
    fn what_surrounds_them_has_the_colours_of_the_pages() {
        let file = of_the_pages("app.css");
        let (light, dark) = file.split_once("[data-theme='dark']").unwrap();
        for (css, look) in [(light, LIGHT), (dark, DARK)] {
            let tokens = [
                ("surface", look.surface),
                ("text", look.text),
                ("quiet", look.quiet),
                ("grid", look.grid),
                ("line", look.line),
                ("recorded", look.recorded),
            ];
            for (name, ink) in tokens {
                let token = format!("--{name}: {};", written(ink));
                assert!(css.contains(&token), "{token}");
            }
        }
    }

    /// FNV-1a's own test vectors (Fowler, Noll, Vo): "" and "foobar".
    #[test]
    fn the_hash_is_that_of_its_authors() {
        let fold = |hash: u32| usize::from(((hash >> 16 ^ hash) & 15) as u8);
        assert_eq!(place("", 0x811c_9dc5), fold(0x811c_9dc5));
        assert_eq!(place("foobar", 0x811c_9dc5), fold(0xbf9c_f968));
    }

    #[test]
    fn a_thin_colour_is_mixed_with_its_ground() {
        let half = ink(0x0010_ff00).over(ink(0x0020_00ff), 0.5);
        assert_eq!(half.rgb, [0x18, 0x80, 0x80]);
    }
}
