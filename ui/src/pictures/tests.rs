//! Pictures as whoever looks at them has them: an XML parser, a decoder of PNG.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::time::Duration;

use proptest::prelude::*;
use roxmltree::Document;

use super::*;

/// 10:00 to 10:10, a value a minute.
fn series(names: &[&str], values: &[f64]) -> SeriesPicture {
    let line = |name: &&str| Line {
        name: (*name).to_owned(),
        values: values.to_vec(),
    };
    SeriesPicture {
        title: "Traffic by application".to_owned(),
        subtitle: "2026-03-01 10:00–10:10 UTC".to_owned(),
        from: "2026-03-01T10:00:00Z".parse().unwrap(),
        step: Duration::from_secs(60),
        unit: Unit::Bits,
        lines: names.iter().map(line).collect(),
        ..SeriesPicture::default()
    }
}

fn top(bars: &[(&str, f64, Option<f64>)]) -> TopPicture {
    let bar = |(name, value, before): &(&str, f64, Option<f64>)| Bar {
        name: (*name).to_owned(),
        value: *value,
        before: *before,
    };
    TopPicture {
        title: "Applications".to_owned(),
        subtitle: "2026-03-01".to_owned(),
        of: "Application".to_owned(),
        unit: Unit::Bits,
        bars: bars.iter().map(bar).collect(),
    }
}

fn sheet(kind: Kind, width: u32, height: u32) -> Sheet {
    Sheet::new(kind, width, height, Theme::Light).unwrap()
}

fn svg(draw: impl Fn(&Sheet) -> Result<Vec<u8>, PictureError>) -> String {
    String::from_utf8(draw(&sheet(Kind::Svg, 960, 480)).unwrap()).unwrap()
}

/// All words of a picture, in order; the parser refuses what is no XML.
fn words(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| {
            node.text()
                .unwrap_or_default()
                .trim_matches('\n')
                .to_owned()
        })
        .collect()
}

fn has(words: &[String], expected: &str) -> bool {
    words
        .iter()
        .any(|word| word.replace('\u{a0}', " ") == expected)
}

/// What may be in a picture: nothing that does something, or that is fetched.
fn is_harmless(svg: &str) -> bool {
    let document = Document::parse(svg).unwrap();
    let known = [
        "svg", "title", "desc", "rect", "polyline", "polygon", "text",
    ];
    document
        .descendants()
        .filter(|node| node.is_element())
        .all(|node| {
            let mut attributes = node.attributes();
            known.contains(&node.tag_name().name())
                && attributes.all(|it| !it.name().starts_with("on") && !it.name().contains("href"))
        })
}

/// The pixel between two places.
fn middle(one: f64, other: f64) -> u32 {
    let half = (one + other) / 2.0;
    (0..4096).find(|pixel| f64::from(*pixel) >= half).unwrap()
}

struct Pixels {
    size: (u32, u32),
    rgb: Vec<u8>,
}

impl Pixels {
    fn of(octets: &[u8]) -> Self {
        let decoder = png::Decoder::new(std::io::Cursor::new(octets));
        let mut reader = decoder.read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        Self {
            size: (info.width, info.height),
            rgb,
        }
    }

    fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let first = usize::try_from((y * self.size.0 + x) * 3).unwrap();
        self.rgb[first..first + 3].try_into().unwrap()
    }

    /// The rows of a column that have this colour.
    fn rows(&self, x: u32, colour: [u8; 3]) -> Vec<u32> {
        (0..self.size.1)
            .filter(|y| self.at(x, *y) == colour)
            .collect()
    }
}

#[test]
fn an_axis_says_what_values_are() {
    // 3.2 Mbit/s at the most: steps of 1 Mbit/s; marks of ten minutes less half of the first and the last.
    let values = [
        0.0, 0.4e6, 0.8e6, 1.2e6, 1.6e6, 2e6, 2.4e6, 2.8e6, 3.2e6, 0.0,
    ];
    let words = words(&svg(|sheet| series(&["mail"], &values).draw(sheet)));
    for expected in [
        "0", "1", "2", "3", "4", "Mbit/s", "UTC", "10:01", "10:09", "mail", "mean",
    ] {
        assert!(has(&words, expected), "{expected}: {words:?}");
    }
    // (0.4 + 0.8 + 1.2 + 1.6 + 2 + 2.4 + 2.8 + 3.2) / 10
    assert!(has(&words, "1.44 Mbit/s"), "{words:?}");
    assert!(!has(&words, "5") && !has(&words, "10:10"), "{words:?}");
}

