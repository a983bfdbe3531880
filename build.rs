//! Tells the linker where the binary finds libtorch at run time: beside an installed
//! binary (`make install`), and in this checkout (`make setup`).

use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let torch_lib = Path::new(&root).join(".deps/site/torch/lib");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/steadymask/torch/lib");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", torch_lib.display());
    println!("cargo::rustc-env=STEADYMASK_TORCH_LIB={}", torch_lib.display());

    // What the networks' manifests record. torch has no function that tells it.
    let header = Path::new(&root).join(".deps/site/torch/include/torch/headeronly/version.h");
    println!("cargo::rerun-if-changed={}", header.display());
    let version = std::fs::read_to_string(&header).ok().and_then(|text| {
        let (_, rest) = text.split_once("#define TORCH_VERSION ")?;
        rest.split('"').nth(1).map(String::from)
    });
    println!("cargo::rustc-env=STEADYMASK_TORCH_VERSION={}", version.as_deref().unwrap_or("unknown"));
}
