//! Holds the code to «What must not be» in `ARCHITECTURE.md`.
//!
//! What a member of the workspace may use stands in its `Cargo.toml`, so the compiler refuses most of
//! what must not be. This test refuses that somebody writes it into a `Cargo.toml`; it reads all of the
//! code too, so that what is within reach and still must not be used is found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::visit::{self, Visit};

/// A Rust file, by its path from `src`, with all paths that its code outside of tests names, such as
/// `std::fs::read` or `egui::Ui`. A path of several words stands there word for word.
struct Source {
    name: String,
    paths: BTreeSet<String>,
}

impl Source {
    fn parse(name: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut paths = Paths::default();
        paths.visit_file(&file);
        let Paths { mut imported, named, local } = paths;
        // `video::Clip` after `use opencv::video` is none of ours.
        imported.extend(named.into_iter().filter(|path| !local.contains(path.split("::").next().unwrap())));
        Self { name: name.to_owned(), paths: imported }
    }

    /// Whether it uses the crate, the module or the item that `path` names.
    fn uses(&self, path: &str) -> bool {
        self.paths.iter().any(|used| used == path || used.starts_with(&format!("{path}::")))
    }
}

#[derive(Default)]
struct Paths {
    /// Of `use`.
    imported: BTreeSet<String>,
    /// Of two words or more, anywhere else.
    named: BTreeSet<String>,
    /// Names that `use` and `mod` have made.
    local: BTreeSet<String>,
}

impl Paths {
    /// Each path of a tree such as `a::{b, c::d}` alone.
    fn add_tree(&mut self, before: &str, tree: &syn::UseTree) {
        let join = |name: &syn::Ident| match before {
            "" => name.to_string(),
            _ => format!("{before}::{name}"),
        };
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&join(&path.ident), &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
            syn::UseTree::Name(name) => {
                self.imported.insert(join(&name.ident));
                let is_module_itself = name.ident == "self";
                let own = before.rsplit("::").next().unwrap().to_owned();
                self.local.insert(if is_module_itself { own } else { name.ident.to_string() });
            }
            syn::UseTree::Rename(rename) => {
                self.imported.insert(join(&rename.ident));
                self.local.insert(rename.rename.to_string());
            }
            syn::UseTree::Glob(_) => drop(self.imported.insert(before.to_owned())),
        }
    }
}

/// Whether one of the attributes is `#[test]` or a `#[cfg(…)]` that names `test` without a `not`.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        _ => false,
    })
}

impl<'a> Visit<'a> for Paths {
    fn visit_item(&mut self, item: &'a syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        self.local.insert(item.ident.to_string());
        visit::visit_item_mod(self, item);
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.add_tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let words: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if words.len() > 1 {
            self.named.insert(words.join("::"));
        }
        visit::visit_path(self, path);
    }

