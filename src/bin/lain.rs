//! See `lain::cli`.

fn main() -> std::process::ExitCode {
    lain::cli::lain_as_called()
}
