//! The command `tandem`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "simulator") {
        return tandem::simulator::run(arguments);
    }
    ExitCode::SUCCESS
}
