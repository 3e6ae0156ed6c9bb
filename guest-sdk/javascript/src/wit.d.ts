// The imports of the world `codenode:node/code-node-with-randomness`, as engines bind them. In QuickJS an empty `option` is `null` and numbers of 64 bits are
// `number`, in SpiderMonkey `undefined` and `bigint`.

declare module "wasi:config/store@0.2.0-rc.1" {
  export function get(key: string): string | null | undefined;
  export function getAll(): [string, string][];
}

declare module "wasi:keyvalue/store@0.2.0-draft2" {
  export class Bucket {
    get(key: string): Uint8Array | null | undefined;
    set(key: string, value: Uint8Array): void;
    delete(key: string): void;
    exists(key: string): boolean;
    listKeys(cursor: string | null | undefined): { keys: string[]; cursor: string | null | undefined };
  }
  export function open(identifier: string): Bucket;
}

declare module "wasi:keyvalue/batch@0.2.0-draft2" {
  import type { Bucket } from "wasi:keyvalue/store@0.2.0-draft2";
  export function getMany(bucket: Bucket, keys: string[]): ([string, Uint8Array] | null | undefined)[];
}

declare module "wasi:keyvalue/atomics@0.2.0-draft2" {
  import type { Bucket } from "wasi:keyvalue/store@0.2.0-draft2";
  export class Cas {
    static new(bucket: Bucket, key: string): Cas;
    current(): Uint8Array | null | undefined;
  }
  export function increment(bucket: Bucket, key: string, delta: bigint | number): bigint | number;
  export function swap(cas: Cas, value: Uint8Array): void;
}

declare module "wasi:logging/logging@0.1.0-draft" {
  export function log(level: "trace" | "debug" | "info" | "warn" | "error" | "critical", context: string, message: string): void;
}

declare module "wasi:random/random@0.2.12" {
  export function getRandomBytes(len: bigint | number): Uint8Array;
}
