// The reading of sources, in Node.js. What hangs on the component is tried in `runtime/runners/tests`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Misplaced, body } from "../parts/source.js";

function exportsOf(source) {
  const module = { exports: {} };
  new Function("exports", "module", "codenode", body(source))(module.exports, module, { kv: "kv", log: "log", handler: () => 8 });
  return module.exports;
}

test("every way to export a handler is one", () => {
  for (const [source, name] of [
    ["export function handle() { return 7 }", "handle"],
    ["export const handler = () => 7", "handler"],
    ["export default function () { return 7 }", "default"],
    ["export default () => 7;", "default"],
    ["export default function f() { return 7 }\nconst g = f;", "default"],
    ["function f() { return 7 }\nexport { f as handle, f as default };", "handle"],
    ["exports.handler = () => 7", "handler"],
    ["module.exports = { handle() { return 7 } }", "handle"],
    ["function main() { return 7 }", "main"],
    ["const handle = () => 7", "handle"],
  ]) assert.equal(exportsOf(source)[name]?.(), 7, source);
  assert.equal(exportsOf("module.exports = () => 7")(), 7);
});

test("what only looks like one is left alone", () => {
  for (const source of [
    'const a = "export default 1"; exports.v = a',
    "const a = `export default ${`export ${1}`} import x`; exports.v = a",
    "// export nothing\n/* import a from 'b' */ exports.v = 1",
    "const a = /export default '/; exports.v = a.source",
    "const a = 4 / 2 / 1; const b = 'import x'; exports.v = b",
    "const a = { export: 1, import: 2 }; exports.v = a.export + a.import",
    "exports.v = [1].map((x) => { return /[/]import x/.test(x) })",
  ]) assert.ok("v" in exportsOf(source), source);
});

test("lines stay where they are", () => {
  const made = body("import {\n  kv,\n} from 'codenode';\nexport {\n};\nexport default 1").split("\n");
  assert.equal(made[5].trim(), "exports.default = 1");
});

test("codenode is imported, and nothing else", () => {
  assert.equal(exportsOf('import { kv as store } from "codenode";\nexports.v = store').v, "kv");
  assert.equal(exportsOf("import * as all from 'codenode'\nexports.v = all.log").v, "log");
  assert.deepEqual(exportsOf('import { handler } from "codenode";\nexport const handle = handler()'), { handle: 8 });
  for (const source of ["import fs from 'fs'", "import 'x'", "export * from './x'", "export { a } from './x'"]) {
    assert.throws(() => body(source), Misplaced, source);
  }
});
