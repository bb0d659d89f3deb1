//! The program `tandem`: reads the command line and leaves the rest to the library.

use std::process::ExitCode;

use tandem::cli::{self, Invocation};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Invocation::Simulator(arguments) => tandem::simulator::run(arguments),
        Invocation::Command(command_line) => cli::run(*command_line),
    }
}
