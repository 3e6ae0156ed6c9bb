// As much of Node.js as unit tests take.

declare module "node:fs" {
  export function readFileSync(path: string | { readonly href: string }, encoding: "utf8"): string;
}
