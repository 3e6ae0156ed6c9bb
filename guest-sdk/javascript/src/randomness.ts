// `Math.random` for an engine whose image has the seed of the day on which it was built: seeded anew in each run, from the host, when it is first asked.

import { host } from "./host.js";

let state: Uint32Array | undefined;
let isReplaced = false;

/** A run begins. */
export function begin(): void {
  if (!isReplaced) return;
  state = undefined;
}

/** Takes the place of the engine's own `Math.random`. Until the first run begins, that of the engine stays: there is no host to ask while a component is built. */
export function replaceRandom(): void {
  const engines = Math.random;
  let hasBegun = false;
  isReplaced = true;
  state = new Uint32Array(4);
  Math.random = () => {
    hasBegun ||= state === undefined;
    if (!hasBegun) return engines();
    state ??= new Uint32Array(host().randomBytes(16).slice().buffer);
    // 53 bits, as many as a number has.
    return ((next(state) >>> 5) * 2 ** 26 + (next(state) >>> 6)) / 2 ** 53;
  };
}

/** xoshiro128++ 1.0, of Blackman and Vigna: https://prng.di.unimi.it/xoshiro128plusplus.c */
function next(s: Uint32Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = s;
  const result = (rotated((a + d) >>> 0, 7) + a) >>> 0;
  s[2] = c ^ a;
  s[3] = d ^ b;
  s[1] = b ^ c ^ a;
  s[0] = a ^ d ^ b;
  s[2] = c ^ a ^ (b << 9);
  s[3] = rotated((d ^ b) >>> 0, 11);
  return result;
}

function rotated(x: number, by: number): number {
  return ((x << by) | (x >>> (32 - by))) >>> 0;
}
