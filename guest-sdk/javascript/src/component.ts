// The package in a component: with the imports of the world `codenode:node/code-node-with-randomness` as its host. Bundlers take it under the condition
// `codenode`.

import * as values from "wasi:config/store@0.2.0-rc.1";
import * as atomics from "wasi:keyvalue/atomics@0.2.0-draft2";
import * as batch from "wasi:keyvalue/batch@0.2.0-draft2";
import * as store from "wasi:keyvalue/store@0.2.0-draft2";
import { log } from "wasi:logging/logging@0.1.0-draft";
import { getRandomBytes } from "wasi:random/random@0.2.12";
import { installGlobals } from "./globals.js";
import { isQuickJs, runOn, type OpenBucket, type Seen } from "./host.js";
import { replaceRandom } from "./randomness.js";
import { reasonOf, refusal, told } from "./refusals.js";
import { wellFormed } from "./text.js";

export * from "./index.js";
// What stands around an author's handler: in a component, what bundles it; for a source, its runner, which tells what went wrong in the same words.
export { begun, shortened } from "./failures.js";
export { exported, isHandler } from "./handler.js";
export { replyText } from "./reply.js";
export { kind, what } from "./shown.js";

const IS_QUICKJS = isQuickJs();

/** As an engine takes numbers of 64 bits: QuickJS, as componentize-qjs binds it, traps on a `bigint`. */
function whole(number: number): bigint | number {
  return IS_QUICKJS ? number : BigInt(number);
}

/** A bucket that is open. What is written may still want its grant: whoever has `kv:tenant read` opens the bucket, and only reads. */
function opened(bucket: store.Bucket, grant: string): OpenBucket {
  const of = <T>(ask: () => T): T => told(ask, grant);
  return {
    get: (key) => of(() => bucket.get(key)) ?? undefined,
    getMany: (keys) => of(() => batch.getMany(bucket, keys)).map((entry) => entry?.[1]),
    exists: (key) => of(() => bucket.exists(key)),
    keys(cursor) {
      const page = of(() => bucket.listKeys(cursor));
      return { keys: page.keys, cursor: page.cursor ?? undefined };
    },
    set: (key, value) => of(() => bucket.set(key, value)),
    delete: (key) => of(() => bucket.delete(key)),
    increment: (key, delta) => Number(of(() => atomics.increment(bucket, key, whole(delta)))),
    see: (key) => seen(of(() => atomics.Cas.new(bucket, key)), grant),
  };
}

function seen(cas: atomics.Cas, grant: string): Seen {
  return {
    current: () => told(() => cas.current(), grant) ?? undefined,
    swap(value) {
      try {
        atomics.swap(cas, value);
        return undefined;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason?.tag === "cas-failed") return seen(reason.val as atomics.Cas, grant);
        const why = reason?.tag === "store-error" ? reasonOf(reason.val) : reason;
        throw why === undefined ? error : refusal(why, grant);
      }
    },
  };
}

runOn({
  // QuickJS, as componentize-qjs binds it, traps on half of a surrogate pair.
  log: (level, context, message) => log(level, wellFormed(context), wellFormed(message)),
  config: (key) => told(() => values.get(wellFormed(key))) ?? undefined,
  allConfig: () => told(() => values.getAll()),
  open(bucket) {
    const grant = `kv:${bucket}`;
    return opened(told(() => store.open(bucket), grant), grant);
  },
  randomBytes: (count) => getRandomBytes(whole(count)),
  waits: !IS_QUICKJS,
});
replaceRandom();
installGlobals();
