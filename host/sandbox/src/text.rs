//! Texts that a guest gives, made fit for a log line, a terminal and an error.

/// Cuts a text at `max_bytes` and takes out what could steer a terminal or hide text.
///
/// Line breaks and tabs become blanks, other control characters (C0, C1) and the bidirectional
/// overrides are dropped.
pub fn clean(text: &str, max_bytes: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(max_bytes));
    for character in text.chars() {
        let kept = match character {
            '\n' | '\r' | '\t' => ' ',
            character if is_steering(character) => continue,
            character => character,
        };
        if cleaned.len() + kept.len_utf8() > max_bytes {
            break;
        }
        cleaned.push(kept);
    }
    cleaned
}

/// Whether a text holds a character that [`clean`] would change.
pub fn has_control(text: &str) -> bool {
    text.chars().any(is_steering)
}

fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The whole chain of an engine error in one line, without its backtrace.
pub fn engine_error(error: &wasmtime::Error) -> String {
    let parts: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|part| !part.starts_with("error while executing at wasm backtrace"))
        .collect();
    clean(&parts.join(": "), 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_out_what_steers_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{9b}d\u{202e}e", 100), "a[2Jb  cde");
        assert!(has_control("\u{7f}"));
        assert!(!has_control("Österreich 日本"));
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(clean("日本語", 7), "日本");
        assert_eq!(clean("abc", 0), "");
    }
}
