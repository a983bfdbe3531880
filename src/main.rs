fn main() {
    let code = steadymask::cli::main();
    steadymask::cli::leave(code);
}