    /// What is given to a macro is code too, as a rule, and is read word for word.
    fn visit_macro(&mut self, call: &'a syn::Macro) {
        visit::visit_path(self, &call.path);
        let name: Vec<_> = call.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.named.insert(format!("{}!", name.join("::")));
        let text = call.tokens.to_string().replace(' ', "");
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            if word.contains("::") {
                self.named.insert(word.trim_matches(':').to_owned());
            }
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `src` but those with tests alone.
fn sources() -> Vec<Source> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut found = Vec::new();
    visit(&src, &mut found);
    assert!(found.len() > 100, "the sources are where this test looks");
    let is_tests =
        |path: &Path| path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    found
        .iter()
        .filter(|path| !is_tests(path))
        .map(|path| {
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
            Source::parse(name, &fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The rooms from the ground up: whoever stands in one may use those that stand before it.
fn layers(architecture: &str) -> Vec<Vec<String>> {
    let line = architecture.lines().find(|line| line.matches('←').count() > 3);
    let line = line.expect("ARCHITECTURE.md has a line of layers");
    let words = |layer: &str| layer.split_whitespace().map(String::from).collect();
    line.split('←').map(|layer| words(&layer.replace(['{', '}'], " "))).collect()
}

/// What each room uses of the others, as its `Cargo.toml` says. The root is `lib`.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let read = |path: PathBuf| -> toml::Table { fs::read_to_string(path).unwrap().parse().unwrap() };
    let workspace = read(root().join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let rooms: BTreeSet<String> =
        members.iter().map(|member| member.as_str().unwrap().trim_start_matches("src/").to_owned()).collect();
    let used = |manifest: &toml::Table| -> Vec<String> {
        let dependencies = manifest["dependencies"].as_table().unwrap();
        dependencies.keys().filter(|name| rooms.contains(*name)).cloned().collect()
    };
    let of_room =
        |room: &String| (room.clone(), used(&read(root().join("src").join(room).join("Cargo.toml"))));
    let mut all: BTreeMap<_, _> = rooms.iter().map(of_room).collect();
    all.insert("lib".into(), used(&workspace));
    all
}

/// Arrows that lead against the layers, and rooms that stand in none.
fn against(layers: &[Vec<String>], arrows: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let layer_of = |room: &str| layers.iter().position(|layer| layer.iter().any(|other| other == room));
    let mut found = Vec::new();
    for (room, used) in arrows {
        let Some(layer) = layer_of(room) else {
            found.push(format!("{room} stands in no layer"));
            continue;
        };
        for other in used {
            if layer_of(other).is_none_or(|below| below >= layer) {
                found.push(format!("{room} uses {other}"));
            }
        }
    }
    found
}

/// The rooms that each room's code names.
fn named(sources: &[Source], rooms: &BTreeSet<String>) -> BTreeMap<String, Vec<String>> {
    let mut arrows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        let room = source.name.split(['/', '.']).next().unwrap();
        let used = rooms.iter().filter(|other| *other != room && source.uses(other));
        arrows.entry(room.to_owned()).or_default().extend(used.cloned());
    }
    arrows
}

#[test]
fn rooms_use_only_those_that_stand_before_them() {
    let layers = layers(&fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap());
    let dependencies = dependencies();
    assert_eq!(against(&layers, &dependencies), [""; 0], "in a Cargo.toml");
    let rooms: BTreeSet<String> =
        dependencies.keys().filter(|room| *room != "lib" && *room != "cli").cloned().collect();
    assert_eq!(against(&layers, &named(&sources(), &rooms)), [""; 0], "in the code");
}

#[test]
fn an_arrow_against_the_layers_is_found() {
    let layers = layers("base ← { video flow } ← plan ← cli ← lib");
    assert_eq!(layers[1], ["video", "flow"]);
    let inside = "fn f() { if true { use plan::Plan; let _: Option<Plan> = None; } }";
    let rooms: BTreeSet<String> = ["base", "video", "flow", "plan", "cli"].map(String::from).into();
    let arrows = named(&[Source::parse("flow/pair.rs", inside)], &rooms);
    assert_eq!(against(&layers, &arrows), ["flow uses plan"]);
    let arrows =
        named(&[Source::parse("flow/pair.rs", "#[cfg(test)] mod tests { use plan::Plan; }")], &rooms);
    assert_eq!(against(&layers, &arrows), [""; 0], "tests may look everywhere");
    let exchanged = self::layers("plan ← base ← { video flow } ← cli ← lib");
    let arrows = BTreeMap::from([("plan".to_owned(), vec!["base".to_owned()])]);
    assert_eq!(against(&layers, &arrows), [""; 0]);
    assert_eq!(against(&exchanged, &arrows), ["plan uses base"]);
}

/// Paths that only some may use: what for, the paths, and where.
const RESERVED: [(&str, &[&str], &[&str]); 3] = [
    ("only the window knows egui", &["egui", "eframe", "egui_plot", "rfd"], &["app/"]),
    ("only torchscript knows tch", &["tch"], &["segment/torchscript"]),
    ("OpenCV is for pictures", &["opencv"], &["video/", "segment/", "flow/", "export/"]),
];

/// Paths that some must not use: what for, the paths, and where not.
const FORBIDDEN: [(&str, &[&str], &[&str]); 1] = [(
    "smoothing, metrics and the plan do no IO",
    &["std::fs", "std::io", "std::net", "std::process", "println!", "eprintln!"],
    &["smooth/", "metrics/", "plan/steps", "plan/lib"],
)];

fn broken(sources: &[Source]) -> Vec<String> {
    let is_in = |source: &Source, places: &[&str]| places.iter().any(|place| source.name.starts_with(place));
    let mut found = Vec::new();
    for source in sources {
        for (rule, paths, places) in RESERVED {
            let used = paths.iter().filter(|path| source.uses(path) && !is_in(source, places));
            found.extend(used.map(|path| format!("{rule}: {} uses {path}", source.name)));
        }
        for (rule, paths, places) in FORBIDDEN {
            let used = paths.iter().filter(|path| source.uses(path) && is_in(source, places));
            found.extend(used.map(|path| format!("{rule}: {} uses {path}", source.name)));
        }
    }
    found
}

#[test]
fn what_must_not_be_used_is_not_used() {
    let sources = sources();
    assert_eq!(broken(&sources), [""; 0]);
    for (rule, paths, _) in RESERVED {
        let is_used = sources.iter().any(|source| paths.iter().any(|path| source.uses(path)));
        assert!(is_used, "the test finds what it looks for: {rule}");
    }
}

#[test]
fn what_must_not_be_used_is_found() {
    for (name, text) in [
        ("metrics/meter.rs", "use egui::Ui;"),
        ("metrics/meter.rs", "fn f(ui: &mut egui::Ui) {}"),
        ("pipeline/run.rs", "fn f() { let _ = tch::no_grad(|| ()); }"),
        ("pipeline/run.rs", "use tch as torch;"),
        ("smooth/median.rs", "use {std::{fs::read, sync::Arc}};"),
        ("smooth/median.rs", "fn f() { println!(\"{}\", 1); }"),
        ("metrics/lag.rs", "fn f() { assert!(std::fs::exists(\"a\").is_ok()); }"),
        ("plan/steps.rs", "mod inner { fn f() { std::fs::write(\"a\", \"b\"); } }"),
        ("jobs/pool.rs", "use opencv::core::Mat;"),
    ] {
        assert_eq!(broken(&[Source::parse(name, text)]).len(), 1, "{name}: {text}");
    }
    let test = Source::parse(
        "smooth/median.rs",
        "#[cfg(test)] mod tests { use std::fs; } #[test] fn t() { std::fs::x() }",
    );
    assert_eq!(broken(&[test]), [""; 0]);
}
