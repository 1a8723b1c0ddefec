//! `ipamctl`; what it does is in the library.

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let code = ctl::run().await;
    // Not by return: a thread may still wait for a line of stdin.
    std::process::exit(code);
}
