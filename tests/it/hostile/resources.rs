//! Corpus B: CPU, time, stack and memory.

use std::time::Duration;

use model::{Cause, Limits, Outcome};
use sandbox::Grants;
use tokio_util::sync::CancellationToken;

use super::{IMPATIENT, SHORT, verdicts, verdicts_on};
use crate::support::{House, alone, guest};

#[test]
fn a_guest_that_never_ends_is_ended_by_the_limit_that_it_hit() {
    alone(|| {
        let cases = [
            ("loops", SHORT),
            ("loops_at_the_start", SHORT),
            ("fills_memory_for_ever", SHORT),
            ("loops_by_tail_calls", SHORT),
            ("loops_in_a_destructor", SHORT),
            ("recurses_for_ever", SHORT),
            ("loops", Limits { cpu_time: Duration::from_secs(1), ..IMPATIENT }),
            ("sleeps_ten_minutes", IMPATIENT),
            ("polls_timers_for_ever", Limits::DEFAULT),
            ("asks_the_time_for_ever", Limits::DEFAULT),
            ("command_breaks_off_to_sleep", IMPATIENT),
        ];
        insta::assert_snapshot!(verdicts(&cases), @"
        loops: out_of_cpu: it computed for longer than 100ms
        loops_at_the_start: out_of_cpu: it computed for longer than 100ms
        fills_memory_for_ever: out_of_cpu: it computed for longer than 100ms
        loops_by_tail_calls: out_of_cpu: it computed for longer than 100ms
        loops_in_a_destructor: out_of_cpu: it computed for longer than 100ms
        recurses_for_ever: out_of_stack: it recursed deeper than its stack [stack_overflow]
        loops: out_of_time: it did not answer within 200ms
        sleeps_ten_minutes: out_of_time: it did not answer within 200ms
        polls_timers_for_ever: too_many_calls: it called the host more than 10000 times
        asks_the_time_for_ever: too_many_calls: it called the host more than 10000 times
        command_breaks_off_to_sleep: out_of_time: it did not answer within 200ms
        ");
    });
}

#[test]
fn memory_and_tables_are_counted_together() {
    alone(|| {
        let small = |memory_bytes| Limits { memory_bytes, ..SHORT };
        let cases = [
            ("grows_until_refused", Limits::DEFAULT),
            ("gives_up_when_refused", SHORT),
            ("gives_up_for_another_reason", SHORT),
            ("grows_past_its_own_maximum", SHORT),
            ("starts_with_much_memory", SHORT),
            ("starts_with_eight_memories", SHORT),
            ("starts_with_eight_memories", small(128 << 20)),
            ("grows_two_memories", SHORT),
            ("grows_two_memories", small(96 << 20)),
            ("grows_a_table_until_refused", Limits::DEFAULT),
            ("starts_with_large_tables", small(4 << 20)),
            ("starts_with_large_tables", small(16 << 20)),
        ];
        insta::assert_snapshot!(verdicts(&cases), @r#"
        grows_until_refused: reply {"status":true,"response":["ok"]}
        gives_up_when_refused: out_of_memory: it needs more memory than 64.0 MiB [unreachable_code_reached]
        gives_up_for_another_reason: trap: wasm `unreachable` instruction executed [unreachable_code_reached]
        grows_past_its_own_maximum: trap: wasm `unreachable` instruction executed [unreachable_code_reached]
        starts_with_much_memory: out_of_memory: it needs more memory than 64.0 MiB
        starts_with_eight_memories: out_of_memory: it needs more memory than 64.0 MiB
        starts_with_eight_memories: reply {"status":true,"response":["ok"]}
        grows_two_memories: out_of_memory: it needs more memory than 64.0 MiB [unreachable_code_reached]
        grows_two_memories: reply {"status":true,"response":["ok"]}
        grows_a_table_until_refused: reply {"status":true,"response":["ok"]}
        starts_with_large_tables: out_of_memory: it needs more memory than 4.0 MiB
        starts_with_large_tables: reply {"status":true,"response":["ok"]}
        "#);
    });
}

#[test]
fn every_trap_has_its_code() {
    alone(|| {
        let table = "(table 4 funcref) (type $other (func (param f64))) (elem (i32.const 1) func $some) (func $some)";
        let nothing = "(type $none (func))";
        let cases = [
            ("unreachable", guest::handling("", "unreachable")),
            ("division by zero", guest::handling("", "(i32.div_u (i32.const 1) (i32.const 0))")),
            ("overflow", guest::handling("", "(i32.div_s (i32.const 0x80000000) (i32.const -1))")),
            ("conversion", guest::handling("", "(i32.trunc_f32_s (f32.const nan))")),
            ("load", guest::handling("", "(i32.load (i32.const 65533))")),
            ("load far away", guest::handling("", "(i32.load offset=0xffffffff (i32.const -1))")),
            ("store", guest::handling("", "(i64.store (i32.const -8) (i64.const 1)) call $reply")),
            ("fill", guest::handling("", "(memory.fill (i32.const 1) (i32.const 1) (i32.const -1)) call $reply")),
            (
                "null",
                guest::handling(
                    &format!("{table} {nothing}"),
                    "(call_indirect (type $none) (i32.const 0)) call $reply",
                ),
            ),
            (
                "element",
                guest::handling(
                    &format!("{table} {nothing}"),
                    "(call_indirect (type $none) (i32.const 4)) call $reply",
                ),
            ),
            (
                "signature",
                guest::handling(table, "(call_indirect (type $other) (f64.const 0) (i32.const 1)) call $reply"),
            ),
            ("table", guest::handling(table, "(table.set (i32.const 9) (ref.null func)) call $reply")),
            (
                "init",
                guest::handling(
                    "(data $d \"abc\")",
                    "(memory.init $d (i32.const 0) (i32.const 2) (i32.const 2)) call $reply",
                ),
            ),
        ];
        insta::assert_snapshot!(verdicts_on(&cases), @"
        unreachable: trap: wasm `unreachable` instruction executed [unreachable_code_reached]
        division by zero: trap: integer divide by zero [integer_division_by_zero]
        overflow: trap: integer overflow [integer_overflow]
        conversion: trap: invalid conversion to integer [bad_conversion_to_integer]
        load: trap: out of bounds memory access [memory_out_of_bounds]
        load far away: trap: out of bounds memory access [memory_out_of_bounds]
        store: trap: out of bounds memory access [memory_out_of_bounds]
        fill: trap: out of bounds memory access [memory_out_of_bounds]
        null: trap: uninitialized element [indirect_call_to_null]
        element: trap: undefined element: out of bounds table access [table_out_of_bounds]
        signature: trap: indirect call type mismatch [bad_signature]
        table: trap: undefined element: out of bounds table access [table_out_of_bounds]
        init: trap: out of bounds memory access [memory_out_of_bounds]
        ");
    });
}

#[test]
fn a_host_function_has_its_own_room_on_the_stack() {
    alone(|| {
        insta::assert_snapshot!(verdicts(&[("recurses_deep_and_calls_the_host", SHORT)]), @r#"recurses_deep_and_calls_the_host: reply {"status":true,"response":["ok"]}"#);
    });
}

#[test]
fn waiting_costs_no_cpu_time_and_usage_says_so() {
    let house = House::open();
    let run =
        house.try_out("computes_after_a_sleep", &Limits { cpu_time: Duration::from_millis(40), ..Limits::DEFAULT });
    assert!(matches!(run.outcome, Outcome::Reply(_)), "{run:?}");
    assert!(
        run.usage.wall_time >= Duration::from_millis(50) && run.usage.cpu_time < Duration::from_millis(40),
        "{run:?}"
    );
    let run = house.try_out("grows_until_refused", &Limits::DEFAULT);
    assert_eq!(run.usage.memory_bytes, 64 << 20, "{run:?}");
    let run = house.try_out("loops", &SHORT);
    assert!(run.usage.cpu_time >= SHORT.cpu_time && run.usage.wall_time >= run.usage.cpu_time, "{run:?}");
}

#[test]
fn at_the_very_edge_of_a_limit_there_is_one_cause_or_a_reply() {
    let house = House::open();
    let (busy, quick) = (house.prepare(&guest::named("computes_for_a_while")), house.prepare(&guest::named("answers")));
    let times = [0, 1, 1_000, 999_999, 1_000_000, 1_000_001].map(Duration::from_nanos);
    let near = (0..40).map(|step| Duration::from_micros(1_000 + 100 * step));
    for time in times.into_iter().chain(near) {
        for guest in [&busy, &quick] {
            let run = house.run(guest, &Limits { cpu_time: time, ..Limits::DEFAULT });
            assert!(is_reply_or(&run.outcome, Cause::OutOfCpu), "{time:?}: {run:?}");
            let run = house.run(guest, &Limits { wall_time: time, ..Limits::DEFAULT });
            assert!(is_reply_or(&run.outcome, Cause::OutOfTime), "{time:?}: {run:?}");
        }
    }
    let run = house.run(&quick, &Limits { wall_time: Duration::MAX, cpu_time: Duration::MAX, ..Limits::DEFAULT });
    assert!(matches!(run.outcome, Outcome::Reply(_)), "{run:?}");
}

#[test]
fn more_runs_than_the_pool_has_room_for_are_overloaded_and_nothing_else() {
    let house = House::with(|config| config.runs = 2);
    let sleeper = house.prepare(&guest::named("sleeps_ten_minutes"));
    let (sandbox, event) = (&house.sandbox, crate::support::event("{}"));
    let cancelled = CancellationToken::new();
    let causes = house.runtime.block_on(async {
        let mut runs = Vec::new();
        for _ in 0..32 {
            let (sandbox, sleeper, event, cancelled) =
                (sandbox.clone(), sleeper.clone(), event.clone(), cancelled.clone());
            runs.push(tokio::spawn(async move {
                sandbox.run(&sleeper, &event, &IMPATIENT, &Grants::default(), &cancelled).await
            }));
        }
        let mut causes = Vec::new();
        for run in runs {
            let Outcome::BotBreak(broken) = run.await.unwrap().outcome else { panic!("nobody slept for ten minutes") };
            causes.push(broken.cause);
        }
        causes
    });
    // One more than `runs`, for nobody compiles a source meanwhile.
    assert_eq!(causes.iter().filter(|cause| **cause == Cause::OutOfTime).count(), 3, "{causes:?}");
    assert_eq!(causes.iter().filter(|cause| **cause == Cause::Overloaded).count(), 29, "{causes:?}");
    assert_eq!(sandbox.running(), 0);
}

fn is_reply_or(outcome: &Outcome, cause: Cause) -> bool {
    match outcome {
        Outcome::Reply(_) => true,
        Outcome::BotBreak(broken) => broken.cause == cause,
    }
}
