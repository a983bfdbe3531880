//! Tells the linker where the engine finds libtorch at run time (beside an installed one, and in
//! this checkout), and keeps both out of the program that only loads the engine.

use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let torch_lib = Path::new(&root).join(".deps/site/torch/lib");
    println!("cargo::rerun-if-changed=build.rs");
    // As words of their own: `-Wl,` would part a path at its commas. The second and third
    // are where what lies under `target` finds the checkout's, also when it was moved.
    let absolute = torch_lib.display().to_string();
    for folder in [
        "$ORIGIN/torch/lib",
        "$ORIGIN/../../.deps/site/torch/lib",
        "$ORIGIN/../../../.deps/site/torch/lib",
        &absolute,
    ] {
        for word in ["-Xlinker", "-rpath", "-Xlinker", folder] {
            println!("cargo::rustc-link-arg={word}");
        }
    }
    // Templates that the libraries have too would be kept, with all that they use, for the
    // libraries to find; and there is nothing to debug in a few lines.
    println!("cargo::rustc-link-arg-bins=-Wl,--exclude-libs,ALL,--strip-debug");

    // What the networks' manifests record. torch has no function that tells it.
    let header = Path::new(&root).join(".deps/site/torch/include/torch/headeronly/version.h");
    println!("cargo::rerun-if-changed={}", header.display());
    let version = std::fs::read_to_string(&header).ok().and_then(|text| {
        let (_, rest) = text.split_once("#define TORCH_VERSION ")?;
        rest.split('"').nth(1).map(String::from)
    });
    println!("cargo::rustc-env=STEADYMASK_TORCH_VERSION={}", version.as_deref().unwrap_or("unknown"));
}
