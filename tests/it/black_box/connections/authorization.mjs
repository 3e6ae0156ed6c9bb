// An authorization server (oidc-provider) with an API behind it that takes its tokens: node authorization.mjs PROVIDER SECONDS
// PROVIDER is the library's file, SECONDS how long a token is good. Prints its address. The secret of the client `bot` is `very-secret-secret`.
//   POST /token    the token endpoint
//   GET  /api      200 with the token that it was asked with, or 401
//   GET  /api/none 401, whatever it is asked with
//   POST /v1/leads 201 with a lead's number, or 401
//   GET  /issued   how many tokens were given out
//   POST /revoke   none of them is good any more
import { createServer } from "node:http";

const [library, seconds] = process.argv.slice(2);
const { Provider } = await import(library);

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const address = `http://127.0.0.1:${server.address().port}`;
const client = {
  client_id: "bot",
  client_secret: "very-secret-secret",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
};
const provider = new Provider(address, {
  clients: [client, { ...client, client_id: "bot-in-body", token_endpoint_auth_method: "client_secret_post" }],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  scopes: ["leads:write"],
  ttl: { ClientCredentials: Number(seconds) },
});

let issued = 0;
let good = new Set();
provider.on("grant.success", (context) => {
  issued += 1;
  good.add(context.body.access_token);
});

const oauth = provider.callback();
server.on("request", async (request, response) => {
  const say = (status, text) => response.writeHead(status, { "content-length": Buffer.byteLength(text) }).end(text);
  if (request.url === "/issued") return say(200, String(issued));
  if (request.url === "/revoke") {
    good = new Set();
    return say(200, "done");
  }
  const isLead = request.url === "/v1/leads";
  if (!isLead && !request.url.startsWith("/api")) return oauth(request, response);
  const text = (request.headers.authorization ?? "").replace("Bearer ", "");
  const token = request.url !== "/api/none" && good.has(text) && (await provider.ClientCredentials.find(text));
  if (token && isLead) return say(201, JSON.stringify({ id: `L-${token.clientId}` }));
  return token ? say(200, `hello ${token.clientId}, you came with ${text} for ${token.scope}`) : say(401, "who are you?");
});
console.log(address);
