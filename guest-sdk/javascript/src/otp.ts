// One-time codes: made, kept for a while, and verified in a few tries, in the node's own bucket (the grant `kv:node`). Whoever makes one sends it.
//
// A try counts at once and for good, so many runs at the same time have no more tries, and one that breaks has not had none. So does what is right: of many
// runs one is told so, and if that one breaks, the code is used up all the same. A code is kept only if its run replies: one that could not be sent never was.

import { host } from "./host.js";
import * as kv from "./kv.js";
import { encoded } from "./text.js";

const MIN_DIGITS = 4;
const MAX_DIGITS = 12;
/** How many values six bytes have. */
const DRAWN = 2 ** 48;
/** What stands in the place of a code that was right, as long as that would have been good. */
const USED_UP = "";

/** What becomes of a code that somebody typed: `right` is used up now, `wrong` can be tried again `triesLeft` times, after `too many tries` it is not even
 * looked at, and there is `no code`, or not any more. */
export interface Verdict {
  readonly kind: "right" | "wrong" | "too many tries" | "no code";
  readonly triesLeft: number;
}

/** The codes of a node. Whatever this does may throw `KvError`. */
export class Codes {
  readonly #digits: number;
  readonly #tries: number;
  readonly #bucket: kv.Bucket;

  /** Of so many digits (4 to 12; else the nearer of them), good for so many seconds (1 to 31,622,400) and so many tries, at least one. Digits and tries are
   * whole numbers: of others it throws `KvError`, for who compares with one that is none refuses nobody. */
  constructor({ digits = 6, goodFor = 300, tries = 3 }: { digits?: number; goodFor?: number; tries?: number } = {}) {
    // A code of fewer digits is guessed, and nobody types more of them.
    this.#digits = Math.min(Math.max(whole("digits", digits), MIN_DIGITS), MAX_DIGITS);
    this.#tries = Math.max(1, whole("tries", tries));
    this.#bucket = kv.node().keepFor(goodFor);
  }

  /** A new code for somebody, such as a phone number of up to 500 bytes. It takes the place of the one before, with tries of its own. */
  issue(to: string): string {
    const code = String(drawn(10 ** this.#digits)).padStart(this.#digits, "0");
    // As it is: whoever has a hash of six digits has the digits.
    this.#bucket.set(`otp/code/${to}`, code);
    this.#bucket.delete(`otp/tries/${to}`);
    return code;
  }

  /** Whether somebody has typed the code that was issued to them, in a time that does not tell how much of it is right. */
  verify(to: string, typed: string): Verdict {
    const triesLeft = this.#tries - this.#bucket.increment(`otp/tries/${to}`);
    if (!(triesLeft >= 0)) return { kind: "too many tries", triesLeft: 0 };
    const given = encoded(typed.trim());
    let verdict: Verdict = { kind: "no code", triesLeft: 0 };
    // Seen and used up in one: of two runs that type it at the same time, the other sees it used up.
    this.#bucket.update(`otp/code/${to}`, (code) => {
      const isThere = code !== undefined && code.length > 0;
      const isRight = isThere && isSame(code, given);
      verdict = isRight ? { kind: "right", triesLeft: 0 } : isThere ? { kind: "wrong", triesLeft } : { kind: "no code", triesLeft: 0 };
      return isRight ? USED_UP : undefined;
    });
    return verdict;
  }
}

function whole(option: string, number: number): number {
  if (Number.isSafeInteger(number)) return number;
  throw new kv.KvError("invalid", `otp: ${option} is a whole number, not ${String(number)}`);
}

/** A number below `end`, each as likely as the others: what lies beyond the last multiple of it is drawn again. */
function drawn(end: number): number {
  for (;;) {
    const number = host().randomBytes(6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (number < DRAWN - (DRAWN % end)) return number % end;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  const differences = one.reduce((sum, byte, at) => sum | (byte ^ (other[at] ?? 0)), one.length ^ other.length);
  return differences === 0;
}
