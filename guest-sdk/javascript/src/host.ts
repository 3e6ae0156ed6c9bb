// What a host offers: the one seam between this package and where it runs. In a component that is `component.ts`, over the imports of the world; in a unit
// test it is `testing.ts`. Nothing else here knows which of them it is.

/** How much a log line matters; the names are those of `wasi:logging`. */
export type Level = "trace" | "debug" | "info" | "warn" | "error" | "critical";

/** The host does not do it; its message says why. */
export class Refusal extends Error {
  /** Whether it is because it is not granted to the node's revision. */
  readonly isNotGranted: boolean;

  constructor(message: string, isNotGranted = false) {
    super(message);
    this.isNotGranted = isNotGranted;
  }
}

/** An entry as it was seen, to be replaced if it is still so. */
export interface Seen {
  current(): Uint8Array | undefined;
  /** Replaces it, or gives the entry as it is now. */
  swap(value: Uint8Array): Seen | undefined;
}

/** A bucket, open. Keys that are written may end with `?ttl=SECONDS`. Whatever this does may throw a {@link Refusal}. */
export interface OpenBucket {
  get(key: string): Uint8Array | undefined;
  getMany(keys: string[]): (Uint8Array | undefined)[];
  exists(key: string): boolean;
  keys(cursor: string | undefined): { keys: string[]; cursor: string | undefined };
  set(key: string, value: Uint8Array): void;
  delete(key: string): void;
  increment(key: string, delta: number): number;
  see(key: string): Seen;
}

/** Everything that a node may be granted, its log, and chance. */
export interface Host {
  /** Writes a line; the context may be empty. */
  log(level: Level, context: string, message: string): void;
  config(key: string): string | undefined;
  allConfig(): [string, string][];
  open(bucket: string): OpenBucket;
  randomBytes(count: number): Uint8Array;
  /** Whether it waits for a promise. */
  readonly waits: boolean;
}

const NOWHERE = "there is no host here: in a unit test, import codenode/testing";

function nowhere(): never {
  throw new Refusal(NOWHERE, true);
}

let chosen: Host = { log: nowhere, config: nowhere, allConfig: nowhere, open: nowhere, randomBytes: nowhere, waits: true };

/** Whether the engine is QuickJS, as componentize-qjs brings it. */
export function isQuickJs(): boolean {
  return "__cqjs" in globalThis;
}

/** Where this runs. */
export function host(): Host {
  return chosen;
}

/** Says where this runs. */
export function runOn(another: Host): void {
  chosen = another;
}
