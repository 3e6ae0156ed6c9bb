import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const [BUILDER, SDK] = ["../componentize.mjs", "../dist/component.js"].map((file) => fileURLToPath(new URL(file, import.meta.url))) as [string, string];

test("a handler becomes a component by the package's own contract, and what is none is refused", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "codenode-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const made = join(folder, "node.wasm");
  const build = (source: string) => {
    writeFileSync(join(folder, "main.js"), source);
    const { status, stderr } = spawnSync(process.execPath, [BUILDER, join(folder, "main.js"), "--output", made, "--sdk", SDK], { encoding: "utf8" });
    return { status, stderr };
  };
  for (const [source, why] of [
    ["export const handel = () => ({});", /there is no function `handle`: write `export const handle = handler\(\(event\) => …\)`/],
    ["export const handle = {};", /`handle` is no function but \{\} \(object\): write `export const handle/],
  ] as const) {
    const refused = build(source);
    assert.deepEqual([refused.status, existsSync(made)], [1, false]);
    assert.match(refused.stderr, why);
  }
  assert.deepEqual(build("export const handle = () => ({});"), { status: 0, stderr: "" });
  assert.equal(existsSync(made), true);
});
