//! Holds the code to the invariants of absence in `ARCHITECTURE.md`.

use std::{fs, path::Path};

/// Every Rust file under `src`, with its path from there.
fn sources() -> Vec<(String, String)> {
    fn visit(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    visit(&root, &root, &mut found);
    assert!(found.len() > 20, "the sources are where this test looks");
    found
}

/// The code before the unit tests, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
}

/// Files outside `allowed` that use one of `words` as the beginning of a path.
fn users_of(words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let uses = |line: &str| {
        words.iter().any(|word| {
            line.match_indices(word).any(|(at, _)| {
                !line[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
            })
        })
    };
    let guilty = sources().into_iter().filter(|(name, text)| !allowed(name) && code(text).any(uses));
    guilty.map(|(name, _)| name).collect()
}

fn nobody(users: Vec<String>) {
    assert!(users.is_empty(), "{users:?}");
}

#[test]
fn only_the_window_knows_egui() {
    nobody(users_of(&["egui::", "eframe::", "egui_plot::", "rfd::"], |name| name.starts_with("app/")));
}

#[test]
fn only_torchscript_knows_tch() {
    nobody(users_of(&["tch::", "use tch"], |name| name.starts_with("segment/torchscript")));
    assert!(!users_of(&["tch::", "use tch"], |_| false).is_empty(), "the test finds what it looks for");
}

#[test]
fn smoothing_and_metrics_do_no_io() {
    let elsewhere = |name: &str| !name.starts_with("smooth/") && !name.starts_with("metrics/");
    nobody(users_of(&["std::fs", "std::io", "std::net", "std::process", "opencv::", "println!"], elsewhere));
}

/// `a ← b`: b may use a. A layer may use itself and those before it.
const LAYERS: [&[&str]; 7] = [
    &["frame", "mask", "region", "process", "simd", "stages"],
    &["video", "segment", "flow", "smooth", "metrics"],
    &["store", "export", "project"],
    &["pipeline"],
    &["jobs"],
    &["app", "cli", "service"],
    &["main", "lib"],
];

#[test]
fn layers_use_only_those_before_them() {
    let layer_of = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    for (name, text) in sources() {
        let module = name.split(['/', '.']).next().unwrap_or_default();
        let layer = layer_of(module)
            .unwrap_or_else(|| panic!("{name} is in no layer: name it here and in ARCHITECTURE.md"));
        for line in code(&text) {
            for (at, _) in line.match_indices("crate::") {
                let used = &line[at + "crate::".len()..];
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                // `use crate::{a, b}` is formatted one module a line, below.
                let Some(used_layer) = layer_of(used) else { continue };
                assert!(used_layer <= layer, "{name} uses {used}, which is above it");
            }
        }
        for used in grouped_imports(&text) {
            let Some(used_layer) = layer_of(&used) else { continue };
            assert!(used_layer <= layer, "{name} uses {used}, which is above it");
        }
    }
}

/// The modules named in `use crate::{…}` blocks.
fn grouped_imports(text: &str) -> Vec<String> {
    let text: String = code(text).flat_map(|line| [line, "\n"]).collect();
    let mut found = Vec::new();
    for (at, start) in text.match_indices("use crate::{") {
        let mut depth = 1;
        let mut word = String::new();
        for c in text[at + start.len()..].chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
            } else {
                // Only the first word of each path at the outer level is a module of the crate.
                if !word.is_empty() && depth == 1 && matches!(c, ':' | ',' | '\n')
                    || (depth == 0 && !word.is_empty())
                {
                    found.push(std::mem::take(&mut word));
                }
                word.clear();
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn the_layers_of_this_test_are_those_of_the_architecture() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    for module in LAYERS.concat() {
        assert!(text.contains(module), "ARCHITECTURE.md names {module}");
    }
}
