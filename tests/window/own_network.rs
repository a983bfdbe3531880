//! A network of one's own.

use std::fs;

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;

use crate::workbench::{alone, click, drop_on, fill, until, window_with_light_and_dark};

#[test]
fn a_network_of_one_s_own_is_described_and_trusted_first() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_light_and_dark(folder.path());
    let pt = folder.path().join("mine.pt");
    fs::write(&pt, b"a program").unwrap();
    drop_on(&mut window, &pt);
    until(&mut window, "a form", |window| window.query_by_label("What does this network expect?").is_some());
    window.get_by_label_contains("mine.json");
    fill(&mut window, "Classes", "sky, sea, sky");
    window.get_by_label_contains("two classes have the same name");
    fill(&mut window, "Classes", "sky, sea");
    click(&mut window, "Save");
    until(&mut window, "a question", |window| window.query_by_label("Run this network?").is_some());
    let json = fs::read_to_string(folder.path().join("mine.json")).unwrap();
    assert!(json.contains("\"sea\""), "{json}");
    // `printf 'a program' | sha256sum`
    window.get_by_label_contains("SHA-256 ");
    window.get_by_label(pt.to_str().unwrap());
    click(&mut window, "Don't run");
    window.get_by_role_and_label(Role::ComboBox, "Network").click();
    window.run_steps(4);
    window.get_by_label("coarse");
    assert!(window.query_by_label("mine").is_none(), "it is not offered");
}