#[test]
fn areas_are_as_high_as_their_sum() {
    // Two lines of 2.5 Mbit/s: 5 together, where one alone would need 2.5.
    let picture = series(&["mail", "dns"], &[2.5e6; 10]);
    let stacked = SeriesPicture {
        stacked: true,
        ..picture.clone()
    };
    assert!(has(&words(&svg(|sheet| stacked.draw(sheet))), "5"));
    let alone = words(&svg(|sheet| picture.draw(sheet)));
    assert!(has(&alone, "2.5") && !has(&alone, "5"), "{alone:?}");
}

/// Where the grid is: plotters' rectangles of the grid's colour, by the number beside them.
fn grid(svg: &str, number: &str) -> f64 {
    let document = Document::parse(svg).unwrap();
    let text = document.descendants().find(|node| {
        node.has_tag_name("text") && node.text().is_some_and(|text| text.trim() == number)
    });
    // Ten units to a pixel.
    text.unwrap()
        .attribute("y")
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 10.0
}

#[test]
fn a_line_is_where_its_value_is() {
    let picture = series(&["mail"], &[3e6; 10]);
    let drawn = svg(|sheet| picture.draw(sheet));
    let pixels = Pixels::of(&picture.draw(&sheet(Kind::Png, 960, 480)).unwrap());
    assert_eq!(pixels.size, (960, 480));
    // 3 Mbit/s is at the number 3, in the colour of "mail", for 1.75 pixels, all over the picture.
    let at = grid(&drawn, "3");
    for x in [60, 400, 900] {
        let rows = pixels.rows(x, [0x9b, 0x98, 0x0b]);
        assert!((1..=2).contains(&rows.len()), "{rows:?}");
        assert!(
            rows.iter()
                .all(|row| (f64::from(*row) + 0.5 - at).abs() <= 1.5),
            "{rows:?} {at}"
        );
    }
    let document = Document::parse(&drawn).unwrap();
    let line = document
        .descendants()
        .find(|node| node.has_tag_name("polyline"))
        .unwrap();
    assert_eq!(line.attribute("stroke"), Some("#9B980B"));
    let points = line.attribute("points").unwrap().split_whitespace();
    for point in points {
        let (_, y) = point.split_once(',').unwrap();
        assert!(
            (y.parse::<f64>().unwrap() / 10.0 - at).abs() <= 0.1,
            "{point} {at}"
        );
    }
}

#[test]
fn an_area_covers_what_its_value_says() {
    let mut picture = series(&["mail", "dns"], &[2e6; 10]);
    picture.stacked = true;
    let drawn = svg(|sheet| picture.draw(sheet));
    let pixels = Pixels::of(&picture.draw(&sheet(Kind::Png, 960, 480)).unwrap());
    let [zero, two, four] = ["0", "2", "4"].map(|number| grid(&drawn, number));
    // 82 % of #9B980B and of #965487 over white.
    let over = |rgb: [f64; 3]| rgb.map(|value| (value * 0.82 + 255.0 * 0.18).round());
    let found = |from: f64, to: f64| {
        let middle = middle(from, to);
        pixels.at(500, middle).map(f64::from)
    };
    assert_eq!(found(zero, two), over([155.0, 152.0, 11.0]));
    assert_eq!(found(two, four), over([150.0, 84.0, 135.0]));
    assert_eq!(pixels.at(2, 478), [255, 255, 255]);
}

#[test]
fn bars_are_as_long_as_their_values() {
    let picture = top(&[
        ("mail", 40e6, Some(20e6)),
        ("dns", 10e6, Some(10e6)),
        ("voice", 5e6, Some(0.0)),
    ]);
    let drawn = svg(|sheet| picture.draw(sheet));
    let words = words(&drawn);
    for expected in [
        "Application",
        "Traffic",
        "Change",
        "mail",
        "40.0 Mbit/s",
        "5.00 Mbit/s",
    ] {
        assert!(has(&words, expected), "{expected}: {words:?}");
    }
    for expected in ["+100 %", "±0 %", "new"] {
        assert!(has(&words, expected), "{expected}: {words:?}");
    }
    // The rectangles that are no squares of ten pixels, the ground or a line.
    let document = Document::parse(&drawn).unwrap();
    let size = |node: &roxmltree::Node<'_, '_>, name: &str| {
        node.attribute(name).unwrap().parse::<f64>().unwrap()
    };
    let rectangles = document
        .descendants()
        .filter(|node| node.has_tag_name("rect"));
    let bars: Vec<f64> = rectangles
        .filter(|node| (120.0..300.0).contains(&size(node, "height")))
        .map(|node| size(&node, "width"))
        .collect();
    assert_eq!(bars.len(), 3);
    assert!((bars[1] / bars[0] - 0.25).abs() < 1e-3 && (bars[2] / bars[0] - 0.125).abs() < 1e-3);
    let plain = top(&[("mail", 40e6, None)]);
    assert!(!has(
        &self::words(&svg(|sheet| plain.draw(sheet))),
        "Change"
    ));
}

