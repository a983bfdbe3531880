//! Paths as text: every file name that the system allows has one, on one line, and the text
//! leads back to it.
//!
//! Most paths are their own text. A backslash is written twice; a byte that is no UTF-8, and a
//! control character such as a line break, is `\x` and two hexadecimal digits.

use std::{
    ffi::OsString,
    fmt::Write as _,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

/// The path as text.
pub fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| escape(&mut text, byte));
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&byte| escape(&mut text, byte));
    }
    text
}

fn escape(text: &mut String, byte: u8) {
    // Writing to a string does not fail.
    let _ = write!(text, "\\x{byte:02x}");
}

/// The path of such a text. What is no escape stands for itself.
pub fn text_path(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match after {
            [b'\\', ..] if first == b'\\' => Some((b'\\', 1)),
            [b'x', digits @ ..] if first == b'\\' => {
                let digits = digits.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(|byte| (byte, 3))
            }
            _ => None,
        };
        let (byte, skip) = escaped.unwrap_or((first, 0));
        bytes.push(byte);
        rest = &after[skip..];
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_usual_name_is_its_own_text() {
        for name in ["a b.jpg", "кадр «1».png", "100%_+,;\"'.mp4"] {
            assert_eq!(path_text(Path::new(name)), name);
        }
        let odd = PathBuf::from(OsString::from_vec(b"a\xff\n\\x41.jpg".to_vec()));
        assert_eq!(path_text(&odd), r"a\xff\x0a\\x41.jpg");
    }

    proptest! {
        #[test]
        fn every_name_survives_on_one_line(bytes: Vec<u8>) {
            let path = PathBuf::from(OsString::from_vec(bytes));
            let text = path_text(&path);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(text_path(&text), path);
        }
    }
}
