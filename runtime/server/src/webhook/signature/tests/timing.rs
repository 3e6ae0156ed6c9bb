//! What a forger could learn with a stopwatch (corpus G): nothing, and the stopwatch is good enough to say so.
//!
//! The method is dudect's (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?"): two classes of inputs,
//! measured in random order, and Welch's t-test on the times, less the slowest tenth, which is the machine's and not
//! ours. Chance alone goes beyond [`LEAK`] once in a hundred thousand times; a busy machine does a little more often.

use std::time::Instant;

use super::*;

const LEAK: f64 = 4.5;
const SAMPLES: usize = 100_000;
/// Samples that are compared with one another: few enough for the machine to be as busy at their end as at their start.
const BLOCK: usize = 1_000;
const ATTEMPTS: usize = 5;
/// The variance that comes of the clock's counting whole nanoseconds.
const CLOCK: f64 = 1.0 / 12.0;

/// Which of the two classes each sample is of: the same sequence each time, without pattern.
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> usize {
        // Xorshift64*, whose high bits are good.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 63 == 1)
    }
}

/// A class of inputs, and how long one of them took in nanoseconds.
type Sample = (usize, f64);

/// How long `work` takes on what `make` prepares for each of the two classes.
fn stopwatch<T, R>(seed: u64, samples: usize, make: impl Fn(usize) -> T, work: impl Fn(&T) -> R) -> Vec<Sample> {
    let mut coin = Coin(seed);
    let sample = || {
        let class = coin.toss();
        // Made anew each time, so that no class has the better place in memory.
        let input = black_box(make(class));
        let began = Instant::now();
        black_box(work(&input));
        (class, began.elapsed().as_secs_f64() * 1e9)
    };
    std::iter::repeat_with(sample).take(samples).collect()
}

/// Welch's t between the two classes. Each block of samples is compared for itself, and a quiet one counts for more.
fn welch(samples: &[Sample]) -> f64 {
    let blocks = samples.chunks(BLOCK).map(difference);
    let (sum, weight) = blocks.fold((0.0, 0.0), |(sum, weight), (difference, variance)| {
        (sum + difference / variance, weight + 1.0 / variance)
    });
    sum / f64::sqrt(weight)
}

/// How much longer the one class takes than the other, less the slowest tenth of both; and the variance of that.
fn difference(block: &[Sample]) -> (f64, f64) {
    let mut times: Vec<f64> = block.iter().map(|(_, time)| *time).collect();
    times.sort_by(f64::total_cmp);
    let slowest = times[times.len() * 9 / 10];
    let [one, other] = [0, 1].map(|wanted| {
        let kept = || block.iter().filter(|(class, time)| *class == wanted && *time <= slowest).map(|(_, time)| time);
        let count = kept().count() as f64;
        let mean = kept().sum::<f64>() / count;
        let variance = kept().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0) + CLOCK;
        (mean, variance / count)
    });
    (one.0 - other.0, one.1 + other.1)
}

/// The headers of a forged event, to be written out for each sample.
type Forged = Vec<(HeaderName, Vec<u8>)>;

/// Two forgeries of `BODY`: the one's signature is wrong in its first byte, the other's in its last.
fn forged(scheme: Scheme) -> [Forged; 2] {
    let right = signed(scheme, WHSEC, BODY);
    [true, false].map(|first| {
        let change = |(name, value): (&HeaderName, &HeaderValue)| {
            let text = value.to_str().unwrap();
            let value = match text.split_once(['=', ',']) {
                Some(("v1", signature)) => {
                    let mut bytes = STANDARD.decode(signature).unwrap();
                    let end = bytes.len() - 1;
                    bytes[if first { 0 } else { end }] ^= 1;
                    format!("v1,{}", STANDARD.encode(bytes))
                }
                Some((prefix, digits)) => {
                    let mut digits = digits.as_bytes().to_vec();
                    let end = digits.len() - 1;
                    let digit = &mut digits[if first { 0 } else { end }];
                    // A figure stays a figure and a letter a letter, for what reads them may tell them apart.
                    *digit = if matches!(digit, b'9' | b'f') { *digit - 1 } else { *digit + 1 };
                    format!("{prefix}={}", String::from_utf8(digits).unwrap())
                }
                None => text.to_owned(),
            };
            (name.clone(), value.into_bytes())
        };
        right.iter().map(change).collect()
    })
}

fn written(forged: &Forged) -> HeaderMap {
    forged.iter().map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value).unwrap())).collect()
}

/// How far apart the two forgeries are for `judge`: attempts, until one shows no difference.
fn attempts(scheme: Scheme, judge: impl Fn(&HeaderMap) -> bool) -> Vec<f64> {
    let forged = forged(scheme);
    let mut all = Vec::new();
    for seed in 1..=ATTEMPTS as u64 {
        let make = |class: usize| written(&forged[class]);
        all.push(welch(&stopwatch(seed, SAMPLES, make, |headers| assert!(!judge(headers)))));
        if all.last().is_some_and(|t: &f64| t.abs() < LEAK) {
            break;
        }
    }
    all
}

#[test]
fn a_forger_cannot_tell_by_time_how_much_of_a_signature_is_right() {
    for scheme in Scheme::ALL {
        let verifier = verifier(&[scheme], &[WHSEC]);
        let attempts = attempts(scheme, |headers| verifier.verify(headers, BODY, at(1000)).is_ok());
        assert!(attempts.last().is_some_and(|t| t.abs() < LEAK), "{scheme}: {attempts:?}");
    }
}

/// Without this, the test above could be one that never fails.
#[test]
fn a_comparison_that_stops_at_the_first_difference_is_caught() {
    let key: Hmac<Sha256> = keyed(WHSEC.as_bytes());
    let attempts = attempts(Scheme::Sha256, |headers| {
        let claimed: [u8; 32] = unhex(headers[&HUB_256].as_bytes().strip_prefix(b"sha256=").unwrap()).unwrap();
        digest(&key, &[BODY]).iter().zip(&claimed).all(|(right, claimed)| right == claimed)
    });
    assert!(attempts.iter().all(|t| t.abs() >= LEAK), "{attempts:?}");
}

/// How long a forgery for a node that does not exist takes to be refused, by how long it takes for `known`.
fn decoy_by(known: &Verifier, scheme: Scheme, body: &[u8]) -> f64 {
    let (decoy, headers) = (Verifier::decoy(), signed(scheme, "whsec_Zm9yZ2Vy", body));
    let verifiers = [&decoy, known];
    let refuse = |verifier: &&Verifier| assert!(verifier.verify(&headers, body, at(1000)).is_err());
    let samples = stopwatch(1, 400, |class| verifiers[class], refuse);
    let [decoy, known] = [0, 1].map(|wanted| {
        let mut times: Vec<f64> = samples.iter().filter(|(class, _)| *class == wanted).map(|(_, time)| *time).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    decoy / known
}

#[test]
fn a_refusal_takes_as_long_whether_or_not_there_is_such_a_node() {
    let body = [b' '; 64 << 10];
    for scheme in Scheme::ALL {
        for secrets in [&[WHSEC][..], &[WHSEC, "whsec_b2xk"]] {
            let known = verifier(&[scheme], secrets);
            let mut ratios = Vec::new();
            while !ratios.last().is_some_and(|ratio| (0.9..1.1).contains(ratio)) {
                assert!(ratios.len() < ATTEMPTS, "{scheme}, {} secrets: {ratios:?}", secrets.len());
                ratios.push(decoy_by(&known, scheme, &body));
            }
        }
    }
}