#[test]
fn what_has_no_room_is_counted() {
    let names: Vec<String> = (0..100).map(|number| format!("group {number}")).collect();
    let bars: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), 1.0, None))
        .collect();
    let picture = top(&bars);
    let shown = words(&svg(|sheet| picture.draw(sheet)));
    let count = shown
        .iter()
        .filter(|word| word.starts_with("group "))
        .count();
    assert!(
        has(&shown, &format!("and {} more", 100 - count)),
        "{shown:?}"
    );
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = words(&svg(|sheet| series(&names, &[1.0; 10]).draw(sheet)));
    let count = shown
        .iter()
        .filter(|word| word.starts_with("group "))
        .count();
    assert!(
        has(&shown, &format!("and {} more", 100 - count)),
        "{shown:?}"
    );
}

#[test]
fn where_there_is_nothing_the_picture_says_so() {
    let nothing = [
        svg(|sheet| SeriesPicture::default().draw(sheet)),
        svg(|sheet| series(&["mail"], &[0.0; 10]).draw(sheet)),
        svg(|sheet| series(&["mail"], &[]).draw(sheet)),
        svg(|sheet| series(&["mail"], &[f64::NAN, -1.0]).draw(sheet)),
        svg(|sheet| TopPicture::default().draw(sheet)),
    ];
    for drawn in nothing {
        assert!(has(&words(&drawn), "No flows in this time."), "{drawn}");
    }
    let png = SeriesPicture::default()
        .draw(&sheet(Kind::Png, 320, 160))
        .unwrap();
    assert_eq!(Pixels::of(&png).size, (320, 160));
}

#[test]
fn what_was_before_what_is_missing_and_what_was_noted_is_shown() {
    let mut picture = series(&["mail"], &[3e6; 10]);
    let plain = Pixels::of(&picture.draw(&sheet(Kind::Png, 960, 480)).unwrap());
    picture.previous = series(&["mail"], &[1e6; 10]).lines;
    picture.missing = [[0.0; 9].as_slice(), &[1.0]].concat();
    picture.marks = vec![Mark {
        at: "2026-03-01T10:05:00Z".parse().unwrap(),
        text: "link down".to_owned(),
    }];
    let drawn = svg(|sheet| picture.draw(sheet));
    let shown = words(&drawn);
    for expected in [
        "dashed: the time before",
        "records still arrive",
        "link down",
    ] {
        assert!(has(&shown, expected), "{expected}: {shown:?}");
    }
    let pixels = Pixels::of(&picture.draw(&sheet(Kind::Png, 960, 480)).unwrap());
    let between = middle(grid(&drawn, "1"), grid(&drawn, "2"));
    assert_eq!(plain.at(940, between), [255, 255, 255]);
    // 22 % of #161b20 over white.
    assert_eq!(pixels.at(940, between), [204, 205, 206]);
    // The purple of notes, in the middle of a picture of an even number of minutes.
    let noted = (0..960).filter(|x| pixels.at(*x, between) == [0x7a, 0x2f, 0x92]);
    assert_eq!(noted.count(), 1);
}

