//! File names from names that may hold anything.

/// Characters of a part that are kept; three parts, an extension and a digest stay below the host's
/// limit of 200 bytes.
const PART_MAX_CHARACTERS: usize = 48;

/// `text` as part of a file name: ASCII letters, digits, `-` and `_`. A part that had to be changed
/// gets a digest of the original, so that two different ones stay different.
pub(crate) fn part(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(fits) && text.len() <= PART_MAX_CHARACTERS {
        return text.to_owned();
    }
    let kept = text.chars().take(PART_MAX_CHARACTERS).map(|c| if fits(c) { c } else { '_' });
    format!("{}-{:016x}", kept.collect::<String>(), fnv1a(text.as_bytes()))
}

/// 64-bit FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay() {
        assert_eq!(part("Account"), "Account");
        assert_eq!(part("My_Object__c"), "My_Object__c");
    }

    #[test]
    fn other_names_are_made_safe_and_stay_apart() {
        assert!(part("a/b").starts_with("a_b-"));
        assert_ne!(part("a/b"), part("a_b"));
        assert_ne!(part("a/b"), part("a:b"));
        assert_eq!(part("").len(), 17);
        assert!(part(&"x".repeat(500)).len() < 70);
    }
}
