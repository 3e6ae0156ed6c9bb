//! The inputs of a run: told the same, it ends alike; left to the machine's own, no two are alike.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::{Cause, Limits, Outcome, Run};
use sandbox::Grants;
use sandbox::inputs::{Input, Inputs, MonotonicClock, Randomness, Seeds, WallClock};

use crate::support::{House, guest};

const MILLISECOND: u64 = 1_000_000;

/// What each time takes in these tests, so that rounding it down shows.
const STEP: Duration = Duration::from_nanos(1_234_567);

/// A clock that goes on by [`STEP`] at each look.
struct Steps {
    from: Duration,
    looks: AtomicU64,
}

impl Steps {
    fn from(from: Duration) -> Arc<Self> {
        Arc::new(Self { from, looks: AtomicU64::new(0) })
    }

    fn next(&self) -> Duration {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        self.from + STEP * u32::try_from(looks).unwrap()
    }
}

impl WallClock for Steps {
    fn now(&self) -> Duration {
        self.next()
    }
}

impl MonotonicClock for Steps {
    fn now(&self) -> Duration {
        self.next()
    }
}

/// The same seeds, whoever asks.
struct Same(Seeds);

impl Randomness for Same {
    fn seeds(&self) -> Seeds {
        self.0
    }
}

/// Inputs that always say the same.
fn fixed() -> Inputs {
    let seeds = Seeds { secure: [7; 32], insecure: [8; 32], insecure_seed: 0x0123_4567_89ab_cdef_0011_2233_4455_6677 };
    Inputs {
        wall_clock: Input::Instead(Steps::from(Duration::from_secs(1_790_000_000))),
        monotonic_clock: Input::Instead(Steps::from(Duration::from_secs(500))),
        randomness: Input::Instead(Arc::new(Same(seeds))),
        ..Grants::default().into()
    }
}

/// What a guest of these tests says, and that its log says the same.
fn heard(run: &Run) -> Vec<u64> {
    let Outcome::Reply(reply) = &run.outcome else { panic!("{run:?}") };
    let [line] = run.log.lines.as_slice() else { panic!("{run:?}") };
    assert_eq!(reply.as_str(), format!(r#"{{"status":true,"response":["{}"]}}"#, line.text));
    line.text.split_whitespace().map(|number| u64::from_str_radix(number, 16).unwrap()).collect()
}

#[test]
fn two_runs_that_hear_the_same_reply_and_log_the_same() {
    let house = House::open();
    let told = ["command_tells_what_it_hears", "tells_what_it_hears"].map(|name| {
        let prepared = house.prepare(&guest::named(name));
        let run = || house.run_granted("{}", &prepared, &Limits::DEFAULT, fixed());
        let [first, second] = [run(), run()];
        assert_eq!(heard(&first), heard(&second));
        assert_eq!((&first.outcome, first.log.dropped_bytes), (&second.outcome, second.log.dropped_bytes));
        let other = house.run(&prepared, &Limits::DEFAULT);
        assert_ne!(heard(&first)[..2], heard(&other)[..2], "this machine draws other random bytes");
        first.log.lines[0].text.trim_end().replace(' ', "\n")
    });
    // Of a release to come too: the generators are a cipher's, and what was recorded is worth nothing if they draw something else.
    insta::assert_snapshot!(told[0], @"
    73097e366aa385f6
    1d8db15058a0a181
    18d75b8423f30000
    00000000001e8480
    00000000002dc6c0
    00000000003d0900
    00000000000f4240
    00000000000f4240
    ");
    insta::assert_snapshot!(told[1], @"
    73097e366aa385f6
    20f4cfa13df98881
    9f22c5413c0478bf
    0011223344556677
    0123456789abcdef
    18d75b8423f30000
    00000000001e8480
    00000000002dc6c0
    00000000003d0900
    00000000000f4240
    00000000000f4240
    ");
}

#[test]
fn a_thousand_runs_draw_a_thousand_random_numbers() {
    let house = House::open();
    for (name, numbers) in [("command_tells_what_it_hears", 2), ("tells_what_it_hears", 5)] {
        let prepared = house.prepare(&guest::named(name));
        let mut drawn = HashSet::new();
        for _ in 0..1_000 {
            drawn.extend(heard(&house.run(&prepared, &Limits::DEFAULT)).into_iter().take(numbers));
        }
        assert_eq!(drawn.len(), 1_000 * numbers, "{name}");
    }
}

#[test]
fn clocks_tell_whole_milliseconds_and_say_so() {
    let house = House::open();
    for (name, times_from) in [("command_tells_what_it_hears", 2), ("tells_what_it_hears", 5)] {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let heard = heard(&house.run(&house.prepare(&guest::named(name)), &Limits::DEFAULT));
        let [day, passed @ .., day_resolution, resolution] = &heard[times_from..] else { panic!("{heard:?}") };
        assert_eq!([*day_resolution, *resolution], [MILLISECOND; 2], "{name}");
        assert!(passed.len() == 3 && passed.is_sorted() && passed[2] < 10_000 * MILLISECOND, "{name}: {passed:?}");
        assert!(passed[0] > 0, "{name}: Go takes a clock that says 0 for a broken one");
        assert!([day].into_iter().chain(passed).all(|time| time.is_multiple_of(MILLISECOND)), "{name}: {heard:?}");
        let off = Duration::from_nanos(*day).abs_diff(before);
        assert!(off < Duration::from_secs(60), "{name}: the day is {off:?} off");
    }
}

#[test]
fn a_guest_draws_no_more_randomness_than_its_cpu_time_is_good_for() {
    let house = House::open();
    let prepared = house.prepare(&guest::named("command_draws_random_bytes_for_ever"));
    let limits = Limits { cpu_time: Duration::from_millis(50), host_calls: Limits::CAPS.host_calls, ..Limits::DEFAULT };
    let run = house.run(&prepared, &limits);
    let Outcome::BotBreak(broken) = &run.outcome else { panic!("{run:?}") };
    assert_eq!(broken.cause, Cause::OutOfCpu, "{broken:?}");
    assert!(run.usage.cpu_time >= limits.cpu_time && run.usage.host_calls < 10_000, "{:?}", run.usage);
}
