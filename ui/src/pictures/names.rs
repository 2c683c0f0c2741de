//! Names from the network as harmless text: what cannot be seen is made visible, what is too long is cut.

use super::lettering::Lettering;

/// Longest name that is looked at; the rest would only cost time.
const NAME_MAX: usize = 256;

/// Characters that do something instead of showing something, as in `web/src/lib/names.ts`, and those that XML refuses
/// ([XML 1.0 §2.2](https://www.w3.org/TR/xml/#charsets)).
fn is_unseen(character: char) -> bool {
    !flow::text::is_shown(character)
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The name with everything visible. The pages have pictures of control characters, which the font has not: they are written as
/// numbers here.
pub(super) fn harmless(name: &str) -> String {
    let mut shown = String::with_capacity(name.len().min(4 * NAME_MAX));
    // Nothing but space is as unseen as a control character.
    let is_space = name.trim().is_empty();
    let mut characters = name.chars();
    for character in characters.by_ref().take(NAME_MAX - 1) {
        match is_space || is_unseen(character) {
            true => shown += &format!("⟨{:04X}⟩", u32::from(character)),
            false => shown.push(character),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The name of a group; one that has none says so.
pub(super) fn of_group(name: &str) -> String {
    match name {
        "" => "(no name)".to_owned(),
        _ => harmless(name),
    }
}

/// As much of it as has room, with `…` where something is missing; nothing if not even that has room.
pub(super) fn fitted(text: &str, lettering: Lettering, width: f64) -> String {
    let text = text.trim();
    if lettering.width(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut fitting = None;
    for character in text.chars() {
        if lettering.width(&cut) + lettering.width("…") > width {
            break;
        }
        fitting = Some(cut.trim_end().to_owned() + "…");
        cut.push(character);
    }
    fitting.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::lettering::SMALL;
    use super::*;

    #[test]
    fn what_people_read_stays_as_it_is() {
        for name in [
            "orders",
            "Büro Köln",
            "会議",
            "<b>bold</b>",
            "🙂 smile",
            "a → b:443/tcp",
        ] {
            assert_eq!(harmless(name), name);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(harmless("a\0b\u{1b}[31m\n"), "a⟨0000⟩b⟨001B⟩[31m⟨000A⟩");
        assert_eq!(harmless("exe\u{202e}gnp.doc"), "exe⟨202E⟩gnp.doc");
        assert_eq!(harmless("\u{feff}\u{fffe}"), "⟨FEFF⟩⟨FFFE⟩");
        assert_eq!(harmless(" \u{a0}"), "⟨0020⟩⟨00A0⟩");
        assert_eq!(of_group(""), "(no name)");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(harmless(&"x".repeat(1024)).chars().count(), NAME_MAX);
        assert_eq!(harmless(&"x".repeat(255)).len(), 255);
        let room = SMALL.width("xxxxx…") + 0.01;
        assert_eq!(fitted("xxxxxxxxxxxx", SMALL, room), "xxxxx…");
        assert_eq!(fitted("xxx", SMALL, room), "xxx");
        assert_eq!(fitted("xxx", SMALL, 1.0), "");
    }
}
