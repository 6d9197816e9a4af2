// Drives a login by the client that was made of the description: node drive.js ADDRESS

import assert from "node:assert/strict";
import createClient, { type Middleware } from "openapi-fetch";
import type { paths } from "./admit.js";

const address = process.argv[2] ?? "";
const email = "typescript@example.org";
const password = "a phrase that nobody else has 9";

const api = createClient<paths>({ baseUrl: address });

// What a browser does by itself: keep cookies.
const jar = new Map<string, string>();
const cookies: Middleware = {
  onRequest({ request }) {
    request.headers.set("Cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
  },
  onResponse({ response }) {
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) jar.set(name, value);
    }
  },
};
api.use(cookies);

const registered = await api.POST("/api/account/sign-up", { body: { email, password } });
assert.equal(registered.data?.next, "check_mail");

const token = await (await fetch(`${address}/token`)).text();
const confirmed = await api.POST("/api/account/verify", { body: { token } });
assert.equal(confirmed.data?.next, "sign_in");
api.eject(cookies);

const refused = await api.POST("/api/account/sign-in", { body: { identifier: email, password: "wrong" } });
assert.equal(refused.error?.code, "invalid_credentials");

const signedIn = await api.POST("/api/account/sign-in", {
  params: { header: { "Admit-Carrier": "bearer" } },
  body: { identifier: email, password },
});
assert.equal(signedIn.data?.status, "signed_in");
const session = signedIn.response.headers.get("Admit-Token");
assert.ok(session);

const bearer: Middleware = {
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${session}`);
  },
};
api.use(bearer);

const account = await api.GET("/api/account/");
assert.equal(account.data?.email, email);
assert.equal(account.data?.is_verified, true);

const devices = await api.GET("/api/account/devices");
assert.deepEqual(devices.data?.devices.map((one) => one.is_this), [true]);

const signedOut = await api.POST("/api/account/sign-out");
assert.equal(signedOut.response.status, 204);
assert.equal((await api.GET("/api/account/")).error?.code, "session_logout");

console.log("signed out");
