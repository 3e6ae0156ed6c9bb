// What becomes of TypeScript, in Node.js. What hangs on the component is tried in `runtime/runners/tests`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Misplaced, body, columnIn } from "../parts/source.js";
import { isTypeScript, withoutTypes } from "../parts/typescript.js";

function exportsOf(source) {
  const module = { exports: {} };
  new Function("exports", "module", "codenode", body(withoutTypes(source)))(module.exports, module, { handler: (work) => work, Reply: Array });
  return module.exports;
}

const SHOP = `import { handler, Reply, type Event } from "codenode";
import type { Order } from "./order.js";
interface Priced<T extends string = string> {
  readonly name: T;
  price?: number;
}
type Kind =
  | "speaker"
  | "powerbank";
enum Tier { Silver = 1, Gold, Best = "be" + "st" }
const PRICES = { speaker: 1500, powerbank: 1000 } as const satisfies Record<Kind, number>;
abstract class Shop<T extends Kind> implements Priced<T> {
  declare hidden: string;
  #sold?: number;
  constructor(readonly name: T, private readonly discount = 0, protected open?: boolean) {}
  abstract close(): void;
  get price(): number { return PRICES[this.name]! - this.discount; }
}
class Corner extends Shop<Kind> { override close(): void {} }
function first<T>(this: void, list: readonly T[]): T | undefined;
function first<T>(list: readonly T[]): T | undefined { return list?.[0]; }
declare module "elsewhere" { const x: number; }
export type { Order };
export default handler(async (event: Event): Promise<Reply> => {
  const kind = first(event.kinds as unknown as Kind[]) ?? <Kind>"speaker";
  return new Reply(\`\${new Corner(kind, 100).price as number}\`, Tier[Tier.Gold]!, Tier.Best);
});
export { first, type Kind };
`;

test("what types add is taken away, and what they write in short is written out", async () => {
  const { default: handle, first, ...others } = exportsOf(SHOP);
  assert.deepEqual(await handle({ kinds: ["powerbank"] }), ["900", "Gold", "best"]);
  assert.equal(first([7]), 7);
  assert.deepEqual(Object.keys(others), []);
  assert.equal(exportsOf("export enum A { B }\nexport const handle = (a?: A): A => a ?? A.B;").handle(), 0);
  assert.equal(exportsOf("const handle = <T,>(x: T) => x as T;\nexport = { handle };").handle(7), 7);
});

test("every line stays where it is", () => {
  const [lines, made] = [SHOP.split("\n"), body(withoutTypes(SHOP)).split("\n")];
  lines.forEach((line, at) => {
    for (const word of line.match(/\b(?:PRICES|Corner|Tier\.Best|powerbank: 1000)/g) ?? []) assert.ok(made[at].includes(word), `${at}: ${made[at]}`);
  });
});

test("what is wrong is told by its place", () => {
  for (const [source, line, column, why] of [
    ["interface A {\n  a: string;\n}\nconst b: = 1;", 4, 10, "Unexpected token"],
    ["function f(a: string {\n}", 1, 22, 'Unexpected token, expected ","'],
    ["interface A {\n", 2, 1, "Unexpectedly reached the end of input."],
    ["type A = 1;\nexport namespace Shop.Inner {\n}", 2, 8, "there is no namespace here: write an object, or functions and variables"],
    ["module Shop { export const a = 1; }", 1, 1, "there is no module here: write an object, or functions and variables"],
  ]) {
    assert.throws(() => withoutTypes(source), (error) => {
      assert.ok(error instanceof Misplaced, `${error}`);
      assert.deepEqual([error.lineNumber, error.columnNumber, error.message], [line, column, why]);
      return true;
    });
  }
  for (const source of ["declare namespace A { const b: number; }", "const namespace = 1, module = { b: 2 }; module.b", "'namespace A {'; // module B {"]) {
    withoutTypes(source);
  }
});

test("a column of what was made leads to the author's", () => {
  const line = "export const f = <T>(a: Array<T>, b?: number): T => a[0]!.c(b as number, = 1);";
  const made = body(withoutTypes(line.replace(", = 1", ""))).split("\n")[0].replace(");", ", = 1);");
  for (const part of ["f =", "a[0]", ".c(", "= 1"]) assert.equal(columnIn(line, made, made.indexOf(part) + 1), line.indexOf(part) + 1, part);
  assert.equal(columnIn("", "", 1), 1);
});

test("the name of a file tells", () => {
  assert.deepEqual(["main.ts", "a.mts", "main.js", "ts", "a.tsx"].map(isTypeScript), [true, true, false, false, false]);
});
