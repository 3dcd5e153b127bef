//! SQL's LIKE: `%` stands for any text, `_` for one character, `\` takes the next one as it is.

/// A pattern, read once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    ignore_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece {
    AnyText,
    AnyCharacter,
    Character(char),
}

impl Pattern {
    pub(crate) fn new(text: &str, ignore_case: bool) -> Self {
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let piece = match character {
                '%' if pieces.last() == Some(&Piece::AnyText) => continue,
                '%' => Piece::AnyText,
                '_' => Piece::AnyCharacter,
                '\\' => Piece::Character(characters.next().unwrap_or('\\')),
                other => Piece::Character(other),
            };
            pieces.push(piece);
        }
        Pattern { pieces, ignore_case }
    }

    /// Whether the whole of `text` matches. Takes at most (pattern × text) steps, because only the
    /// last `%` is ever tried again.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut piece = 0;
        let mut rest = text.chars();
        let mut retry = None;
        loop {
            match self.pieces.get(piece) {
                Some(Piece::AnyText) => {
                    retry = Some((piece + 1, rest.clone()));
                    piece += 1;
                    continue;
                }
                None if rest.as_str().is_empty() => return true,
                Some(wanted) => {
                    let mut ahead = rest.clone();
                    if ahead.next().is_some_and(|found| self.fits(*wanted, found)) {
                        rest = ahead;
                        piece += 1;
                        continue;
                    }
                }
                None => {}
            }
            let Some((after, mut from)) = retry.take() else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            retry = Some((after, from.clone()));
            (piece, rest) = (after, from);
        }
    }

    fn fits(&self, wanted: Piece, found: char) -> bool {
        match wanted {
            Piece::Character(wanted) if self.ignore_case => wanted.to_lowercase().eq(found.to_lowercase()),
            Piece::Character(wanted) => wanted == found,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_sql() {
        for (pattern, text, expected) in [
            ("A%", "Acme", true),
            ("A%", "acme", false),
            ("%me", "Acme", true),
            ("A_me", "Acme", true),
            ("A_me", "Ame", false),
            ("%c%e", "Accce", true),
            ("%ab", "aab", true),
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("_ö_", "Zöe", true),
        ] {
            assert_eq!(Pattern::new(pattern, false).matches(text), expected, "{pattern} / {text}");
        }
        assert!(Pattern::new("a%É", true).matches("Allé"));
    }

    #[test]
    fn a_hostile_pattern_is_still_quick() {
        let text = "a".repeat(2_000);
        assert!(!Pattern::new(&"%a".repeat(200).replace("%a%a", "%a_%a"), false).matches(&format!("{}b", &text)));
    }
}
