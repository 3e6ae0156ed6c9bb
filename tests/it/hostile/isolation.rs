//! What one run leaves to the next, and what a run finds of the host: nothing.

use model::{Limits, Outcome};

use super::{SHORT, verdicts};
use crate::support::{House, alone, guest};

#[test]
fn no_run_finds_what_another_left_in_memory_tables_or_globals() {
    let house = House::with(|config| config.runs = 1);
    let writer = house.prepare(&guest::named("leaves_a_secret"));
    let readers =
        ["looks_for_a_secret", "looks_for_a_secret_in_what_it_grows"].map(|name| house.prepare(&guest::named(name)));
    // A machine that stands still for a second must not fail one of four thousand runs.
    let patient = Limits { wall_time: Limits::CAPS.wall_time, cpu_time: Limits::CAPS.cpu_time, ..Limits::DEFAULT };
    for round in 0..2_000 {
        for prepared in [&writer, &readers[round % 2]] {
            let run = house.run(prepared, &patient);
            assert!(matches!(run.outcome, Outcome::Reply(_)), "round {round}: {run:?}");
        }
    }
}

#[test]
fn a_guest_finds_no_argument_but_its_name_no_variable_no_directory_no_socket_and_no_fine_clock() {
    alone(|| {
        let many = Limits { host_calls: Limits::CAPS.host_calls, ..Limits::DEFAULT };
        let cases = [
            ("asks_for_what_it_was_not_given", SHORT),
            ("command_accepts_a_connection", SHORT),
            ("measures_the_clock", many),
        ];
        insta::assert_snapshot!(verdicts(&cases), @r#"
        asks_for_what_it_was_not_given: reply {"status":true,"response":["ok"]}
        command_accepts_a_connection: reply_empty: the reply has no message: the handler wrote nothing
        measures_the_clock: reply {"status":true,"response":["ok"]}
        "#);
    });
}
