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
}
