//! Tells the linker where the program and its tests find libtorch at run time: beside an installed
//! program, or in this checkout. Every member of the workspace shares this script.

#![allow(clippy::panic, reason = "a build script has no other way to say what is wrong")]

use std::path::Path;

fn main() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(root) = package.ancestors().find(|folder| folder.join("Cargo.lock").is_file()) else {
        panic!("{}: no folder above it has a Cargo.lock", package.display());
    };
    println!("cargo::rerun-if-changed={}", root.join("build.rs").display());
    let torch_lib = root.join(".deps/site/torch/lib").display().to_string();
    // As words of their own: `-Wl,` would part a path at its commas. The second and third
    // are where what lies under `target` finds the checkout's, also when it was moved.
    for folder in [
        "$ORIGIN/torch/lib",
        "$ORIGIN/../../.deps/site/torch/lib",
        "$ORIGIN/../../../.deps/site/torch/lib",
        &torch_lib,
    ] {
        for word in ["-Xlinker", "-rpath", "-Xlinker", folder] {
            println!("cargo::rustc-link-arg={word}");
        }
    }
    if env!("CARGO_PKG_NAME") == "steadymask" {
        // Templates that the libraries have too would be kept, with all that they use, for the
        // libraries to find; and there is nothing to debug in a few lines.
        println!("cargo::rustc-link-arg-bins=-Wl,--exclude-libs,ALL,--strip-debug");
    }

    // What the networks' manifests record. torch has no function that tells it.
    let header = root.join(".deps/site/torch/include/torch/headeronly/version.h");
    println!("cargo::rerun-if-changed={}", header.display());
    let version = std::fs::read_to_string(&header).ok().and_then(|text| {
        let (_, rest) = text.split_once("#define TORCH_VERSION ")?;
        rest.split('"').nth(1).map(String::from)
    });
    println!("cargo::rustc-env=STEADYMASK_TORCH_VERSION={}", version.as_deref().unwrap_or("unknown"));
}
