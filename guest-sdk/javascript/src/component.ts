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
import { reasonOf, told } from "./refusals.js";
import { wellFormed } from "./text.js";

export * from "./index.js";
export { exported } from "./handler.js";

const IS_QUICKJS = isQuickJs();

/** As an engine takes numbers of 64 bits: QuickJS, as componentize-qjs binds it, traps on a `bigint`. */
function whole(number: number): bigint | number {
  return IS_QUICKJS ? number : BigInt(number);
}

function opened(bucket: store.Bucket): OpenBucket {
  return {
    get: (key) => told(() => bucket.get(key)) ?? undefined,
    getMany: (keys) => told(() => batch.getMany(bucket, keys)).map((entry) => entry?.[1]),
    exists: (key) => told(() => bucket.exists(key)),
    keys(cursor) {
      const page = told(() => bucket.listKeys(cursor));
      return { keys: page.keys, cursor: page.cursor ?? undefined };
    },
    set: (key, value) => told(() => bucket.set(key, value)),
    delete: (key) => told(() => bucket.delete(key)),
    increment: (key, delta) => Number(told(() => atomics.increment(bucket, key, whole(delta)))),
    see: (key) => seen(told(() => atomics.Cas.new(bucket, key))),
  };
}

function seen(cas: atomics.Cas): Seen {
  return {
    current: () => told(() => cas.current()) ?? undefined,
    swap(value) {
      try {
        atomics.swap(cas, value);
        return undefined;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason?.tag === "cas-failed") return seen(reason.val as atomics.Cas);
        return told(() => {
          throw reason?.tag === "store-error" ? reason.val : error;
        });
      }
    },
  };
}

runOn({
  // QuickJS, as componentize-qjs binds it, traps on half of a surrogate pair.
  log: (level, context, message) => log(level, wellFormed(context), wellFormed(message)),
  config: (key) => told(() => values.get(wellFormed(key))) ?? undefined,
  allConfig: () => told(() => values.getAll()),
  open: (bucket) => opened(told(() => store.open(bucket), `kv:${bucket}`)),
  randomBytes: (count) => getRandomBytes(whole(count)),
  waits: !IS_QUICKJS,
});
replaceRandom();
installGlobals();