#[test]
fn names_from_the_network_are_harmless() {
    let long = "x".repeat(1024);
    let names = [
        "<script>alert(1)</script>",
        "\" onload=\"alert(1)",
        "a\0b\u{1b}[31m\n\r\t",
        "exe\u{202e}gnp.doc",
        "]]>&amp;&lt;<!--",
        "\u{fffe}\u{ffff}\u{feff}",
        "",
        &long,
    ];
    let mut picture = series(&names, &[1.0; 10]);
    picture.title = format!("<b>{long}");
    picture.subtitle = "a\u{8}&b".to_owned();
    picture.marks = vec![Mark {
        at: picture.from + Duration::from_secs(300),
        text: names.concat(),
    }];
    let drawn = svg(|sheet| picture.draw(sheet));
    assert!(is_harmless(&drawn));
    let shown = words(&drawn);
    for expected in [
        "exe⟨202E⟩gnp.doc",
        "(no name)",
        "⟨FFFE⟩⟨FFFF⟩⟨FEFF⟩",
        "a⟨0008⟩&b",
    ] {
        assert!(has(&shown, expected), "{expected}: {shown:?}");
    }
    assert!(
        shown.iter().all(|word| word.chars().count() < 200),
        "{shown:?}"
    );
    let bars: Vec<_> = names.iter().map(|name| (*name, 1.0, None)).collect();
    let drawn = svg(|sheet| top(&bars).draw(sheet));
    assert!(is_harmless(&drawn) && has(&words(&drawn), "<script>alert(1)</script>"));
    let png = picture.draw(&sheet(Kind::Png, 640, 320)).unwrap();
    assert_eq!(Pixels::of(&png).size, (640, 320));
}

#[test]
fn the_same_input_gives_the_same_octets() {
    let picture = series(&["mail", "dns"], &[1.0, 5.0, 2.0, 0.3]);
    for kind in [Kind::Svg, Kind::Png] {
        let [one, other] = [(); 2].map(|()| picture.draw(&sheet(kind, 640, 320)).unwrap());
        assert!(one == other);
        let dark = Sheet::new(kind, 640, 320, Theme::Dark).unwrap();
        assert!(picture.draw(&dark).unwrap() != one);
    }
}

#[test]
fn a_large_picture_is_magnified() {
    let picture = series(&["mail"], &[3e6; 10]);
    let sizes = [(960, 480), (1920, 960), (4096, 160)].map(|(width, height)| {
        let drawn = picture.draw(&sheet(Kind::Svg, width, height)).unwrap();
        let drawn = String::from_utf8(drawn).unwrap();
        let document = Document::parse(&drawn).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("width"), Some(width.to_string().as_str()));
        root.attribute("viewBox").unwrap().to_owned()
    });
    assert_eq!(sizes, ["0 0 9600 4800", "0 0 9600 4800", "0 0 40960 1600"]);
    let png = picture.draw(&sheet(Kind::Png, 1920, 960)).unwrap();
    assert_eq!(Pixels::of(&png).size, (1920, 960));
}

#[test]
fn a_size_that_cannot_be_is_refused() {
    for (width, height) in [(319, 480), (960, 159), (4097, 480), (960, u32::MAX)] {
        let error = Sheet::new(Kind::Png, width, height, Theme::Light).unwrap_err();
        assert!(error.to_string().contains(&width.to_string()), "{error}");
    }
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![".{0,40}", "\\PC{0,40}", "[<>&\"'\\x00-\\x1f]{0,20}"]
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..1e12, any::<f64>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_is_drawn(
        lines in prop::collection::vec((any_name(), prop::collection::vec(any_value(), 0..40)), 0..12),
        notes in prop::collection::vec((any::<i64>(), any_name()), 0..5),
        (from, step) in (any::<i64>(), any::<u64>()),
        (width, height) in (WIDTH_MIN..700, HEIGHT_MIN..500),
        (stacked, is_png) in (any::<bool>(), prop::bool::weighted(0.1)),
        missing in prop::collection::vec(any_value(), 0..40),
    ) {
        let line = |(name, values): &(String, Vec<f64>)| Line { name: name.clone(), values: values.clone() };
        let picture = SeriesPicture {
            title: lines.iter().map(|(name, _)| name.as_str()).collect(),
            from: flow::Timestamp::from_nanos(from),
            step: Duration::from_nanos(step),
            stacked,
            lines: lines.iter().map(line).collect(),
            previous: lines.iter().skip(3).map(line).collect(),
            marks: notes.iter().map(|(at, text)| Mark {
                at: flow::Timestamp::from_nanos(*at),
                text: text.clone(),
            }).collect(),
            missing,
            ..SeriesPicture::default()
        };
        let kind = if is_png { Kind::Png } else { Kind::Svg };
        let sheet = Sheet::new(kind, width, height, Theme::Dark).unwrap();
        let drawn = picture.draw(&sheet).unwrap();
        if is_png {
            prop_assert_eq!(Pixels::of(&drawn).size, (width, height));
        } else {
            prop_assert!(is_harmless(std::str::from_utf8(&drawn).unwrap()));
        }
    }
}
