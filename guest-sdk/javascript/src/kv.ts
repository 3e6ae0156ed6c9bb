// What a node keeps between its runs: values by their keys, in a bucket of its own (`node`) and in one that it shares with the other nodes of its tenant
// (`tenant`). Each is granted per revision: `kv:node`, `kv:tenant`, or only to look things up, `kv:tenant read`.
//
// What a run sets and deletes it sees itself at once. Others see it once the run has replied; a run that breaks leaves nothing of it. `increment` and
// `update` are done at once, for good.

import { Bucket } from "./bucket.js";

export { KvError, type Bucket, type Reason } from "./bucket.js";

/** The node's own bucket, which no other node sees. It outlives the node's revisions. Throws {@link KvError} without the grant `kv:node`. */
export function node(): Bucket {
  return new Bucket("node");
}

/** The bucket that all nodes of the tenant share. Throws {@link KvError} without the grant `kv:tenant` or `kv:tenant read`. */
export function tenant(): Bucket {
  return new Bucket("tenant");
}
