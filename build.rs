//! Tells the linker where the binary finds libtorch at run time: beside an installed
//! binary (`make install`), and in this checkout (`make setup`).

use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let torch_lib = Path::new(&root).join(".deps/site/torch/lib");
    println!("cargo::rerun-if-changed=build.rs");
    // As words of their own: `-Wl,` would part a path at its commas. The second and third
    // are where a binary under `target` finds the checkout's, also when it was moved.
    let absolute = torch_lib.display().to_string();
    for folder in [
        "$ORIGIN/../lib/steadymask/torch/lib",
        "$ORIGIN/../../.deps/site/torch/lib",
        "$ORIGIN/../../../.deps/site/torch/lib",
        &absolute,
    ] {
        for word in ["-Xlinker", "-rpath", "-Xlinker", folder] {
            println!("cargo::rustc-link-arg={word}");
        }
    }

    // What the networks' manifests record. torch has no function that tells it.
    let header = Path::new(&root).join(".deps/site/torch/include/torch/headeronly/version.h");
    println!("cargo::rerun-if-changed={}", header.display());
    let version = std::fs::read_to_string(&header).ok().and_then(|text| {
        let (_, rest) = text.split_once("#define TORCH_VERSION ")?;
        rest.split('"').nth(1).map(String::from)
    });
    println!("cargo::rustc-env=STEADYMASK_TORCH_VERSION={}", version.as_deref().unwrap_or("unknown"));
}
