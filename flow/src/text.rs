//! Text that somebody else wrote.

/// Whether a character can be shown, and leaves the others of its line where they are: no control character, no separator of lines
/// or paragraphs, and none that turns the direction of writing
/// ([Unicode UAX #9](https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters)).
///
/// ```
/// assert!(flow::text::is_shown('ü'));
/// assert!(!flow::text::is_shown('\u{202e}'));
/// ```
pub fn is_shown(character: char) -> bool {
    let moves_others = matches!(character,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !character.is_control() && !moves_others
}
