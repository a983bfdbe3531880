//! The program: everything is in the library, so that tests can reach it.

fn main() {
    let code = steadymask::cli::main();
    steadymask::process::exit_now(code as i32);
}
