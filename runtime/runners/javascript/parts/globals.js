// What authors find without an import, where it differs from the engine's own. `console` is the SDK's.

import { isOfAService } from "./failures.js";

const engine = { fetch: globalThis.fetch, setTimeout: globalThis.setTimeout, setInterval: globalThis.setInterval };
let fail;

/** Fails as soon as a timer's function throws: nobody else would ever hear of it. */
export const uncaught = new Promise((_, reject) => {
  fail = reject;
});

for (const name of ["setTimeout", "setInterval"]) {
  globalThis[name] = (callback, millis, ...given) => {
    if (typeof callback !== "function") throw new TypeError(`${name} takes a function`);
    const call = () => {
      try {
        callback(...given);
      } catch (error) {
        fail(error);
      }
    };
    return engine[name](call, millis);
  };
}

/** The engine's `fetch`, whose failures say what was asked, without the URL's query. */
globalThis.fetch = async function fetch(resource, options) {
  const request = new Request(resource, options);
  try {
    return await engine.fetch(resource, options);
  } catch (error) {
    const told = new TypeError(`${request.method} ${request.url.split(/[?#]/)[0]}: ${error.message}`, { cause: error });
    throw error.name === "AbortError" ? told : isOfAService(told);
  }
};
